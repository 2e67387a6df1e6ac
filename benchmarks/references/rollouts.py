"""Rollouts of action plans in known episodes: the value of a plan, and of many plans that begin alike.

A *plan* holds the action of every decision epoch of an episode. The exogenous record of an episode is known, so the
value of a plan is a deterministic function, which a search can minimise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from vec_envs.problems.base import Problem, SequentialProblem
from vec_envs.records import map_arrays

Plan = Shaped[np.ndarray, "epochs ..."]
PerRow = Float[np.ndarray, "rows"]
TOLERANCE = 1e-9
"""The smallest gain of a search that counts as one."""
EXCESS_WEIGHT = 10.0
"""The relative penalty of a final metric that is twice its bound: it makes a plan eleven times as bad."""
LEAST_BOUND = 1e-3
"""Penalties use this value in place of a smaller bound."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """The value that a search minimises: the mean of a metric over decisions, within bounds on final metrics.

    `bounds` holds the largest value that a metric may have after the last decision, such as the last backlog.
    """

    metric: str
    bounds: Mapping[str, float]

    def value(self, mean: PerRow, final: Mapping[str, PerRow]) -> PerRow:
        """Returns the values; less is better."""
        excess = [np.maximum(final[name] / max(bound, LEAST_BOUND) - 1.0, 0.0) for name, bound in self.bounds.items()]
        return mean + EXCESS_WEIGHT * np.abs(mean) * np.sum(excess, axis=0)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Plans in the middle of an episode, one in a row: the state, and the sums over past decisions."""

    episode: Int[np.ndarray, "rows"]
    """The index of the episode that each row plays."""
    epoch: Int[np.ndarray, "rows"]
    state: Any
    total: PerRow
    """The sum of the goal's metric."""
    decisions: Int[np.ndarray, "rows"]
    final: Mapping[str, PerRow]
    """The metrics with bounds, after the last decision."""

    @property
    def mean(self) -> PerRow:
        """The mean of the goal's metric over decisions."""
        return self.total / np.maximum(self.decisions, 1)

    def repeated(self, count: int) -> Progress:
        """Returns `count` rows with the progress of the only one."""

        def repeat(array: np.ndarray) -> np.ndarray:
            return np.broadcast_to(array, (count, *array.shape[1:]))

        return Progress(
            episode=repeat(self.episode),
            epoch=repeat(self.epoch),
            state=map_arrays(repeat, self.state),
            total=repeat(self.total),
            decisions=repeat(self.decisions),
            final={name: repeat(array) for name, array in self.final.items()},
        )


class KnownEpisodes:
    """Episodes whose exogenous record is known from the beginning.

    Args:
        problem: The problem.
        record: The exogenous record of the episodes, each array `[episodes, epochs + 1, ...]`.
        goal: What plans are judged by.
    """

    def __init__(self, problem: Problem, record: Any, goal: Goal) -> None:
        self.problem = problem
        self.goal = goal
        self.num_epochs = problem.episode_epochs
        self._turns = cast(SequentialProblem, problem) if problem.one_at_a_time else None
        self.record = record
        self.num_episodes = len(getattr(record, fields(record)[0].name))

    def one(self, episode: int, goal: Goal) -> KnownEpisodes:
        """Returns one of the episodes alone, with a goal of its own."""
        return KnownEpisodes(self.problem, map_arrays(lambda a: a[episode : episode + 1], self.record), goal)

    def start(self, episode: Int[np.ndarray, "rows"]) -> Progress:
        """Returns rows before their first decision, in the given episodes."""
        rows = len(episode)
        state = self.problem.initial_state((rows,))
        return Progress(
            episode=episode,
            epoch=self._next_epoch(episode, state, np.zeros(rows, dtype=np.int64)),
            state=state,
            total=np.zeros(rows),
            decisions=np.zeros(rows, dtype=np.int64),
            final={name: np.zeros(rows) for name in self.goal.bounds},
        )

    def exogenous(self, progress: Progress) -> Any:
        """Returns the exogenous record of each row's epoch."""
        epoch = np.minimum(progress.epoch, self.num_epochs)
        if self.num_episodes == 1 and self._turns is None:
            # All rows are at the same epoch of the same episode: a view is faster than a copy.
            now = int(epoch[0])
            return map_arrays(lambda a: np.broadcast_to(a[0, now], (len(epoch), *a.shape[2:])), self.record)
        return map_arrays(lambda a: a[progress.episode, epoch], self.record)

    def step(self, progress: Progress, action: Shaped[np.ndarray, "rows ..."]) -> Progress:
        """Returns the progress after one decision of each row. Rows that have ended stay as they are."""
        running = progress.epoch < self.num_epochs
        state, outcome = self.problem.transition(progress.state, action, self.exogenous(progress))
        metrics = self.problem.metrics(state, outcome)
        final = {name: np.asarray(metrics[name]) for name in self.goal.bounds}
        if not running.all():
            state = _merged(running, state, progress.state)
            final = {name: np.where(running, final[name], progress.final[name]) for name in final}
        return Progress(
            episode=progress.episode,
            epoch=self._next_epoch(progress.episode, state, progress.epoch + running),
            state=state,
            total=progress.total + np.where(running, metrics[self.goal.metric], 0.0),
            decisions=progress.decisions + running,
            final=final,
        )

    def trace(self, plan: Plan) -> dict[int, Progress]:
        """Returns the progress of a plan before each decision that takes place, by epoch, and at the end.

        Plays the first episode.
        """
        progress, found = self.start(np.zeros(1, dtype=np.int64)), dict[int, Progress]()
        while (now := int(progress.epoch[0])) < self.num_epochs:
            found[now] = progress
            progress = self.step(progress, plan[now][None])
        found[self.num_epochs] = progress
        return found

    def value(self, progress: Progress) -> PerRow:
        """Returns the value of each row that has ended."""
        return self.goal.value(progress.mean, progress.final)

    def _next_epoch(
        self, episode: Int[np.ndarray, "rows"], state: Any, epoch: Int[np.ndarray, "rows"]
    ) -> Int[np.ndarray, "rows"]:
        if self._turns is None:
            return epoch
        if np.array_equal(episode, np.arange(self.num_episodes)):
            return self._turns.next_epoch(state, self.record, epoch)
        following = epoch.copy()
        # Episode by episode, with views of the record: a copy for each row would take longer than the step.
        for number in np.unique(episode):
            rows = np.flatnonzero(episode == number)
            record, of_rows = self._record_of(number, len(rows)), map_arrays(lambda a, r=rows: a[r], state)
            following[rows] = self._turns.next_epoch(of_rows, record, epoch[rows])
        return following

    def _record_of(self, episode: int, count: int) -> Any:
        """Returns views of an episode's record, one a row."""
        return map_arrays(lambda a: np.broadcast_to(a[episode], (count, *a.shape[1:])), self.record)


def _merged(mask: Bool[np.ndarray, "rows"], one: Any, other: Any) -> Any:
    """Returns a record with the rows of `one` where the mask is True, and those of `other` elsewhere."""
    return type(one)(
        **{
            f.name: np.where(
                mask.reshape(-1, *[1] * (getattr(one, f.name).ndim - 1)), getattr(one, f.name), getattr(other, f.name)
            )
            for f in fields(one)
        }
    )
