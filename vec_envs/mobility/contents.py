"""Hashes of the files of somebody's own traffic, so that results are named by content and not by path."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from vec_envs.mobility.recording import find_recording, recording_names
from vec_envs.mobility.scenario import Scenario, scenario_names


def hash_of_traffic(mobility: str, scenario: str | Path) -> str | None:
    """Returns a hash of the files of a scenario, recording or converted trace of somebody's own.

    The names of the files and their folder have no effect. None for a shipped one, and for mobilities without files.

    Raises:
        ValueError: There is no such scenario or recording.
        OSError: A file cannot be read.
    """
    if mobility == "sumo" and str(scenario) not in scenario_names():
        loaded = Scenario.load(scenario)
        toml = Path(scenario) / "scenario.toml"
        return hash_of_files((toml, loaded.net_file, *loaded.route_files, *loaded.additional_files))
    if mobility in ("replay", "trace") and str(scenario) not in recording_names():
        return hash_of_files((find_recording(scenario),))
    return None


def hash_of_files(paths: Sequence[Path]) -> str:
    """Returns a hash of the contents of files, in this order. Raises `OSError` where one cannot be read."""
    digest = hashlib.sha256()
    for path in paths:
        state = path.stat()
        digest.update(_hash_of(path.absolute(), state.st_mtime_ns, state.st_size))
    return digest.hexdigest()[:16]


@cache
def _hash_of(path: Path, changed_ns: int, size: int) -> bytes:
    """Returns the hash of a file, which is read again where its time or size has changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
