"""Policies played on whole batches of episodes: their plans, the values of their metrics, and whether queues grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from benchmarks.results import statistics
from benchmarks.results.statistics import estimate
from trainers.loop.episodes import step
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.problems.base import action_shape
from vec_envs.problems.policy import Policy

GROWS_BY = 0.1
"""A queue that grows gains more than this fraction of its mean in an episode.

It is stricter than the leaderboard's: a table whose queue grows slowly would look good in a short episode.
"""
COUNTED_FROM = 1.0 / 3.0
"""The part of an episode that is left out of the slope, because queues start empty."""


@dataclass(frozen=True, kw_only=True)
class PlayedPolicy:
    """A policy on a batch of episodes."""

    name: str
    plan: Shaped[np.ndarray, "episodes epochs ..."]
    """The actions; zeros at epochs that did not take place."""
    mean: Float[np.ndarray, "episodes"]
    """The mean of the metric over the decisions of each episode."""
    final: dict[str, Float[np.ndarray, "episodes"]]
    """The queues after the last decision."""
    grows: bool
    """Whether one of the queues grows."""


def played(
    name: str, policy: Policy, batch: EnvironmentBatch, *, seed: int, metric: str, queues: Sequence[str]
) -> PlayedPolicy:
    """Plays a policy on the episodes of the seeds from `seed` on, one for each environment of the batch."""
    rows = np.arange(batch.batch_size)
    batch.reset(rows.tolist(), (seed + rows).tolist())
    policy.reset(seed)
    epochs = batch.problem.episode_epochs
    plan: Any = None
    values = {of: np.full((batch.batch_size, epochs), np.nan) for of in (metric, *queues)}
    while not batch.ended.all():
        running, now = ~batch.ended, np.minimum(batch.epoch, epochs - 1)
        action = policy.act(batch.observe(), batch.view)
        if plan is None:
            plan = np.zeros((batch.batch_size, epochs, *action_shape(batch.problem)), action.dtype)
        plan[rows[running], now[running]] = action[running]
        result = step(batch, action)
        for of, series in values.items():
            series[rows[running], now[running]] = np.asarray(result.metrics[of])[running]
    queued = {of: values[of] for of in queues}
    return PlayedPolicy(
        name=name,
        plan=plan,
        mean=np.nanmean(values[metric], axis=1),
        final={of: _last(series) for of, series in queued.items()},
        grows=any(grows(series) for series in queued.values()),
    )


def grows(series: Float[np.ndarray, "episodes epochs"]) -> bool:
    """Returns whether a queue grows, by the function of the leaderboard; NaN marks epochs that did not take place."""
    length = series.shape[1]
    epoch: Float[np.ndarray, "epochs"] = np.arange(length, dtype=np.float64)
    counted = np.isfinite(series) & (epoch >= COUNTED_FROM * length)
    slopes = np.array([_slope(epoch[of], row[of]) for row, of in zip(series, counted, strict=True) if of.sum() > 1])
    if not len(slopes):
        return False
    slope = estimate(slopes[None], name="slope")
    return statistics.grows(slope, mean=float(np.nanmean(series)), epochs=float(length), by=GROWS_BY)


def _slope(x: Float[np.ndarray, "points"], y: Float[np.ndarray, "points"]) -> float:
    centred = x - x.mean()
    return float((centred * y).sum() / (centred**2).sum())


def _last(series: Float[np.ndarray, "episodes epochs"]) -> Float[np.ndarray, "episodes"]:
    """Returns the last value of each row that is not NaN."""
    length = series.shape[1]
    last = length - 1 - np.isfinite(series[:, ::-1]).argmax(axis=1)
    return series[np.arange(len(series)), last]
