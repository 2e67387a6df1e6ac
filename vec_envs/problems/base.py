"""The protocols of a problem: everything that other packages require of it, with an example of each member.

A problem is a frozen dataclass. Its fields are the options of the environment, and its methods are pure functions of
arrays with leading batch axes (`*batch`): one environment, a thousand parallel ones, or the candidates of a search.

Every problem implements `Problem`. Two kinds of problems have more members:

- `DiscreteProblem`: actions are integers, for QMIX, MAD2RL, action masks, and PettingZoo's padded environment.
- `SequentialProblem`: agents decide one at a time.

`vec_envs/problems/abilities.py` has the optional protocols. `docs/extending.md` defines a small problem as an example.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock


@dataclass(frozen=True, kw_only=True)
class DiscreteActions:
    """Each agent takes one integer, from 0 to its count - 1.

    Example: `DiscreteActions(counts=(2, 2, 3))` for two agents with two actions and one with three.
    """

    counts: tuple[int, ...]


def checked_choices(
    action: Shaped[np.ndarray, "*batch given"], counts: Int[np.ndarray, "agents"], *, agent: str
) -> Int[np.ndarray, "*batch agents"]:
    """Returns a joint action as an integer array.

    Args:
        action: An integer for each agent.
        counts: The number of actions of each agent.
        agent: The word for an agent in messages.

    Raises:
        ValueError: The shape, the type or an integer is wrong.
    """
    action = np.asarray(action)
    if action.shape[-1:] != counts.shape:
        raise ValueError(
            f"an action must hold one integer for each of {len(counts)} {agent}s along its last axis, "
            f"got shape {action.shape}"
        )
    if action.dtype.kind not in "iu":
        raise ValueError(f"actions must be integers, got dtype {action.dtype}")
    wrong = (action < 0) | (action >= counts)
    if np.logical_or.reduce(wrong, axis=None):
        index = tuple(np.argwhere(wrong)[0])
        last = counts[index[-1]] - 1
        raise ValueError(f"action {action[index]} of {agent}_{index[-1]} is outside [0, {last}]")
    return action.astype(np.int64, copy=False)


@dataclass(frozen=True, kw_only=True)
class ContinuousActions:
    """Each agent that decides gives `size` numbers from -1 to 1.

    Example: `ContinuousActions(size=3)` for a cut and two speeds.
    """

    size: int


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric that runs report, under its name in the infos; less is better.

    Example: `Metric(name="completion_time_s", unit="s")`.
    """

    name: str
    unit: str
    final: bool = False
    """Whether its value at the end of an episode is reported in addition to its mean."""


@runtime_checkable
class Outcome(Protocol):
    """The result of a decision: a frozen dataclass of arrays. The core reads only the reward."""

    @property
    def reward(self) -> Float[np.ndarray, "*batch"]:
        """The reward that all agents share. Example: minus the problem's objective."""
        ...


@runtime_checkable
class Problem(Protocol):
    """A decision problem of agents, batched over leading axes.

    An episode is a sequence of decision epochs. At each epoch the agents `observe`, act, and the state moves on by
    `transition`. At an epoch either all agents decide, or only one of them (`one_at_a_time`).

    Quantities that do not depend on decisions are *exogenous*: positions, channels, arrivals. They are computed for a
    whole episode before the first decision. `sample` makes all random draws; `exogenous` is a pure function of the
    random draws and of the traffic. States, exogenous records and outcomes are frozen dataclasses of arrays.
    """

    @property
    def episode_epochs(self) -> int:
        """The largest number of decision epochs in an episode. Example: the number of slots."""
        ...

    @property
    def agent_names(self) -> tuple[str, ...]:
        """The names of the agents in PettingZoo. Example: `("client_0", "client_1")`."""
        ...

    @property
    def one_at_a_time(self) -> bool:
        """False where all agents decide at every epoch; True for a `SequentialProblem`."""
        ...

    @property
    def actions(self) -> DiscreteActions | ContinuousActions:
        """The actions of each agent. Example: `DiscreteActions(counts=(2, 2))`."""
        ...

    @property
    def observation_size(self) -> int:
        """The number of features that an agent observes."""
        ...

    @property
    def traffic_shape(self) -> EpisodeShape:
        """How many vehicles an episode needs, and for how many slots: one more than there are decisions.

        Example: `EpisodeShape(num_client_vehicles=3, num_service_vehicles=0, num_slots=31, slot_s=1.0)`.
        """
        ...

    @property
    def reported_metrics(self) -> tuple[Metric, ...]:
        """The metrics that runs report. Policies are ranked by the first one."""
        ...

    def initial_state(self, batch_shape: tuple[int, ...]) -> Any:
        """Returns the state before the first decision. Example: `State(backlog=np.zeros((*batch_shape, 3)))`."""
        ...

    def sample(self, rng: np.random.Generator) -> Any:
        """Returns the random draws of one episode: a frozen dataclass of arrays without batch axes.

        Example: `Draws(fading_power=rng.standard_exponential((self.episode_epochs + 1, 3)))`.
        """
        ...

    def exogenous(self, draws: Any, traffic: TrafficBlock, road: Road) -> Any:
        """Returns the exogenous record of episodes, each array `[*batch, epochs + 1, ...]`.

        The last epoch is observed after the last decision. Example: rates in Mbit/s, from the distances between
        `traffic.client_xy_m` and `road.rsu_xyz_m` and from the fading in `draws`.
        """
        ...

    def observe(self, state: Any, exogenous: Any) -> Float32[np.ndarray, "*batch deciders features"]:
        """Returns one row of features, of order one, for each agent that decides at this epoch."""
        ...

    def transition(self, state: Any, action: Shaped[np.ndarray, "..."], exogenous: Any) -> tuple[Any, Outcome]:
        """Returns the next state and the outcome of a decision; changes none of its arguments.

        `exogenous` is the record of one epoch. An action has the shape `action_shape(problem)`.
        Raises `ValueError` for an action of wrong shape, type or range.
        """
        ...

    def metrics(self, next_state: Any, outcome: Any) -> Mapping[str, Any]:
        """Returns the infos of a decision, by name: `[*batch]` arrays, those of `reported_metrics` among them."""
        ...


@runtime_checkable
class DiscreteProblem(Problem, Protocol):
    """A problem whose agents all choose an integer at every epoch."""

    @property
    def actions(self) -> DiscreteActions:
        """The number of actions of each agent."""
        ...

    def action_mask(self, state: Any, exogenous: Any) -> Bool[np.ndarray, "*batch agents actions"]:
        """Returns which actions are legal, in rows of equal length: the largest number of actions of an agent.

        Example: `np.ones((*batch_shape, 3, 2), np.bool_)` where all agents always have both actions.
        """
        ...


@runtime_checkable
class SequentialProblem(Problem, Protocol):
    """A problem whose agents decide one at a time.

    An agent knows at the beginning of a slot whether it will decide in it. Decisions determine which epochs take place:
    `next_epoch` skips the others. The effect of a decision is seen at later epochs of the same *decision chain*, such
    as the queue that it fills.
    """

    @property
    def episode_slots(self) -> int:
        """The number of slots in an episode."""
        ...

    @property
    def num_chains(self) -> int:
        """The number of decision chains. Example: one for each roadside unit."""
        ...

    def next_epoch(self, state: Any, exogenous: Any, epoch: Int[np.ndarray, "batch"]) -> Int[np.ndarray, "batch"]:
        """Returns the first epochs from `epoch` on that take place; `episode_epochs` where none does."""
        ...

    def chain(self, state: Any, exogenous: Any) -> Int[np.ndarray, "*batch"]:
        """Returns the decision chain of an epoch, below `num_chains`; -1 where the action has no effect."""
        ...

    def chain_of(self, outcome: Any) -> Int[np.ndarray, "*batch"]:
        """Returns the chain that a decision joined, which its action may have chosen; -1 where it joined none."""
        ...

    def turn(self, exogenous: Any) -> tuple[Int[np.ndarray, "*batch"], Int[np.ndarray, "*batch"]]:
        """Returns the slot of an epoch, and the index of the agent that decides."""
        ...


def action_shape(problem: Problem) -> tuple[int, ...]:
    """Returns the shape of one environment's action: deciding agents, and numbers where actions are continuous."""
    deciders = 1 if problem.one_at_a_time else len(problem.agent_names)
    return (deciders, problem.actions.size) if isinstance(problem.actions, ContinuousActions) else (deciders,)


def objective_name(objective: object) -> str:
    """Returns the name of an objective, for messages: its `name`, or the name of the function."""
    return str(getattr(objective, "name", getattr(objective, "__name__", type(objective).__name__)))


def action_exists(problem: DiscreteProblem) -> Bool[np.ndarray, "agents actions"]:
    """Returns a state-independent mask of the actions each agent has, padded to the largest action count."""
    counts = np.array(problem.actions.counts)
    return np.arange(int(counts.max())) < counts[:, None]


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything about the present decision epoch, for reference policies; arrays with a leading batch axis."""

    problem: Any
    state: Any
    exogenous: Any


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The present state of one environment, for a drawing: records without a batch axis."""

    problem: Any
    road: Road
    state: Any
    exogenous: Any
    """The exogenous record of the present epoch."""
    episode: Any
    """The exogenous record of all epochs of the episode."""
    epoch: int
    ended: bool
    last_action: Any | None
    """None before the first decision."""
    last_outcome: Any | None
    """None before the first decision."""
