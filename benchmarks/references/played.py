"""Policies played on whole batches of episodes: their plans, the values of their metrics, and whether queues grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from benchmarks.references.rollouts import Goal, KnownEpisodes, Progress
from benchmarks.results import statistics
from benchmarks.results.statistics import estimate
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.interfaces.illegal_actions import clipped
from vec_envs.problems.base import DiscreteProblem, View
from vec_envs.problems.policy import Policy, mask_keyword
from vec_envs.records import stack

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
    decided: Bool[np.ndarray, "episodes epochs"]
    """Which epochs took place."""
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
    rows = list(range(batch.batch_size))
    batch.reset(rows, [seed + row for row in rows])
    record = stack([batch.episode(row) for row in rows])
    goal = Goal(metric=metric, bounds=dict.fromkeys(queues, np.inf))
    return play(name, policy, KnownEpisodes(batch.problem, record, goal), seed=seed)


def play(
    name: str, policy: Policy, episodes: KnownEpisodes, *, seed: int, seen: KnownEpisodes | None = None
) -> PlayedPolicy:
    """Plays a policy on known episodes.

    Args:
        name: The name of the policy.
        policy: The policy.
        episodes: The episodes that are played. The metrics with bounds are the queues.
        seed: Seeds the policy.
        seen: Episodes whose exogenous record the policy sees in place of the true one, epoch by epoch. Where it then
            takes actions that the problem refuses, they are clipped to legal ones, as in padded environments.
    """
    policy.reset(seed)
    progress = episodes.start(np.arange(episodes.num_episodes))
    plan: Any = None
    decided = np.zeros((episodes.num_episodes, episodes.num_epochs), np.bool_)
    queues = {of: np.full(decided.shape, np.nan) for of in episodes.goal.bounds}
    while len(running := np.flatnonzero(progress.epoch < episodes.num_epochs)):
        action, now = _decided(policy, progress, seen or episodes), progress.epoch[running]
        if plan is None:
            plan = np.zeros((*decided.shape, *action.shape[1:]), action.dtype)
        plan[running, now], decided[running, now] = action[running], True
        progress = episodes.step(progress, action) if seen is None else _clipped_step(episodes, progress, action)
        for of, series in queues.items():
            series[running, now] = progress.final[of][running]
    return PlayedPolicy(
        name=name,
        plan=plan,
        decided=decided,
        mean=progress.mean,
        final=dict(progress.final),
        grows=any(grows(series) for series in queues.values()),
    )


def _decided(policy: Policy, progress: Progress, seen: KnownEpisodes) -> Shaped[np.ndarray, "episodes ..."]:
    """Returns the actions of a policy that sees these episodes; 0 in episodes that have ended."""
    view = View(problem=seen.problem, state=progress.state, exogenous=seen.exogenous(progress))
    observation = seen.problem.observe(view.state, view.exogenous)
    action = policy.act(observation, view, **mask_keyword(policy, view))
    running = (progress.epoch < seen.num_epochs).reshape(-1, *[1] * (action.ndim - 1))
    return np.where(running, action, np.zeros((), action.dtype))


def _clipped_step(episodes: KnownEpisodes, progress: Progress, action: Shaped[np.ndarray, "episodes ..."]) -> Progress:
    """Returns the progress after actions. If the problem refuses them, illegal ones are clipped to legal ones."""
    try:
        return episodes.step(progress, action)
    except ValueError:
        if not isinstance(episodes.problem, DiscreteProblem):
            raise
        mask = episodes.problem.action_mask(progress.state, episodes.exogenous(progress))
        legal = clipped(action.reshape(-1), mask.reshape(-1, mask.shape[-1])).reshape(action.shape)
        if (legal == action).all():
            raise
        return episodes.step(progress, legal)


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
