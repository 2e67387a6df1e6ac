"""The answers of a SUMO worker, read from its pipe within a time limit."""

from __future__ import annotations

import os
import select
import time
from typing import BinaryIO

LONGEST_WAIT_S = 3600.0
"""The longest single wait for an answer; `poll` counts milliseconds in a C integer."""


class WorkerDied(Exception):
    """The process ended before it answered."""


class NoAnswerInTime(Exception):
    """The process runs, but has not answered in time."""


class Answer:
    """The bytes of one answer, read from a pipe until a deadline.

    `line` and `numbers` raise `WorkerDied` where the pipe ends, and `NoAnswerInTime` at the deadline.
    """

    def __init__(self, pipe: BinaryIO, timeout_s: float) -> None:
        self._file, self._held = pipe.fileno(), bytearray()
        self._deadline_s = time.monotonic() + timeout_s
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)

    def line(self) -> bytes:
        """Returns the first line."""
        while (end := self._held.find(b"\n")) < 0:
            self._read()
        return self._take(end + 1)

    def numbers(self, size: int) -> bytes:
        """Returns the next bytes, `size` of them."""
        while len(self._held) < size:
            self._read()
        return self._take(size)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken

    def _read(self) -> None:
        """Waits for bytes and reads them. Bytes that are there are read after the deadline too."""
        while not self._poll.poll(1000.0 * min(max(0.0, self._deadline_s - time.monotonic()), LONGEST_WAIT_S)):
            if time.monotonic() >= self._deadline_s:
                raise NoAnswerInTime
        read = os.read(self._file, 1 << 20)
        if not read:
            raise WorkerDied
        self._held += read
