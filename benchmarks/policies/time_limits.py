"""How long somebody else's code may take."""

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
"""How long it may go on after its time is over where Python cannot end it, before its process is ended."""
ENDED = "Timeout ("
"""What a process that was ended so has said begins with this."""
AT_ONCE_S = 1e-3


@contextlib.contextmanager
def at_most(seconds: float, what: str) -> Generator[None, None, None]:
    """Ends what takes longer, by a `ValueError`; what cannot be ended so takes its process with it.

    Within another limit the one that is over first counts. Outside the main thread, where there are no signals, it is
    told of when it is over.
    """
    if math.isinf(seconds):
        yield
        return
    began, message = time.monotonic(), f"{what} took longer than {seconds:g} s"
    in_main = threading.current_thread() is threading.main_thread()
    with _alarm(seconds, message) if in_main else contextlib.nullcontext():
        yield
    if time.monotonic() - began > seconds:
        raise ValueError(message)


@contextlib.contextmanager
def _alarm(seconds: float, message: str) -> Generator[None, None, None]:
    """Raises `ValueError` when the time is over. An alarm that is set already goes on, and after this one again."""
    outer_s, _ = signal.getitimer(signal.ITIMER_REAL)
    if 0.0 < outer_s <= seconds:
        yield
        return

    def ring(number: int, frame: Any) -> None:
        raise ValueError(message)

    began, before = time.monotonic(), signal.signal(signal.SIGALRM, ring)
    _set(seconds)
    try:
        yield
    finally:
        _set(0.0)
        signal.signal(signal.SIGALRM, before)
        if outer_s:
            _set(max(outer_s - (time.monotonic() - began), AT_ONCE_S))


def _set(seconds: float) -> None:
    """Sets the alarm, and the end of the process some time after it; 0 is for neither."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    if seconds:
        faulthandler.dump_traceback_later(seconds + GRACE_S, exit=True, file=sys.__stderr__ or sys.stderr)
    else:
        faulthandler.cancel_dump_traceback_later()
