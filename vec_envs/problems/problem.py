"""What the core, the faces, the policies and the trainers ask of a problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Each agent takes one of its alternatives: an integer from 0 to its count - 1."""

    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Each agent that decides gives `size` numbers from -1 to 1."""

    size: int


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure that runs report, under the name it has in the infos; of the first one less is better."""

    name: str
    unit: str
    final: bool = False
    """Whether its value at an episode's end is reported beside its mean."""


@runtime_checkable
class Outcome(Protocol):
    """What a decision brought, as far as the faces must know."""

    @property
    def reward(self) -> Float[np.ndarray, "*lanes"]: ...


@runtime_checkable
class Problem(Protocol):
    """A decision problem of agents, batched over leading lanes.

    `state` and `exogenous` are frozen dataclasses of arrays with the same leading lanes. An episode is a row of
    *points* at which agents decide: `exogenous` decided by nature, `observe`, act, `transition`. At a point all agents
    decide together, or one of them (`one_at_a_time`). Nature is drawn for a whole episode at once, since it does not
    depend on the decisions: `sample` holds all the randomness, `nature` is a pure function of it and of the traffic.
    """

    @property
    def episode_points(self) -> int:
        """Points of an episode at most; nature has one more, which is observed after the last decision."""
        ...

    @property
    def agent_names(self) -> tuple[str, ...]: ...
    @property
    def one_at_a_time(self) -> bool: ...
    @property
    def actions(self) -> Choices | Numbers: ...
    @property
    def observation_size(self) -> int: ...
    @property
    def traffic_shape(self) -> EpisodeShape: ...
    @property
    def reported(self) -> tuple[Figure, ...]:
        """What runs report; policies are ranked by the first."""
        ...

    def initial_state(self, lanes: tuple[int, ...]) -> Any: ...
    def sample(self, rng: np.random.Generator) -> Any: ...
    def nature(self, luck: Any, traffic: TrafficBlock, road: Road) -> Any: ...
    def observe(self, state: Any, exogenous: Any) -> Float32[np.ndarray, "*lanes deciders features"]: ...
    def transition(
        self, state: Any, action: Shaped[np.ndarray, "*lanes ..."], exogenous: Any
    ) -> tuple[Any, Outcome]: ...
    def figures(self, next_state: Any, outcome: Any) -> Mapping[str, Any]: ...


@runtime_checkable
class ChoiceProblem(Problem, Protocol):
    """A problem whose agents all choose at once."""

    @property
    def actions(self) -> Choices: ...
    def alternatives(self, state: Any, exogenous: Any) -> Bool[np.ndarray, "*lanes agents actions"]:
        """Returns which alternatives the agents have, in rows as long as the longest."""
        ...


@runtime_checkable
class TurnProblem(Problem, Protocol):
    """A problem whose agents decide one at a time, but know at a slot's beginning whether they will in it.

    Decisions change which points come about: `next_point` passes over the others. And they change what is seen at
    later points of the same row only.
    """

    @property
    def episode_slots(self) -> int: ...
    @property
    def num_streams(self) -> int: ...
    def next_point(self, state: Any, nature: Any, point: Int[np.ndarray, "lanes"]) -> Int[np.ndarray, "lanes"]:
        """Returns the first point from `point` on that comes about; `episode_points` where none does."""
        ...

    def stream(self, state: Any, exogenous: Any) -> Int[np.ndarray, "*lanes"]:
        """Returns in which row of decisions a point stands, below `num_streams`: what a decision changes for later
        ones is seen along its row. -1 where nothing is decided, whatever the action.
        """
        ...

    def stream_of(self, outcome: Any) -> Int[np.ndarray, "*lanes"]:
        """Returns the row that a decision changes; -1 where it changes none. An action may choose another than its
        point stands in.
        """
        ...

    def turn(self, exogenous: Any) -> tuple[Int[np.ndarray, "*lanes"], Int[np.ndarray, "*lanes"]]:
        """Returns slot and agent of a point."""
        ...


def action_shape(problem: Problem) -> tuple[int, ...]:
    """Returns the shape of one lane's action: an axis of deciding agents, and one of numbers where they give those."""
    deciders = 1 if problem.one_at_a_time else len(problem.agent_names)
    return (deciders, problem.actions.size) if isinstance(problem.actions, Numbers) else (deciders,)


@dataclass(frozen=True, kw_only=True)
class View:
    """What a reference policy may look at: everything about this point."""

    problem: Any
    state: Any
    exogenous: Any
