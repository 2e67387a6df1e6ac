"""The file of references: a line of JSON for each case, sorted by environment and case."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.jobs.plan import case_key
from benchmarks.references.find import TUNING_SEED, BlindReference, Budget, CaseReferences
from benchmarks.results.case_lines import rounded


def written(found: CaseReferences, budget: Budget) -> dict[str, Any]:
    """Returns the references of a case as JSON values."""
    case = found.case
    return {
        **case_key(case),
        "case": case.name,
        "tuning": {"seed": TUNING_SEED, "episodes": budget.tuning_episodes},
        "static": _blind(found.static, found.metric),
        "timetable": _blind(found.timetable, found.metric),
        "seer": {
            "budget_s": budget.seer_s,
            **{name: [rounded(episode[name]) for episode in found.seer] for name in found.seer[0]},
        },
    }


def _blind(blind: BlindReference, metric: str) -> dict[str, Any]:
    result = blind.result
    final = {name: [rounded(value) for value in values] for name, values in result.final.items()}
    return {
        "table": np.round(blind.table, 4).tolist(),
        "grows": result.grows,
        metric: [rounded(value) for value in result.mean],
        "final": final,
        "cpu_s": rounded(blind.cpu_s),
    }


def shown(found: CaseReferences) -> str:
    """Returns a table of the values of a case."""
    rows = [(f"{blind.name} ({len(blind.table)} rows)", blind.result) for blind in (found.static, found.timetable)]
    rows += [(play.name, play) for play in found.others]
    lines = [f"{found.case.env_id}, {found.case.name}: mean {found.metric}, and whether a queue grows"]
    count = len(found.seer)
    for name, play in sorted(rows, key=lambda row: row[1].mean[:count].mean()):
        lines.append(f"  {name:28} {play.mean[:count].mean():10.4f}  {'grows' if play.grows else ''}")
    seer = np.array([episode[found.metric] for episode in found.seer])
    return "\n".join([*lines, f"  {'seer':28} {seer.mean():10.4f}  {count} episodes"])
