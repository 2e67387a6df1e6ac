"""Why a SUMO worker ended, in words for its user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

EVENTS = Path("/proc/vmstat")
SIGNAL_BASE = 128
"""A worker ends with this number and a signal's added where the signal ended SUMO's program."""


@dataclass(frozen=True, kw_only=True)
class Death:
    """The end of a worker: the reason, and what to do about it."""

    reason: str
    advice: str = ""


def death_of(status: int | None, out_of_memory_before: int | None) -> Death:
    """Returns the death of a worker that ended with this exit status, killed by nobody here.

    Args:
        status: The exit status as `subprocess` gives it, `None` where the process is unknown.
        out_of_memory_before: What `out_of_memory_kills` returned when the work began.
    """
    said = f"exit status {status}"
    if status in (-SIGKILL, SIGNAL_BASE + SIGKILL):
        kills = out_of_memory_kills()
        known = None not in (kills, out_of_memory_before) and kills != out_of_memory_before
        how = "the system ended it for lack of memory" if known else "the system probably ended it for lack of memory"
        return Death(reason=f"{said}: {how}", advice="; use fewer workers, or end other programs")
    crashed = status is not None and (status < 0 or status > SIGNAL_BASE)
    return Death(reason=said, advice="; SUMO crashes on damaged files" if crashed else "")


def death_of_silence(answer_timeout_s: float) -> Death:
    """Returns the death of a worker that was killed because it did not answer in time."""
    return Death(
        reason=f"killed after no answer within answer_timeout_s={answer_timeout_s:g}",
        advice="; set answer_timeout_s higher where the simulation of an episode takes longer",
    )


def out_of_memory_kills() -> int | None:
    """Returns how many processes Linux has ended for lack of memory since it started, `None` where it does not say."""
    try:
        counts = dict(line.split() for line in EVENTS.read_text(encoding="ascii").splitlines())
        return int(counts["oom_kill"])
    except (OSError, ValueError, KeyError):
        return None
