"""`python -m vec_envs` prints the version, its folder, and whether the commands of this project are found."""

from __future__ import annotations

import sys
from pathlib import Path

import vec_envs
from vec_envs.hidden import COMMAND_PACKAGES, explanation, hidden_by


def main() -> int:
    """Prints the report; returns 1 where something hides the commands, otherwise 0."""
    print(f"VEC-Envs {vec_envs.__version__} in {Path(vec_envs.__file__).parent}")
    hiding = {package: hidden_by(package) for package in COMMAND_PACKAGES}
    for package, path in hiding.items():
        print(f"{package}: found" if path is None else f"{package}: {explanation(package, path)}")
    return int(any(hiding.values()))


if __name__ == "__main__":
    sys.exit(main())
