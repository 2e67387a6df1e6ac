"""Entry point, started by file name. Makes this folder a package, since importing `vec_envs` takes far longer."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

if __name__ == "__main__":
    package = ModuleType("sumo_worker")
    package.__path__ = [str(Path(__file__).parent)]
    sys.modules[package.__name__] = package
    import_module("sumo_worker.serving").main()
