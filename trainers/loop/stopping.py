"""Stops a run on a signal, between two rounds, so that it can be continued."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Generator


class Stop:
    """Whether a signal has requested the run to stop."""

    requested = False


@contextlib.contextmanager
def stop_signals() -> Generator[Stop, None, None]:
    """Turns the first Ctrl-C or SIGTERM into a request to stop after the round; a second Ctrl-C interrupts at once."""
    stop = Stop()

    def request(number: int, frame: object) -> None:
        stop.requested = True
        print("\nstopping after this round; press Ctrl-C again to stop at once", file=sys.stderr)
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
