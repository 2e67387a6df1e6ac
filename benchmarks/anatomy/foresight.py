"""Measures other metrics of a policy in a case, and the shares of its kinds of decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from benchmarks.references.played import PlayedPolicy
from benchmarks.references.rollouts import KnownEpisodes
from benchmarks.results.statistics import estimate
from vec_envs.problems.abilities import HasDecisionKinds

Shares = tuple[float, float, float]
"""A share in per cent, and the ends of its 95 % interval."""


def means_of(metric: str, episodes: KnownEpisodes, played: PlayedPolicy) -> Float[np.ndarray, "episodes"]:
    """Returns the mean of another metric over the decisions of each episode that a policy has played."""
    problem: Any = episodes.problem
    total = np.zeros(episodes.num_episodes)
    for state, action, exogenous in _decisions(episodes, played):
        total += problem.metrics(*problem.transition(state, action, exogenous))[metric]
    return total / episodes.num_epochs


def shares_of(episodes: KnownEpisodes, played: PlayedPolicy, *, name: str) -> Mapping[str, Shares]:
    """Returns the share of each kind among all decisions of any kind; no shares for a problem without kinds.

    Args:
        episodes: The episodes that were played.
        played: The policy on these episodes.
        name: The name of the case, for the interval.
    """
    problem = episodes.problem
    if not isinstance(problem, HasDecisionKinds):
        return {}
    counts: dict[str, Any] = {}
    any_kind = np.zeros(episodes.num_episodes)
    for state, action, exogenous in _decisions(episodes, played):
        kinds = problem.decision_kinds(state, action, exogenous)
        any_kind += np.logical_or.reduce(list(kinds.values())).sum(axis=-1)
        for kind, of in kinds.items():
            counts[kind] = counts.get(kind, 0.0) + of.sum(axis=-1)
    decided = estimate(any_kind[None], name=name)
    found: dict[str, Shares] = {}
    for kind, count in counts.items():
        if not count.any():
            found[kind] = 0.0, 0.0, 0.0
            continue
        ratio = estimate(np.asarray(count, np.float64)[None], name=name) / decided
        low, high = ratio.interval
        found[kind] = 100.0 * ratio.value, 100.0 * low, 100.0 * high
    return found


def _decisions(episodes: KnownEpisodes, played: PlayedPolicy) -> Iterator[tuple[Any, np.ndarray, Any]]:
    """Yields state, actions and exogenous record of each epoch, of all episodes together."""
    progress = episodes.start(np.arange(episodes.num_episodes))
    for epoch in range(episodes.num_epochs):
        action = played.plan[:, epoch]
        yield progress.state, action, episodes.exogenous(progress)
        progress = episodes.step(progress, action)
