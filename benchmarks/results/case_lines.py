"""Files of lines of JSON, one for each case, sorted by environment and case.

A case is known by its environment and the options of it, so that cases of several suites share a line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DIGITS = 6
"""The significant digits of the values."""


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Returns the cases of a file; none where there is no file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def store(path: Path, case: Mapping[str, Any]) -> None:
    """Writes a case into a file, in place of its earlier line."""
    others = [line for line in lines_of(path) if (line["env_id"], line["env"]) != (case["env_id"], case["env"])]
    text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in sorted([*others, case], key=_order))
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def rounded(value: float) -> float:
    """Returns a value with the digits that the files keep."""
    return float(f"{value:.{DIGITS}g}")


def _order(case: Mapping[str, Any]) -> tuple[str, str]:
    return case["env_id"], case["case"]
