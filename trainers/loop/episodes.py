"""Playing an episode in every lane, to the end of the longest, and what is kept of it.

Environments end at different steps. One that has ended stays as it is while the others go on; what a step reports of it means
nothing, and its action is of no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from vec_envs.core.batch import EnvironmentBatch
from vec_envs.problems.base import Metric, View

PerEnvironment = Float[np.ndarray, "batch"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a step brought to the lanes that had not ended before it, `running`; other rows mean nothing.

    `following` is observed after it, also after the last decision of an episode; `chain` is the row of decisions that
    it changed.
    """

    running: Bool[np.ndarray, "batch"]
    reward: PerEnvironment
    following: Float32[np.ndarray, "batch deciders features"]
    chain: Int[np.ndarray, "batch"]
    figures: Mapping[str, Any]


def step(lanes: EnvironmentBatch, action: Shaped[np.ndarray, "batch deciders ..."]) -> Step:
    """Moves all lanes on by a decision. Raises `ValueError` for an action of wrong shape, type or range."""
    running = ~lanes.ended
    if not running.all():
        action = action.copy()
        action[~running] = 0
    outcome = lanes.step(action)
    figures = lanes.problem.metrics(lanes.state, outcome)
    return Step(
        running=running,
        reward=np.asarray(outcome.reward),
        following=lanes.observe(),
        chain=lanes.chain_of(outcome),
        figures=figures,
    )


def play_out(
    lanes: EnvironmentBatch,
    decide: Callable[[np.ndarray, View], np.ndarray],
    figures: tuple[Metric, ...],
    *,
    watch: Callable[[Step], None] | None = None,
) -> Tally:
    """Plays the lanes to the end by decisions from what is seen; returns what the episodes brought.

    `watch` sees every step. Raises `ValueError` listing what exists for a figure that the problem does not have.
    """
    tally, observation = Tally(figures, lanes.batch_size), lanes.observe()
    while not lanes.ended.all():
        played = step(lanes, decide(observation, lanes.view))
        tally.add(played)
        if watch is not None:
            watch(played)
        observation = played.following
    return tally


@dataclass(frozen=True, kw_only=True)
class Transitions:
    """Decisions, what they brought, and what was seen at the next one of their row."""

    observation: Float32[np.ndarray, "transitions deciders features"]
    action: Shaped[np.ndarray, "transitions ..."]
    reward: Float[np.ndarray, "transitions"]
    following: Float32[np.ndarray, "transitions deciders features"]


class DecisionChains:
    """Joins each decision of an episode to the next one of its row, `problem.chain`; the last of a row has none.

    Where a decision chooses its row, the next one is the first that could have been of it, the row being the nearest,
    or that chose it.
    """

    def __init__(self, lanes: EnvironmentBatch) -> None:
        self._batch = lanes
        self._waits: Bool[np.ndarray, "batch chains"] = np.zeros((lanes.batch_size, lanes.num_chains), np.bool_)
        self._kept: dict[str, np.ndarray] = {}

    def join(
        self,
        observation: Float32[np.ndarray, "batch deciders features"],
        action: Shaped[np.ndarray, "batch ..."],
        played: Step,
    ) -> Transitions:
        """Keeps the decisions just played; returns those that the present epoch is the next of their row to."""
        made = {"observation": observation, "action": action, "reward": played.reward}
        for name, value in made.items():
            if name not in self._kept:
                self._kept[name] = np.zeros((*self._waits.shape, *value.shape[1:]), value.dtype)
        chosen = self._taken(played.running, played.chain, following=observation)
        decided = np.flatnonzero(played.running & (played.chain >= 0))
        for name, value in made.items():
            self._kept[name][decided, played.chain[decided]] = value[decided]
        self._waits[decided, played.chain[decided]] = True
        seen = self._taken(played.running, self._batch.chain, following=played.following)
        return seen if not len(chosen.reward) else both(chosen, seen)

    def _taken(
        self,
        running: Bool[np.ndarray, "batch"],
        chain: Int[np.ndarray, "batch"],
        *,
        following: Float32[np.ndarray, "batch deciders features"],
    ) -> Transitions:
        """Returns the decisions that wait for these rows, one a lane, with what follows; they wait no more."""
        lane = np.flatnonzero(running & (chain >= 0) & self._waits[np.arange(len(chain)), np.maximum(chain, 0)])
        self._waits[lane, chain[lane]] = False
        kept = {name: array[lane, chain[lane]] for name, array in self._kept.items()}
        return Transitions(following=following[lane], **kept)


def both(first: Transitions, second: Transitions) -> Transitions:
    """Returns the one's transitions, then the other's."""
    names = [field.name for field in fields(Transitions)]
    return Transitions(**{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names})


class Tally:
    """Adds up an episode of each lane: its return, and the means and last values of the reported figures."""

    def __init__(self, reported: tuple[Metric, ...], batch_size: int) -> None:
        self.returns: PerEnvironment = np.zeros(batch_size)
        self.decisions: Int[np.ndarray, "batch"] = np.zeros(batch_size, dtype=np.int64)
        self.last: dict[str, PerEnvironment] = {figure.name: np.zeros(batch_size) for figure in reported}
        self._sums: dict[str, PerEnvironment] = {figure.name: np.zeros(batch_size) for figure in reported}

    def add(self, played: Step) -> None:
        """Adds a step of the lanes that were running. Raises `ValueError` where it lacks a figure."""
        if lacking := self._sums.keys() - played.figures.keys():
            raise ValueError(f"no figure {', '.join(sorted(lacking))}; there are {', '.join(played.figures)}")
        self.returns += np.where(played.running, played.reward, 0.0)
        self.decisions += played.running
        for name, total in self._sums.items():
            total += np.where(played.running, played.figures[name], 0.0)
            self.last[name] = np.where(played.running, played.figures[name], self.last[name])

    def means(self) -> dict[str, PerEnvironment]:
        """Returns each figure's mean over a lane's own decisions; 0 where it made none."""
        made = np.maximum(self.decisions, 1)
        return {name: total / made for name, total in self._sums.items()}


class Trend:
    """The slopes of figures over the last two thirds of a lane's own epochs, by least squares: a epoch's worth."""

    def __init__(self, names: Sequence[str], batch_size: int) -> None:
        self._values: dict[str, list[PerEnvironment]] = {name: [] for name in names}
        self._running = list[np.ndarray]()
        self._none: PerEnvironment = np.zeros(batch_size)

    def add(self, played: Step) -> None:
        """Adds a epoch of the lanes that were running. Raises `KeyError` where it lacks a figure."""
        self._running.append(played.running)
        for name, values in self._values.items():
            values.append(np.asarray(played.figures[name], dtype=np.float64))

    def slopes(self) -> dict[str, PerEnvironment]:
        """Returns each figure's slope in each lane; 0 where there are fewer than two epochs."""
        return {name: self._slope(np.array(values)) if values else self._none for name, values in self._values.items()}

    def _slope(self, values: Float[np.ndarray, "epochs lanes"]) -> PerEnvironment:
        running = np.array(self._running)
        counted = running & (np.cumsum(running, axis=0) > running.sum(axis=0) // 3)
        epoch = np.arange(len(values), dtype=np.float64)[:, None]
        epoch = epoch - (counted * epoch).sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
        spread = (counted * epoch**2).sum(axis=0)
        rise = (counted * epoch * np.where(counted, values, 0.0)).sum(axis=0)
        return np.divide(rise, spread, out=np.zeros(rise.shape), where=spread > 0.0)
