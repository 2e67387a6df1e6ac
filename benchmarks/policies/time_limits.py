"""Limits on the time that a user's code may take."""

from __future__ import annotations

import contextlib
import faulthandler
import math
import signal
import sys
import threading
import time
from collections.abc import Generator
from typing import Any

GRACE_S = 30.0
"""Seconds after the limit until the process is killed, if the exception has not ended the code."""
ENDED = "Timeout ("
"""The beginning of the last output of a process that was killed after its time limit."""
SHORTEST_ALARM_S = 1e-3


@contextlib.contextmanager
def at_most(seconds: float, what: str) -> Generator[None, None, None]:
    """Raises `ValueError` in code that exceeds a time limit; kills the process if the exception does not end the code.

    Limits may be nested: the earliest one applies. Only the main thread gets signals: in other threads the error is
    raised after the code has ended.

    Args:
        seconds: The limit, by the clock; infinite for none.
        what: The code that is limited, for the error message.
    """
    if math.isinf(seconds):
        yield
        return
    began, message = time.monotonic(), f"{what} took longer than {seconds:g} s"
    in_main_thread = threading.current_thread() is threading.main_thread()
    with _alarm(seconds, message) if in_main_thread else contextlib.nullcontext():
        yield
    if time.monotonic() - began > seconds:
        raise ValueError(message)


@contextlib.contextmanager
def _alarm(seconds: float, message: str) -> Generator[None, None, None]:
    """Raises `ValueError` after some seconds. An outer alarm keeps running, and is set again afterwards."""
    outer_s, _ = signal.getitimer(signal.ITIMER_REAL)
    if 0.0 < outer_s <= seconds:
        yield
        return

    def ring(number: int, frame: Any) -> None:
        raise ValueError(message)

    began, outer_handler = time.monotonic(), signal.signal(signal.SIGALRM, ring)
    _set_alarm(seconds)
    try:
        yield
    finally:
        _set_alarm(0.0)
        signal.signal(signal.SIGALRM, outer_handler)
        if outer_s:
            _set_alarm(max(outer_s - (time.monotonic() - began), SHORTEST_ALARM_S))


def _set_alarm(seconds: float) -> None:
    """Sets the alarm, and the kill of the process `GRACE_S` after it; 0 cancels both."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    if seconds:
        faulthandler.dump_traceback_later(seconds + GRACE_S, exit=True, file=sys.__stderr__ or sys.stderr)
    else:
        faulthandler.cancel_dump_traceback_later()
