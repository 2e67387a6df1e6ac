"""Warnings where results have traffic of different versions of SUMO, and so cannot be compared."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from typing import Any

from benchmarks.results.provenance import traffic_version
from benchmarks.results.result import Result


def warn_of_other_sumo(found: Iterable[Result]) -> None:
    """Issues one `RuntimeWarning` where results have traffic of another version of SUMO than a new job would have."""
    others: Counter[tuple[str, str]] = Counter()
    for result in found:
        said, env = sumo_of(result), result.definition["evaluation"]["env"]
        now = None if said is None else traffic_version(env)
        if said is not None and now not in (None, said):
            others[said, str(now)] += 1
    if others:
        (said, now), _ = others.most_common(1)[0]
        have = "result has" if others.total() == 1 else "results have"
        warnings.warn(
            f"{others.total()} {have} traffic of SUMO {said}, but the traffic here is of SUMO {now}: equal seeds "
            f"give other traffic. Install libsumo=={said}, or choose another --output and run all policies again",
            RuntimeWarning,
            stacklevel=2,
        )


def warn_of_mixed_sumo(found: Iterable[Result]) -> None:
    """Issues one `RuntimeWarning` where results have traffic of several versions of SUMO."""
    versions = Counter(said for result in found if (said := sumo_of(result)) is not None)
    if len(versions) > 1:
        words = ", ".join(f"{number} of SUMO {said}" for said, number in sorted(versions.items()))
        warnings.warn(
            f"the results have traffic of several versions of SUMO ({words}): equal seeds give other traffic, so their "
            "differences are not those of policies alone",
            RuntimeWarning,
            stacklevel=2,
        )


def sumo_of(result: Result) -> str | None:
    """Returns the version of SUMO that a result names as that of its traffic; None where it names none."""
    versions = result.provenance.get("versions")
    said: Any = versions.get("sumo") if isinstance(versions, dict) else None
    return said[:40] if isinstance(said, str) else None
