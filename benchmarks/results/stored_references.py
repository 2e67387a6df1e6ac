"""The stored references of cases: blind tables, and the values of the seer.

`python -m benchmarks.references find` finds them and writes them as lines of JSON, one for each case. A case is found
by its environment and its options, so cases of several suites share a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.results.case_lines import lines_of

STORE = Path(__file__).parents[1] / "references" / "found.jsonl"
"""The references of the project's own cases."""
BLIND = ("static", "timetable")
"""The names of blind policies: a table of one row, and a table of several."""


@dataclass(frozen=True, kw_only=True)
class StoredReferences:
    """The references of a case."""

    metric: str
    """The metric that was minimised."""
    tables: Mapping[str, list[Any]]
    """Name of a blind policy -> its table of actions, row by row."""
    seed: int
    """The seed of the seer's first episode; the others follow it."""
    seer: tuple[float, ...]
    """The metric that the seer reaches in each episode."""


def stored_references(env_id: str, options: Mapping[str, Any], path: str = "") -> StoredReferences | None:
    """Returns the references of a case; None where the file has none.

    Args:
        env_id: The id of the environment.
        options: All options of the environment, as JSON has them.
        path: The file of references; "" for the project's own.
    """
    found = (line for line in _lines(Path(path) if path else STORE) if line["env_id"] == env_id)
    line = next((line for line in found if line["env"] == options), None)
    if line is None:
        return None
    metric, seer = line["metric"], line["seer"]
    tables = {name: line[name]["table"] for name in BLIND}
    return StoredReferences(metric=metric, tables=tables, seed=seer["seed"], seer=tuple(seer[metric]))


def _lines(path: Path) -> list[dict[str, Any]]:
    """Returns the lines of a file; none where there is no file. A file that has changed is read again."""
    return _read(path, path.stat().st_mtime_ns) if path.exists() else []


@cache
def _read(path: Path, changed_ns: int) -> list[dict[str, Any]]:
    return lines_of(path)
