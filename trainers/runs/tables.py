"""The table that compares a learned policy with the reference policies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

UNITS = ("s", "j", "w", "m", "ghz", "gcycles", "mbit", "mbps", "gb")
"""Units with which the name of a metric can end."""


def print_table(evaluation: Mapping[str, Any]) -> None:
    """Prints a row for the learned policy and for each reference, ordered by the problem's first metric.

    Args:
        evaluation: The content of `evaluation.json`, as `trainers.loop.evaluation.evaluate_run` returns it.
    """
    references, to_beat = evaluation["references"], evaluation["to_beat"]
    reported: Sequence[Mapping[str, Any]] = evaluation["reported"]
    baseline = references.get(to_beat)
    rows = {**references, f"{evaluation['policy']} ({evaluation['preset']})": evaluation}
    lines = [table_head(reported, with_ratio=baseline is not None)]
    for name, row in sorted(rows.items(), key=lambda item: rank_value(reported, item[1])):
        cells = [shown(row[key], unit) for _, key, unit in columns(reported)]
        if baseline is not None:
            cells.insert(1, _ratio(rank_value(reported, row), rank_value(reported, baseline)))
        lines.append([name, *cells, shown(row["return_mean"]), f"{row['decision_ms_p50']:.2f} ms"])
    episodes, seed = evaluation["episodes"], evaluation["seed"]
    print(f"\n{episodes} held-out episodes from seed {seed}: means per decision of all agents")
    if baseline is not None:
        print(f"ratio: {label(reported[0]['name'])} to that of {to_beat}")
    elif not to_beat:
        print("This problem has no reference policies to compare with.")
    print_aligned(lines)


def table_head(reported: Sequence[Mapping[str, Any]], *, with_ratio: bool) -> list[str]:
    """Returns the column heads."""
    heads = [head for head, _, _ in columns(reported)]
    if with_ratio:
        heads.insert(1, "ratio")
    return ["policy", *heads, "return", "decision"]


def columns(reported: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Returns the head, the key in `evaluation.json` and the unit of each metric column."""
    found: list[tuple[str, str, str]] = []
    for metric in reported:
        name, head = metric["name"], label(metric["name"])
        found.append((head, f"{name}_mean", metric["unit"]))
        if metric["final"]:
            found.append((f"final {head}", f"{name}_final", metric["unit"]))
    return found


def label(name: str) -> str:
    """Returns a metric's name as words, without its unit."""
    words = name.split("_")
    return " ".join(words[:-1] if len(words) > 1 and words[-1] in UNITS else words)


def shown(value: float, unit: str = "") -> str:
    """Returns a number with about four digits, followed by its unit."""
    digits = 3 - math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 2
    return f"{value:.{min(max(digits, 0), 4)}f} {unit}".rstrip()


def rank_value(reported: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> float:
    """Returns the number by which policies are ordered; less is better."""
    return row[f"{reported[0]['name']}_mean"] if reported else -row["return_mean"]


def _ratio(value: float, baseline: float) -> str:
    return f"{value / baseline:.2f}" if baseline else "-"


def print_aligned(lines: Sequence[Sequence[str]]) -> None:
    """Prints lines of cells as columns, the first one aligned to the left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for name, *cells in lines:
        print(name.ljust(widths[0]) + "".join(f"  {c:>{w}}" for c, w in zip(cells, widths[1:], strict=True)))
