"""Statistics over the runs of policies: aggregates of skill, performance profiles, probabilities of improvement.

A *run* is a training seed. One run plays all cases, so a resample draws whole runs, each with its values on all cases.
Few runs show too little of the variation between runs, so deviations are widened by `statistics.small_sample_factor`.
The episodes of a case are fixed, so a policy without training and without random numbers has one run, and its intervals
are points.

The aggregates are those of Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice (2021).
Differs: they resample the runs of each task on their own, and do not widen.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
from jaxtyping import Float
from scipy import stats

from benchmarks.leaderboard.schema import Interval, Line
from benchmarks.results.statistics import Estimate, small_sample_factor

Runs = Mapping[str, Float[np.ndarray, "runs cases"]]
RESAMPLES = 2_000
THRESHOLDS = tuple(float(x) for x in np.round(np.linspace(-1.0, 1.2, 89), 3))


def interval(of: Estimate) -> Interval:
    """Returns an estimate's value and the ends of its interval."""
    return (of.value, *of.interval)


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """Returns the mean of estimates, such as those of several cases."""
    return Estimate(
        value=float(np.mean([estimate.value for estimate in estimates])),
        draws=np.mean([estimate.draws for estimate in estimates], axis=0),
    )


def aggregates(runs: Runs) -> dict[str, dict[str, Interval]]:
    """Returns the mean, the interquartile mean and the optimality gap of each policy.

    If a policy has a single run, the run is repeated until all policies have equally many. Otherwise the number of runs
    would decide which values the interquartile mean leaves out.
    """
    most = max(map(len, runs.values()), default=1)
    return {name: _aggregates(name, np.repeat(of, most, axis=0) if len(of) == 1 else of) for name, of in runs.items()}


def _aggregates(name: str, runs: Float[np.ndarray, "runs cases"]) -> dict[str, Interval]:
    drawn = runs[_drawn(name, len(runs))].reshape(RESAMPLES, -1)
    flat = runs.reshape(1, -1)

    def gap(of: Float[np.ndarray, "resamples values"]) -> Float[np.ndarray, "resamples"]:
        return np.maximum(1.0 - of, 0.0).mean(axis=1)

    def iqm(of: Float[np.ndarray, "resamples values"]) -> Float[np.ndarray, "resamples"]:
        return stats.trim_mean(of, 0.25, axis=1)

    def mean(of: Float[np.ndarray, "resamples values"]) -> Float[np.ndarray, "resamples"]:
        return of.mean(axis=1)

    functions = {"mean": mean, "iqm": iqm, "optimality_gap": gap}
    found = {
        kind: _interval(float(of(flat)[0]), of(drawn), factor=small_sample_factor(len(runs)))
        for kind, of in functions.items()
    }
    value, low, high = found["optimality_gap"]
    return found | {"optimality_gap": (value, max(low, 0.0), high)}


def improvements(runs: Runs) -> dict[tuple[str, str], Interval]:
    """Returns the probability that one policy's run beats another's, on a case drawn at random; a tie is half a win."""
    weights = {name: _weights(name, len(of)) for name, of in runs.items()}
    found: dict[tuple[str, str], Interval] = {}
    for one, other in permutations(runs, 2):
        wins = _wins(runs[one], runs[other])
        drawn = ((weights[one] @ wins) * weights[other]).sum(axis=1)
        factor = max(map(small_sample_factor, wins.shape))
        value, low, high = _interval(float(wins.mean()), drawn, factor=factor)
        found[one, other] = value, max(low, 0.0), min(high, 1.0)
    return found


def _wins(x: Float[np.ndarray, "runs cases"], y: Float[np.ndarray, "others cases"]) -> Float[np.ndarray, "runs others"]:
    """Returns how often each run of `x` beats each run of `y`, as a fraction of the cases."""
    above, tied = x[:, None] > y[None], x[:, None] == y[None]
    return above.mean(axis=2) + 0.5 * tied.mean(axis=2)


def profiles(runs: Runs, thresholds: Sequence[float] = THRESHOLDS) -> tuple[Line, ...]:
    """Returns performance profiles: the share of a policy's runs with a skill above each threshold."""
    return tuple(_profile(name, of, thresholds) for name, of in runs.items())


def _profile(name: str, runs: Float[np.ndarray, "runs cases"], thresholds: Sequence[float]) -> Line:
    above = (runs[..., None] > np.array(thresholds)).mean(axis=1)
    value, drawn = above.mean(axis=0), _weights(name, len(runs)) @ above
    drawn = np.clip(value + small_sample_factor(len(runs)) * (drawn - value), 0.0, 1.0)
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    return Line(name=name, x=tuple(thresholds), value=_short(value), low=_short(low), high=_short(high))


def _interval(value: float, drawn: Float[np.ndarray, "resamples"], *, factor: float) -> Interval:
    low, high = np.percentile(value + factor * (drawn - value), (2.5, 97.5))
    return value, float(low), float(high)


def _drawn(name: str, runs: int) -> np.ndarray:
    """Returns the runs of each resample, `[resamples, runs]`. A policy has the same ones in every call."""
    return np.random.default_rng((zlib.crc32(name.encode()), runs)).integers(0, runs, (RESAMPLES, runs))


def _weights(name: str, runs: int) -> Float[np.ndarray, "resamples runs"]:
    """Returns how often each run is in each resample, as a fraction of the runs."""
    return (_drawn(name, runs)[..., None] == np.arange(runs)).mean(axis=1)


def _short(of: np.ndarray) -> tuple[float, ...]:
    return tuple(float(x) for x in np.round(of, 4))
