"""Waiting for conditions in tests. The limits catch what never ends, and leave time for a slow machine."""

from __future__ import annotations

import time
from collections.abc import Callable

LIMIT_S = 600.0
"""The time, in s, after which a test may say that something will not happen any more."""


def wait_until(condition: Callable[[], bool], what: str, *, check: Callable[[], None] | None = None) -> None:
    """Waits for a condition. Raises `AssertionError` with `what` after `LIMIT_S`; `check` may raise earlier."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        if check is not None:
            check()
        assert time.monotonic() < end, f"not within {LIMIT_S:g} s: {what}"
        time.sleep(0.01)
