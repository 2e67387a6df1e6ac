"""Files of lines of JSON, one for each case, sorted by environment and case.

A case is identified by the fields of `KEY` and not by its name, so cases of several suites share a line.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

KEY = ("env_id", "env", "metric", "seed")
"""The fields that tell cases apart: the environment and its options, the metric, and the seed of the first episode."""
DIGITS = 6
"""The significant digits of the values."""


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Returns the cases of a file; none where there is no file. Raises `ValueError` for a line that is no JSON."""
    if not path.exists():
        return []
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            lines.append(json.loads(text))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    return lines


def line_of(path: Path, **case: Any) -> dict[str, Any] | None:
    """Returns the line of the case with these values of the fields `KEY`; None where there is none."""
    return next((line for line in lines_of(path) if all(line[name] == case[name] for name in KEY)), None)


def store(path: Path, case: Mapping[str, Any]) -> None:
    """Writes a case into a file, in place of its earlier line. Processes that write at once wait for each other."""
    with _locked(path.parent):
        others = [line for line in lines_of(path) if any(line[name] != case[name] for name in KEY)]
        text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in sorted([*others, case], key=_order))
        part = path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)


@contextlib.contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Holds a lock on a folder among the processes that write cases into it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def rounded(value: float) -> float:
    """Returns a value with the digits that the files keep."""
    return float(f"{value:.{DIGITS}g}")


def _order(case: Mapping[str, Any]) -> tuple[str, str]:
    return case["env_id"], case["case"]
