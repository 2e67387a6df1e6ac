"""What made the traffic of an episode: the version of SUMO that simulated it, or the trace that was measured.

The traffic of a seed depends on the version of SUMO. The version is that of the simulator that runs, which a worker
process is asked for: the version of the installed package can be another one.
"""

from __future__ import annotations

import re
import subprocess
import warnings
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args

from vec_envs.files import MOST_TEXT_BYTES, parse_json, read_arrays
from vec_envs.mobility.recording import MOST_BYTES, find_recording
from vec_envs.mobility.sumo import SumoBackend
from vec_envs.mobility.sumo_pool import worker_command

SUMO, TRACE = "sumo", "trace"
"""The entries of a recording's `origin`: the version of SUMO that ran, or the name of the converted file."""
ANSWER_S = 120.0
"""How long the simulator may take to say its version."""
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,39}", re.ASCII)


@cache
def sumo_version(sumo_backend: str = "libsumo") -> str | None:
    """Returns the version of the SUMO that a backend runs, such as "1.28.0"; None where it cannot run."""
    command = worker_command("version", sumo_backend)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return None
    return _version(done.stdout.strip())


def origin_of_recording(path: Path) -> dict[str, str]:
    """Returns what made a recording, `{"sumo": VERSION}` or `{"trace": FILE}`; empty where the file does not say."""
    try:
        header = read_arrays(path, ("header",), most_bytes=MOST_BYTES, most_unpacked_bytes=MOST_BYTES)["header"]
        if header.shape != () or header.nbytes > MOST_TEXT_BYTES:
            return {}
        found: Any = parse_json(str(header)).get("origin", {})
        entries = cast(dict[str, Any], found)
        known = {name: entries[name] for name in (SUMO, TRACE) if isinstance(entries.get(name), str)}
    except (OSError, KeyError, ValueError, AttributeError):
        return {}
    if SUMO in known and _version(known[SUMO]) is None:
        del known[SUMO]
    return {name: text[:200] for name, text in known.items()}


def version_of_traffic(mobility: str, scenario: str | Path, sumo_backend: str = "libsumo") -> str | None:
    """Returns the version of SUMO that simulates, or simulated, the traffic of these options; None if it is unknown."""
    if mobility == "sumo" and sumo_backend in get_args(SumoBackend):
        return sumo_version(sumo_backend)
    if mobility in ("replay", "trace"):
        try:
            return origin_of_recording(find_recording(scenario)).get(SUMO)
        except (OSError, TypeError, ValueError):
            return None
    return None


def other_version(made_by: object, now: str | None, what: str) -> str:
    """Returns a warning if traffic was simulated by another version of SUMO than the present one; "" otherwise."""
    if not isinstance(made_by, str) or now is None or made_by == now:
        return ""
    made_by = made_by[:40]
    return (
        f"{what} has traffic of SUMO {made_by}, but traffic here is of SUMO {now}: equal seeds give other traffic, so "
        f"the two cannot be compared; install libsumo=={made_by} for equal traffic"
    )


def warn_of_other_version(made_by: object, now: str | None, what: str) -> None:
    """Issues a `RuntimeWarning` where `other_version` has a sentence."""
    if sentence := other_version(made_by, now, what):
        warnings.warn(sentence, RuntimeWarning, stacklevel=2)  # one line for all callers, so that it is shown once


def _version(text: str) -> str | None:
    """Returns the version in an answer of SUMO, such as "SUMO 1.28.0"; None where there is none."""
    name = text.rpartition(" ")[2].removeprefix("v")
    return name if _VERSION.fullmatch(name) else None
