"""The table of a case: its policies with their skill and metrics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.anatomy.report import STORE as ANATOMY
from benchmarks.jobs.plan import case_key, options_of, problem_of
from benchmarks.leaderboard.aggregates import interval
from benchmarks.leaderboard.case_results import CaseResults
from benchmarks.leaderboard.schema import CaseAnatomy, CaseBoard, Change, Head, Interval, Row
from benchmarks.leaderboard.skill import Scale, best_of, grows, run_skills
from benchmarks.reports.policy_results import DECISIONS, PolicyResults
from benchmarks.reports.tables import unit_of
from benchmarks.results.case_lines import line_of
from benchmarks.results.result import Result
from benchmarks.suites.suite import Case
from trainers.runs.tables import label


def case_board(results: CaseResults, scale: Scale | None) -> CaseBoard:
    """Returns the table of a case.

    Args:
        results: The results on the case, of one policy at least.
        scale: The scale of skill; None where the case's references are not known.

    Rows are sorted by the first metric, from which skill is computed.
    """
    case, found = results.case, results.found
    kept = next(iter(found.values())).kept
    metrics = [*kept.metrics, *(f"trend_{name}" for name in case.trends)]
    options = options_of(case.env_id, case.env)
    if problem_of(case.env_id, options).one_at_a_time:
        metrics.append(DECISIONS)
    rows = [_row(results, of_policy, scale, metrics) for of_policy in found.values()]
    defaults = options_of(case.env_id, {})
    return CaseBoard(
        name=case.name,
        title=case.name,
        unseen=case.unseen,
        ranked=scale is not None and scale.is_ranked,
        room=None if scale is None else scale.shown,
        anatomy=_anatomy(case),
        episodes=case.episodes,
        seed=case.seed,
        options={name: value for name, value in options.items() if value != defaults.get(name)},
        heads=tuple(head_of(name) for name in metrics),
        rows=tuple(sorted(rows, key=lambda row: row.metrics[metrics[0]][0])),
    )


def _anatomy(case: Case) -> CaseAnatomy | None:
    """Returns the measured changes of a case's metric, without shares of decisions; None where nothing was measured."""
    line = line_of(ANATOMY, **case_key(case))
    if line is None:
        return None
    changes = tuple(
        Change(
            name=row["name"],
            kind=row["kind"],
            percent=(row["percent"], row["low"], row["high"]),
            grows=row["grows"],
        )
        for row in line["rows"]
        if row["kind"] != "share"
    )
    return CaseAnatomy(policy=line["policy"], episodes=line["episodes"], changes=changes)


def head_of(metric: str) -> Head:
    """Returns the head of a metric's column."""
    return Head(name=metric, label=label(metric), unit=unit_of(metric))


def decision_ms(found: Sequence[Result]) -> float | None:
    """Returns the median decision time over results in milliseconds; None where no result has one."""
    times = [result.decision_ms for result in found if result.decision_ms is not None]
    return float(np.median(times)) if times else None


def _row(results: CaseResults, of_policy: PolicyResults, scale: Scale | None, metrics: Sequence[str]) -> Row:
    means = {name: of_policy.mean(name) for name in metrics if of_policy.has(name)}
    skill: Interval | None = None
    if scale is not None and scale.is_ranked:
        _, low, high = scale.interval(of_policy)
        skill = float(run_skills(scale, of_policy).mean()), low, high
    exact = best_of(results.case, [results.found[name] for name in results.case.optima if name in results.found])
    return Row(
        policy=of_policy.policy,
        seeds=len(of_policy.found),
        complete=len(of_policy.found) == len(of_policy.expected),
        skill=skill,
        regret=None if exact is None else interval(means[metrics[0]] - exact.mean(metrics[0])),
        growing=grows(results.case, of_policy),
        decision_ms=decision_ms(of_policy.found),
        metrics={name: interval(mean) for name, mean in means.items()},
    )
