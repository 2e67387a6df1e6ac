"""The stored references of cases: blind tables, and the values of the seer.

`python -m benchmarks.references find` finds them and writes them as lines of JSON, one for each case (`case_lines`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.results.case_lines import line_of

STORE = Path(__file__).parents[1] / "references" / "found.jsonl"
"""The references of the project's own cases."""
BLIND = ("static", "timetable")
"""The names of blind policies: a table of one row, and a table of several."""


@dataclass(frozen=True, kw_only=True)
class StoredReferences:
    """The blind tables of a case, and the values of its seer."""

    metric: str
    """The metric that was minimised."""
    tables: Mapping[str, list[Any]]
    """Name of a blind policy -> its table of actions, row by row."""
    seer: tuple[float, ...]
    """The metric that the seer reaches in each episode."""


def stored_references(path: str, **case: Any) -> StoredReferences | None:
    """Returns the references of a case; None where the file has none.

    Args:
        path: The file of references; "" for the project's own.
        case: The fields that tell cases apart, `case_lines.KEY`.
    """
    line = line_of(Path(path) if path else STORE, **case)
    if line is None:
        return None
    tables = {name: line[name]["table"] for name in BLIND}
    return StoredReferences(metric=line["metric"], tables=tables, seer=tuple(line["seer"][line["metric"]]))
