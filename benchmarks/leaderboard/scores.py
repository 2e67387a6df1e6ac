"""Normalised scores, and what rliable makes of them.

A score is 0 for the random policy and 1 for the exact optimum, or where there is none the best reference whose queue
does not grow; in between it goes by the logarithm of the figure, since the random policy may be twenty or a hundred
times worse than the best: on a straight scale all that is of interest would be above 0.95. All policies of a case play
the same episodes. A *run* is a training seed: the episodes of a case are fixed, so a policy without learning has one
run. Intervals are rliable's stratified bootstrap over runs.
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
from benchmarks.reports.policy_results import Line as Played
from benchmarks.results.result import Result
from benchmarks.results.statistics import Estimate, estimate
from benchmarks.suites.suite import Case, Reference

Runs = Mapping[str, Float[np.ndarray, "runs cases"]]
RESAMPLES = 2_000
THRESHOLDS = tuple(float(x) for x in np.round(np.linspace(0.0, 1.1, 56), 3))
GROWS_BY = 0.5
"""A queue grows whose slope, with the lower end of its interval over the episodes, adds more than this part of its mean
over the points that the slope is of: one that grows steadily from nothing adds 1.33, one that has settled nothing."""
MEASURED_PART = 2.0 / 3.0
"""The part of an episode's points that a trend is of."""


class NoRliable(ImportError):
    """The extra of the leaderboard is not installed."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What is 0 and what is 1 on a case, by its first figure."""

    figure: str
    zero: Estimate
    one: Estimate
    best: str
    """The reference that is 1."""

    def score(self, value: Any) -> Any:
        """Returns the score of a value of the figure, or of many: of what is above 0, and better the less it is."""
        return np.log(self.zero.value / value) / np.log(self.zero.value / self.one.value)

    def interval(self, of: Estimate) -> Interval:
        """Returns the score of an estimate, with its interval, paired with 0 and 1 on the episodes."""
        zero, one, draws = (_above_0(estimate) for estimate in (self.zero, self.one, of))
        low, high = np.percentile(np.log(zero / draws) / np.log(zero / one), (2.5, 97.5))
        return float(self.score(of.value)), float(low), float(high)


def _above_0(of: Estimate) -> Float[np.ndarray, "resamples"]:
    """Returns an estimate's draws; widened as they are, one of them might be below 0."""
    return np.maximum(of.draws, 0.01 * of.value)


def scale_of(case: Case, lines: Mapping[str, Played]) -> Scale:
    """Returns a case's scale. Raises `ValueError` where the random policy or any that could be 1 lacks its result."""
    if "random" not in lines:
        raise ValueError(f"the case {case.name!r} has no result of the random policy, which is 0")
    figure = lines["random"].found[0].ranked_by
    references = [policy.name for policy in case.policies if isinstance(policy, Reference)]
    if lacking := [name for name in case.optima or references if name not in lines]:
        raise ValueError(f"the case {case.name!r} has no result of {', '.join(lacking)}: one of these may be 1")
    settled = [name for name in references if name in lines and not grows(case, lines[name])]
    names = [name for name in settled if name in case.optima] or settled
    if not names:
        raise ValueError(f"on the case {case.name!r} no reference's queue settles: none can be 1")
    best = min(names, key=lambda name: lines[name].mean(figure).value)
    zero, one = lines["random"].mean(figure), lines[best].mean(figure)
    if one.value >= zero.value:
        raise ValueError(f"on the case {case.name!r} the random policy is as good as {best}")
    return Scale(figure=figure, zero=zero, one=one, best=best)


def is_reference(line: Played) -> bool:
    """Returns whether a line is of a policy without learning that is the project's."""
    return "reference" in line.found[0].definition["policy"]


def grows(case: Case, line: Played) -> bool:
    """Returns whether a queue of a case still grows under a policy: whether one does in any of its runs."""
    return any(run_grows(queue, result) for queue in case.queues for result in line.found)


def run_grows(queue: str, result: Result) -> bool:
    """Returns whether a queue still grows in the episodes of one run."""
    slopes, points = result.values[f"trend_{queue}"], MEASURED_PART * result.decisions.mean()
    low, _ = estimate(slopes[None], name=queue).interval
    return bool(low * points > GROWS_BY * result.values[queue].mean())


def run_scores(scale: Scale, line: Played) -> Float[np.ndarray, "runs"]:
    """Returns the score of each training seed."""
    return scale.score(line.values(scale.figure).mean(axis=1))


def interval(of: Estimate) -> Interval:
    """Returns an estimate as the board has it."""
    return (of.value, *of.interval)


def regret(line: Played, best: Played, figure: str) -> Interval:
    """Returns by how much a policy's figure is above the optimum's, paired on the episodes."""
    return interval(line.mean(figure) - best.mean(figure))


# By rliable -----------------------------------------------------------------------------------------------------------


def aggregates(runs: Runs) -> dict[str, dict[str, Interval]]:
    """Returns interquartile mean, mean and optimality gap of each policy.

    A policy with one run has it as often as others have runs: which scores an interquartile mean leaves out would
    depend on their number otherwise.
    """
    most = max(map(len, runs.values()), default=1)
    runs = {name: np.repeat(of, most, axis=0) if len(of) == 1 else of for name, of in runs.items()}
    metrics = _rliable("metrics")
    functions = {
        "iqm": metrics.aggregate_iqm,
        "mean": metrics.aggregate_mean,
        "optimality_gap": metrics.aggregate_optimality_gap,
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
    """Returns rliable's `probability_of_improvement`, without the test that it takes it from: much faster."""
    above = (x[:, None] > y).mean(axis=(0, 1)) + 0.5 * (x[:, None] == y).mean(axis=(0, 1))
    return np.array([above.mean()])


def profiles(runs: Runs, thresholds: Sequence[float] = THRESHOLDS) -> tuple[Line, ...]:
    """Returns performance profiles: the part of a policy's runs whose score is above each threshold."""
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
    """Returns rliable's point and interval estimates, of which those of single runs are the points."""
    library = _rliable("library")
    with _seeded(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # rliable seeds its bootstrap in a way that arch will give up
        return library.get_interval_estimates(
            runs, function, reps=int(part * RESAMPLES), random_state=np.random.RandomState(0)
        )


@contextlib.contextmanager
def _seeded() -> Generator[None, None, None]:
    """Seeds numpy's global numbers for a while: rliable draws from them, whatever random state it is given."""
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
