"""The parsers of files under mutated inputs, in a process whose memory and time are limited."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fuzz import run
from tests.fuzz.parsers import PARSERS
from tests.fuzz.run import MEMORY_BYTES, outcome_of
from tests.waiting import LIMIT_S

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_parser_accepts_or_refuses_every_input() -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", "--inputs", "3000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20 * LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == len(PARSERS)
    assert "accepted" in done.stdout


def read_by(parse: Callable[[Path], str | None]) -> str:
    """Returns the outcome of a parser that refuses files by `ValueError`."""
    return outcome_of(replace(PARSERS["profile"], parse=parse), b"{}")


def refuse(_: Path) -> str:
    raise ValueError("it is refused")


def fail(_: Path) -> str:
    raise KeyError("name")


def never_end(_: Path) -> str:
    while True:
        pass


def take_memory(_: Path) -> str:
    return str(len(bytearray(2 * MEMORY_BYTES)))


def test_a_parser_that_costs_too_much_or_fails_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_by(lambda folder: None) == "accepted"
    assert read_by(refuse) == "ValueError"
    with pytest.raises(KeyError):
        read_by(fail)
    with pytest.raises(MemoryError):
        read_by(take_memory)
    monkeypatch.setattr(run, "CPU_S", 0.1)
    with pytest.raises(AssertionError, match=r"took more than 0.1 s of CPU time"):
        read_by(never_end)
