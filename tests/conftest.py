"""Under pytest every array that enters or leaves a function of `vec_envs` is held against its annotated shape.

This must stand before the first import of `vec_envs`: functions are wrapped as their modules are read.
"""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

from tests.annotations import install


def pytest_configure(config: pytest.Config) -> None:
    # A shell's background job ignores Ctrl-C, and so would the processes that tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # beartype checks a random item of each list; this ignores Hypothesis's warning about random numbers that it does
    # not control.
    config.addinivalue_line("filterwarnings", "ignore:Do not use the `random` module inside strategies")
    if hasattr(config.option, "loadscopereorder"):  # with pytest-xdist, which would begin with the files of most tests
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts files with slow tests first, so that no process still runs one when the others have finished."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


# Tianshou compiles loops with Numba in each process that makes a policy: seconds, for loops of a few steps. Processes
# that tests start inherit it; tests/docs/test_quick_start.py compiles.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
install()
