"""Normalised scores, and their statistics by rliable.

A score is 0 for the random policy and 1 for the exact optimum. Where a case has no exact optimum, 1 is the best
reference whose queue does not grow. In between, a score is linear in the logarithm of the first metric: the random
policy may be a hundred times worse than the best, and a linear score of all other policies would be above 0.95.

All policies of a case play the same episodes. A *run* is a training seed. The episodes of a case are fixed, so a policy
that does not train has one run. Intervals are rliable's stratified bootstrap over runs.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from jaxtyping import Float

from benchmarks.leaderboard.schema import Interval, Line
from benchmarks.reports.policy_results import PolicyResults
from benchmarks.results import statistics
from benchmarks.results.result import Result
from benchmarks.results.statistics import Estimate, estimate
from benchmarks.suites.suite import Case, Reference

Runs = Mapping[str, Float[np.ndarray, "runs cases"]]
RANDOM = "random"
"""The reference whose score is 0."""
RESAMPLES = 2_000
THRESHOLDS = tuple(float(x) for x in np.round(np.linspace(0.0, 1.1, 56), 3))


class NoRliable(ImportError):
    """The extra `leaderboard` is not installed."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The values of the first metric that are the scores 0 and 1 on a case."""

    metric: str
    zero: Estimate
    one: Estimate
    best: str
    """The reference whose score is 1."""

    def score(self, value: Any) -> Any:
        """Returns the score of values of the metric, which are above 0; less is better."""
        return np.log(self.zero.value / value) / np.log(self.zero.value / self.one.value)

    def interval(self, of: Estimate) -> Interval:
        """Returns the score of an estimate with its interval; the estimates of scores 0 and 1 use the same episodes."""
        zero, one, draws = (_above_0(estimate) for estimate in (self.zero, self.one, of))
        low, high = np.percentile(np.log(zero / draws) / np.log(zero / one), (2.5, 97.5))
        return float(self.score(of.value)), float(low), float(high)


def _above_0(of: Estimate) -> Float[np.ndarray, "resamples"]:
    """Returns an estimate's draws, clipped at 1 % of its value, because widened draws may be negative."""
    return np.maximum(of.draws, 0.01 * of.value)


def can_be_scored(cases: Sequence[Case]) -> bool:
    """Returns whether cases of a track list what scores need: the random policy and another reference."""
    policies = [policy for case in cases for policy in case.policies]
    names = {policy.name for policy in policies if isinstance(policy, Reference)}
    return RANDOM in names and len(names) > 1


def scale_of(case: Case, found: Mapping[str, PolicyResults]) -> Scale:
    """Returns a case's scale.

    Raises `ValueError` where the random policy, or a reference whose score may be 1, has no result.
    """
    if RANDOM not in found:
        raise ValueError(f"the case {case.name!r} has no result of the random policy, whose score is 0")
    metric = found[RANDOM].ranked_by
    references = [policy.name for policy in case.policies if isinstance(policy, Reference)]
    if missing := [name for name in case.optima or references if name not in found]:
        raise ValueError(f"the case {case.name!r} has no result of {', '.join(missing)}, whose score may be 1")
    settled = [name for name in references if name in found and not grows(case, found[name])]
    names = [name for name in settled if name in case.optima] or settled
    if not names:
        raise ValueError(f"on the case {case.name!r} the queues of all references grow: none can have the score 1")
    best = min(names, key=lambda name: found[name].mean(metric).value)
    zero, one = found[RANDOM].mean(metric), found[best].mean(metric)
    if one.value >= zero.value:
        raise ValueError(f"on the case {case.name!r} the random policy is as good as {best}")
    return Scale(metric=metric, zero=zero, one=one, best=best)


def is_reference(results: PolicyResults) -> bool:
    """Returns whether results are those of a reference policy."""
    return "reference" in results.found[0].definition["policy"]


def grows(case: Case, results: PolicyResults) -> bool:
    """Returns whether a queue of the case grows, judged on all runs of a policy together (`statistics.grows`)."""
    return any(results.grows(queue) for queue in case.queues)


def run_grows(queue: str, result: Result) -> bool:
    """Returns whether a queue grows in the episodes of one run."""
    slope = estimate(result.values[f"trend_{queue}"][None], name=queue)
    mean, epochs = float(result.values[queue].mean()), float(result.decisions.mean())
    return statistics.grows(slope, mean=mean, epochs=epochs)


def run_scores(scale: Scale, results: PolicyResults) -> Float[np.ndarray, "runs"]:
    """Returns the score of each training seed."""
    return scale.score(results.values(scale.metric).mean(axis=1))


def interval(of: Estimate) -> Interval:
    """Returns an estimate's value and the ends of its interval."""
    return (of.value, *of.interval)


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """Returns the mean of estimates, such as those of several cases."""
    return Estimate(
        value=float(np.mean([estimate.value for estimate in estimates])),
        draws=np.mean([estimate.draws for estimate in estimates], axis=0),
    )


def regret(results: PolicyResults, best: PolicyResults, metric: str) -> Interval:
    """Returns a policy's metric minus that of the exact optimum, paired on the episodes."""
    return interval(results.mean(metric) - best.mean(metric))


# Statistics of rliable ------------------------------------------------------------------------------------------------


def aggregates(runs: Runs) -> dict[str, dict[str, Interval]]:
    """Returns the interquartile mean, the mean and the optimality gap of each policy.

    If a policy has a single run, the run is repeated until all policies have equally many. Otherwise the number of runs
    would decide which scores the interquartile mean leaves out.
    """
    most = max(map(len, runs.values()), default=1)
    runs = {name: np.repeat(of, most, axis=0) if len(of) == 1 else of for name, of in runs.items()}
    rliable_metrics = _rliable("metrics")
    functions = {
        "iqm": rliable_metrics.aggregate_iqm,
        "mean": rliable_metrics.aggregate_mean,
        "optimality_gap": rliable_metrics.aggregate_optimality_gap,
    }

    def all_of(scores: np.ndarray) -> np.ndarray:
        return np.array([of(scores) for of in functions.values()])

    values, intervals = _estimates(runs, all_of)
    return {
        name: {metric: _triple(values[name], intervals[name], i) for i, metric in enumerate(functions)} for name in runs
    }


def improvements(runs: Runs) -> dict[tuple[str, str], Interval]:
    """Returns the probability that one policy's run beats another's, on a case drawn at random; a tie is half a win."""
    pairs = {pair: [runs[pair[0]], runs[pair[1]]] for pair in permutations(runs, 2)}
    values, intervals = _estimates(pairs, _wins, part=0.25)
    return {pair: _triple(values[pair], intervals[pair], 0) for pair in pairs}


def _wins(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the value of rliable's `probability_of_improvement`, without its slow Mann-Whitney test."""
    above = (x[:, None] > y).mean(axis=(0, 1)) + 0.5 * (x[:, None] == y).mean(axis=(0, 1))
    return np.array([above.mean()])


def profiles(runs: Runs, thresholds: Sequence[float] = THRESHOLDS) -> tuple[Line, ...]:
    """Returns performance profiles: the share of a policy's runs with a score above each threshold."""
    taus = np.array(thresholds)

    def above(scores: np.ndarray) -> np.ndarray:
        return (scores[..., None] > taus).mean(axis=(0, 1))

    values, intervals = _estimates(runs, above, part=0.25)
    return tuple(
        Line(
            name=name,
            x=tuple(thresholds),
            value=_short(values[name]),
            low=_short(intervals[name][0]),
            high=_short(intervals[name][1]),
        )
        for name in runs
    )


def _estimates(
    runs: Mapping[Any, Any], function: Callable[..., np.ndarray], part: float = 1.0
) -> tuple[dict[Any, np.ndarray], dict[Any, np.ndarray]]:
    """Returns rliable's point and interval estimates; the interval of a single run is its point."""
    library = _rliable("library")
    with _seeded(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # rliable seeds its bootstrap in a deprecated way
        return library.get_interval_estimates(
            runs, function, reps=int(part * RESAMPLES), random_state=np.random.RandomState(0)
        )


@contextlib.contextmanager
def _seeded() -> Generator[None, None, None]:
    """Seeds numpy's global random numbers for a while: rliable draws from them despite its `random_state` argument."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _rliable(part: str) -> Any:
    """Returns a module of rliable. Raises `NoRliable` naming the extra where it is missing."""
    try:
        from rliable import library, metrics
    except ImportError as error:
        raise NoRliable('statistics need rliable: pip install "vec-envs[leaderboard]"') from error
    return {"library": library, "metrics": metrics}[part]


def _triple(values: np.ndarray, intervals: np.ndarray, at: int) -> Interval:
    return float(values[at]), float(intervals[0, at]), float(intervals[1, at])


def _short(of: np.ndarray) -> tuple[float, ...]:
    return tuple(float(x) for x in np.round(of, 4))
