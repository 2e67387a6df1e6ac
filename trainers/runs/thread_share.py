"""Fewer threads of torch while other programs leave this one little of the machine."""

from __future__ import annotations

import threading
import time
from pathlib import Path

PERIOD_S = 1.0
"""How long a period is in which the waiting for a core is measured, at least."""
BUSY, QUIET = 1.0, 0.2
"""Seconds of waiting for each second of computing: above `BUSY` one thread is used, below `QUIET` all of them."""


class ThreadShare:
    """Lowers torch's threads to one while the calling thread waits for a core more than it computes.

    Threads of a parallel loop wait for the last one. On a busy machine that one is not on a core, so that two threads
    take longer than one. A machine that is not busy keeps its number of threads, and so the bits of its results.

    Args:
        threads: The number of threads on a machine that is not busy. One thread is never changed.
    """

    def __init__(self, threads: int) -> None:
        self._threads = self._used = threads
        self._began_s, self._before = time.monotonic(), waited_and_computed_s()

    def adapt(self) -> None:
        """Chooses the number of threads by the waiting since the last choice, once a period. Needs Linux."""
        if self._threads <= 1 or self._before is None or time.monotonic() - self._began_s < PERIOD_S:
            return
        now = waited_and_computed_s()
        if now is None:
            return
        waited_s, computed_s = now[0] - self._before[0], now[1] - self._before[1]
        self._use(chosen_threads(self._threads, self._used, waited_s, computed_s))
        self._began_s, self._before = time.monotonic(), now

    def _use(self, threads: int) -> None:
        import torch

        if threads != self._used:
            torch.set_num_threads(threads)
            self._used = threads


def chosen_threads(threads: int, used: int, waited_s: float, computed_s: float) -> int:
    """Returns the number of threads to use: `threads` or one, or those in `used` where neither is clearly better."""
    if waited_s > BUSY * computed_s:
        return 1
    return threads if waited_s < QUIET * computed_s else used


def waited_and_computed_s() -> tuple[float, float] | None:
    """Returns the seconds that this thread has waited for a core, and has been on one; `None` where none tells."""
    try:
        text = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text(encoding="ascii")
        computed_ns, waited_ns, _ = map(int, text.split())
    except (OSError, ValueError):
        return None
    return waited_ns / 1e9, computed_ns / 1e9
