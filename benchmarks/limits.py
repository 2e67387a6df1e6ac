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


@contextlib.contextmanager
def at_most(seconds: float, what: str) -> Generator[None, None, None]:
    """Ends what takes longer, by a `ValueError`; what cannot be ended so takes its process with it.

    Outside the main thread, where there are no signals, it is told of when it is over.
    """
    if math.isinf(seconds):
        yield
        return
    began, message = time.monotonic(), f"{what} took longer than {seconds:g} s"

    def over(number: int, frame: Any) -> None:
        raise ValueError(message)

    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, over) if in_main else None
    if in_main:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        faulthandler.dump_traceback_later(seconds + GRACE_S, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        yield
    finally:
        if in_main:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            faulthandler.cancel_dump_traceback_later()
            signal.signal(signal.SIGALRM, before)
    if time.monotonic() - began > seconds:
        raise ValueError(message)
