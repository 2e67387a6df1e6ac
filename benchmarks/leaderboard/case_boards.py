"""The table of a case: its policies with their scores and metrics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.jobs.plan import options_of, problem_of
from benchmarks.leaderboard.case_results import CaseResults
from benchmarks.leaderboard.schema import CaseBoard, Head, Interval, Row
from benchmarks.leaderboard.scores import Scale, grows, interval, regret, run_scores
from benchmarks.reports.policy_results import DECISIONS, PolicyResults
from benchmarks.reports.tables import unit_of
from benchmarks.results.result import Result
from trainers.runs.tables import label


def case_board(results: CaseResults, scale: Scale | None) -> CaseBoard:
    """Returns the table of a case.

    Args:
        results: The results on the case, of one policy at least.
        scale: The scale of its scores; None where the track has no references. Rows are then ordered by the metric.
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
        best="" if scale is None else scale.best,
        episodes=case.episodes,
        seed=case.seed,
        options={name: value for name, value in options.items() if value != defaults.get(name)},
        heads=tuple(head_of(name) for name in metrics),
        rows=tuple(sorted(rows, key=lambda row: -row.score[0] if row.score else row.metrics[metrics[0]][0])),
    )


def head_of(metric: str) -> Head:
    """Returns the head of a metric's column."""
    return Head(name=metric, label=label(metric), unit=unit_of(metric))


def decision_ms(found: Sequence[Result]) -> float | None:
    """Returns the median decision time over results in milliseconds; None where no result has one."""
    times = [result.decision_ms for result in found if result.decision_ms is not None]
    return float(np.median(times)) if times else None


def _row(results: CaseResults, of_policy: PolicyResults, scale: Scale | None, metrics: Sequence[str]) -> Row:
    means = {name: of_policy.mean(name) for name in metrics if of_policy.has(name)}
    score: Interval | None = None
    regret_of: Interval | None = None
    if scale is not None:
        _, low, high = scale.interval(means[scale.metric])
        score = float(run_scores(scale, of_policy).mean()), low, high
        if results.case.optima:
            regret_of = regret(of_policy, results.found[scale.best], scale.metric)
    return Row(
        policy=of_policy.policy,
        seeds=len(of_policy.found),
        complete=len(of_policy.found) == len(of_policy.expected),
        score=score,
        regret=regret_of,
        growing=grows(results.case, of_policy),
        decision_ms=decision_ms(of_policy.found),
        metrics={name: interval(mean) for name, mean in means.items()},
    )
