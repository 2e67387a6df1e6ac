"""Playing an episode in every lane, to the end of the longest, and what is kept of it.

Lanes end at different steps. One that has ended stays as it is while the others go on; what a step reports of it means
nothing, and its action is of no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from vec_envs.core.lanes import Lanes
from vec_envs.problems.problem import Figure, View

PerLane = Float[np.ndarray, "lanes"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a step brought to the lanes that had not ended before it, `running`; other rows mean nothing.

    `following` is observed after it, also after the last decision of an episode; `stream` is the row of decisions that
    it changed.
    """

    running: Bool[np.ndarray, "lanes"]
    reward: PerLane
    following: Float32[np.ndarray, "lanes deciders features"]
    stream: Int[np.ndarray, "lanes"]
    figures: Mapping[str, Any]


def step(lanes: Lanes, action: Shaped[np.ndarray, "lanes deciders ..."]) -> Step:
    """Moves all lanes on by a decision. Raises `ValueError` for an action of wrong shape, type or range."""
    running = ~lanes.ended
    if not running.all():
        action = action.copy()
        action[~running] = 0
    outcome = lanes.step(action)
    figures = lanes.problem.figures(lanes.state, outcome)
    return Step(
        running=running,
        reward=np.asarray(outcome.reward),
        following=lanes.observe(),
        stream=lanes.stream_of(outcome),
        figures=figures,
    )


def play_out(
    lanes: Lanes,
    decide: Callable[[np.ndarray, View], np.ndarray],
    figures: tuple[Figure, ...],
    *,
    watch: Callable[[Step], None] | None = None,
) -> Tally:
    """Plays the lanes to the end by decisions from what is seen; returns what the episodes brought.

    `watch` sees every step. Raises `ValueError` listing what exists for a figure that the problem does not have.
    """
    tally, observation = Tally(figures, lanes.num_lanes), lanes.observe()
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


class Rows:
    """Joins each decision of an episode to the next one of its row, `problem.stream`; the last of a row has none.

    Where a decision chooses its row, the next one is the first that could have been of it, the row being the nearest,
    or that chose it.
    """

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._waits: Bool[np.ndarray, "lanes streams"] = np.zeros((lanes.num_lanes, lanes.num_streams), np.bool_)
        self._kept: dict[str, np.ndarray] = {}

    def join(
        self,
        observation: Float32[np.ndarray, "lanes deciders features"],
        action: Shaped[np.ndarray, "lanes ..."],
        played: Step,
    ) -> Transitions:
        """Keeps the decisions just played; returns those that the present point is the next of their row to."""
        made = {"observation": observation, "action": action, "reward": played.reward}
        for name, value in made.items():
            if name not in self._kept:
                self._kept[name] = np.zeros((*self._waits.shape, *value.shape[1:]), value.dtype)
        chosen = self._taken(played.running, played.stream, following=observation)
        decided = np.flatnonzero(played.running & (played.stream >= 0))
        for name, value in made.items():
            self._kept[name][decided, played.stream[decided]] = value[decided]
        self._waits[decided, played.stream[decided]] = True
        seen = self._taken(played.running, self._lanes.stream, following=played.following)
        return seen if not len(chosen.reward) else both(chosen, seen)

    def _taken(
        self,
        running: Bool[np.ndarray, "lanes"],
        stream: Int[np.ndarray, "lanes"],
        *,
        following: Float32[np.ndarray, "lanes deciders features"],
    ) -> Transitions:
        """Returns the decisions that wait for these rows, one a lane, with what follows; they wait no more."""
        lane = np.flatnonzero(running & (stream >= 0) & self._waits[np.arange(len(stream)), np.maximum(stream, 0)])
        self._waits[lane, stream[lane]] = False
        kept = {name: array[lane, stream[lane]] for name, array in self._kept.items()}
        return Transitions(following=following[lane], **kept)


def both(first: Transitions, second: Transitions) -> Transitions:
    """Returns the one's transitions, then the other's."""
    names = [field.name for field in fields(Transitions)]
    return Transitions(**{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names})


class Tally:
    """Adds up an episode of each lane: its return, and the means and last values of the reported figures."""

    def __init__(self, reported: tuple[Figure, ...], num_lanes: int) -> None:
        self.returns: PerLane = np.zeros(num_lanes)
        self.decisions: Int[np.ndarray, "lanes"] = np.zeros(num_lanes, dtype=np.int64)
        self.last: dict[str, PerLane] = {figure.name: np.zeros(num_lanes) for figure in reported}
        self._sums: dict[str, PerLane] = {figure.name: np.zeros(num_lanes) for figure in reported}

    def add(self, played: Step) -> None:
        """Adds a step of the lanes that were running. Raises `ValueError` where it lacks a figure."""
        if lacking := self._sums.keys() - played.figures.keys():
            raise ValueError(f"no figure {', '.join(sorted(lacking))}; there are {', '.join(played.figures)}")
        self.returns += np.where(played.running, played.reward, 0.0)
        self.decisions += played.running
        for name, total in self._sums.items():
            total += np.where(played.running, played.figures[name], 0.0)
            self.last[name] = np.where(played.running, played.figures[name], self.last[name])

    def means(self) -> dict[str, PerLane]:
        """Returns each figure's mean over a lane's own decisions; 0 where it made none."""
        made = np.maximum(self.decisions, 1)
        return {name: total / made for name, total in self._sums.items()}


class Trend:
    """The slopes of figures over the last two thirds of a lane's own points, by least squares: a point's worth."""

    def __init__(self, names: Sequence[str], num_lanes: int) -> None:
        self._values: dict[str, list[PerLane]] = {name: [] for name in names}
        self._running = list[np.ndarray]()
        self._none: PerLane = np.zeros(num_lanes)

    def add(self, played: Step) -> None:
        """Adds a point of the lanes that were running. Raises `KeyError` where it lacks a figure."""
        self._running.append(played.running)
        for name, values in self._values.items():
            values.append(np.asarray(played.figures[name], dtype=np.float64))

    def slopes(self) -> dict[str, PerLane]:
        """Returns each figure's slope in each lane; 0 where there are fewer than two points."""
        return {name: self._slope(np.array(values)) if values else self._none for name, values in self._values.items()}

    def _slope(self, values: Float[np.ndarray, "points lanes"]) -> PerLane:
        running = np.array(self._running)
        counted = running & (np.cumsum(running, axis=0) > running.sum(axis=0) // 3)
        point = np.arange(len(values), dtype=np.float64)[:, None]
        point = point - (counted * point).sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
        spread = (counted * point**2).sum(axis=0)
        rise = (counted * point * np.where(counted, values, 0.0)).sum(axis=0)
        return np.divide(rise, spread, out=np.zeros(rise.shape), where=spread > 0.0)
