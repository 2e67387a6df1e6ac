"""The protocols of a problem: everything that other packages require of it, with an example of each member.

A problem is a frozen dataclass. Its fields are the options of the environment, and its methods are pure functions of
arrays with leading batch axes (`*batch`): one environment, a thousand parallel ones, or the candidates of a search.

Every problem implements `Problem`. The other protocols are optional, and each enables one more feature:

| protocol | feature |
|---|---|
| `DiscreteProblem` | actions are integers: QMIX, MAD2RL, action masks, the padded PettingZoo environment |
| `SequentialProblem` | agents decide one at a time |
| `HasObservedMask` | QMIX, MAD2RL and PPO choose legal actions only, where these change from epoch to epoch |
| `HasActionFeatures`, `HasActionCosts` | QMIX and MAD2RL use prior knowledge of the actions |
| `HasLastingEffects` | QMIX and MAD2RL join a decision to the next one of the same agent; pre-training plays on |
| `HasHybridActions` | SAC and DQN choose an alternative; SAC also chooses its continuous parameters |
| `HasObservationBounds` | observation spaces have bounds |
| `HasGlobalState`, `HasSlotState` | `state()` in PettingZoo is the global state, not a row of observations |
| `HasIdleAction` | `parallel_env(padded=True, illegal="noop")` |
| `HasChannel` | `python -m benchmarks.anatomy` measures what knowing the channel is worth |
| `HasDecisionKinds` | `python -m benchmarks.anatomy` counts decisions by kind |
| `HasScenes` | the leaderboard's page plays an episode, for cases with `recorded=True` |

`docs/extending.md` defines a small problem as an example.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock
from vec_envs.problems.scenes import PlayedSlot, SceneFrame, Scenery


@dataclass(frozen=True, kw_only=True)
class DiscreteActions:
    """Each agent takes one integer, from 0 to its count - 1.

    Example: `DiscreteActions(counts=(2, 2, 3))` for two agents with two actions and one with three.
    """

    counts: tuple[int, ...]


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
        """What an agent decides. Example: `DiscreteActions(counts=(2, 2))`."""
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


@runtime_checkable
class HasObservedMask(Protocol):
    """A discrete problem whose action mask can be computed from observations, so that a learner can use it."""

    def action_mask_from_observation(
        self, observation: Float32[np.ndarray, "*batch agents features"]
    ) -> Bool[np.ndarray, "*batch agents actions"]:
        """Returns what `action_mask` returns for the same epoch, up to the precision of the observation."""
        ...


@runtime_checkable
class HasActionFeatures(Protocol):
    """A discrete problem whose actions share features, so that QMIX generalises between actions."""

    def action_features(self) -> Float[np.ndarray, "agents actions features"]:
        """Returns features from 0 to 1; rows of 0 for actions that an agent does not have."""
        ...


@runtime_checkable
class ActionCosts(Protocol):
    """The known costs of every action, computed from what an agent observes: a frozen dataclass of arrays.

    Its arrays may be replaced by tensors, so `of` uses operators and methods that arrays and tensors share.
    """

    @property
    def num_kinds(self) -> int:
        """The number of kinds of cost. Example: four, for three delays and a drift."""
        ...

    def of(self, observation: Any) -> Any:
        """Returns costs `[agents, batch, actions]` for each kind, from `observation` [agents, batch, features]."""
        ...


@runtime_checkable
class HasActionCosts(Protocol):
    """A discrete problem whose action costs can be computed, in part, from an agent's own observation."""

    def action_costs(self) -> ActionCosts:
        """Returns the costs. Raises `ValueError` if the observation lacks features that they depend on."""
        ...


@runtime_checkable
class HasLastingEffects(Protocol):
    """A discrete problem in which an agent often has no choice, and a choice has effects for several epochs.

    All agents act at every epoch. An agent without a choice has a single legal action.
    """

    @property
    def effect_epochs(self) -> int:
        """The number of epochs within which a decision has its effects. Example: those until a task's deadline."""
        ...

    @property
    def idle(self) -> int:
        """The action of an agent without a choice. Learners do not take it where there is a choice."""
        ...

    def deciders(self, state: Any, exogenous: Any) -> Bool[np.ndarray, "*batch agents"]:
        """Returns which agents have a choice. Example: those with a task that they may start."""
        ...


@runtime_checkable
class HybridActions(Protocol):
    """The actions of one deciding agent as a choice among alternatives, each with continuous parameters.

    Example: the alternative is a cut, and the parameters are two speeds.
    """

    @property
    def count(self) -> int:
        """The number of alternatives."""
        ...

    @property
    def num_parameters(self) -> int:
        """The number of continuous parameters of an alternative, each from -1 to 1."""
        ...

    @property
    def num_effects(self) -> int:
        """The number of effects that `consequences` returns in addition to the reward."""
        ...

    def present(self, observation: Float32[np.ndarray, "batch 1 features"]) -> Bool[np.ndarray, "batch count"]:
        """Returns which alternatives are legal; at least one is."""
        ...

    def terms(self, observation: Float32[np.ndarray, "batch 1 features"]) -> Float32[np.ndarray, "batch count terms"]:
        """Returns, for each alternative, the numbers that `consequences` takes as `terms`."""
        ...

    def action(
        self,
        alternative: Int[np.ndarray, "batch"],
        parameters: Float32[np.ndarray, "batch parameters"],
        observation: Float32[np.ndarray, "batch 1 features"],
    ) -> Float32[np.ndarray, "batch 1 numbers"]:
        """Returns the actions of the environment."""
        ...

    def consequences(self, terms: Any, parameters: Any) -> tuple[Any, Any]:
        """Returns the known part of the reward `[n]`, and the effects on later decisions `[n, effects]`, of order one.

        Takes `terms` [n, terms] and `parameters` [n, parameters], arrays or tensors; tensors stay differentiable.
        """
        ...


@runtime_checkable
class HasHybridActions(Protocol):
    """A continuous problem that describes its actions to learners as alternatives with parameters."""

    @property
    def hybrid(self) -> HybridActions:
        """The hybrid actions. For a problem without them, SAC learns the numbers of an action directly."""
        ...


@runtime_checkable
class HasObservationBounds(Protocol):
    """A problem that knows bounds of what an agent observes."""

    @property
    def observation_bounds(self) -> tuple[Float32[np.ndarray, "features"], Float32[np.ndarray, "features"]]:
        """The least and the largest value of each feature; infinite where there is none. All contain 0."""
        ...


@runtime_checkable
class HasGlobalState(Protocol):
    """A problem whose agents decide together, with a global state for centralised critics and mixing networks."""

    @property
    def global_state_size(self) -> int:
        """The number of features of the global state."""
        ...

    def global_state(self, state: Any, exogenous: Any) -> Float32[np.ndarray, "*batch features"]:
        """Returns each queue, position and rate once, of order one."""
        ...


@runtime_checkable
class HasSlotState(Protocol):
    """A sequential problem with a global state at the beginning of a slot."""

    @property
    def slot_state_size(self) -> int:
        """The number of features of the global state."""
        ...

    def slot_state(
        self, state: Any, due: Sequence[Any], traffic: TrafficBlock, slot: int
    ) -> Float32[np.ndarray, "features"]:
        """Returns each queue, vehicle and task of one environment once, of order one.

        Args:
            state: The state, `[1, ...]`.
            due: The exogenous records, `[1, ...]`, of the decisions in this slot, in their order.
            traffic: The traffic of the episode, without a batch axis.
            slot: The number of the slot.
        """
        ...


@runtime_checkable
class HasIdleAction(Protocol):
    """A discrete problem with a legal action that asks for nothing."""

    def idle_action(self, state: Any, exogenous: Any) -> Int[np.ndarray, "*batch agents"]:
        """Returns the action of each agent that asks for nothing. Example: compute locally."""
        ...


@runtime_checkable
class HasChannel(Protocol):
    """A problem that names the fields of its exogenous record that the channel determines."""

    @property
    def channel_fields(self) -> tuple[str, ...]:
        """The fields with a value above 0 for each link, such as its rate; 0 is out of reach.

        Example: `("v2i_mbps", "v2v_mbps")`.
        """
        ...


@runtime_checkable
class HasDecisionKinds(Protocol):
    """A discrete problem whose decisions are of kinds that are worth counting."""

    def decision_kinds(
        self, state: Any, action: Int[np.ndarray, "*batch agents"], exogenous: Any
    ) -> Mapping[str, Bool[np.ndarray, "*batch agents"]]:
        """Returns which agents decide for each kind; a decision can be of several kinds, or of none.

        Example: `{"computes locally": action == 0, "offloads": action == 1}`.
        """
        ...


@runtime_checkable
class HasScenes(Protocol):
    """A problem that describes its slots as scenes, so that the leaderboard's page can play an episode."""

    def scenery(self) -> Scenery:
        """Returns the nodes and the kinds of queues of all scenes.

        Example: `Scenery(slot_s=1.0, nodes=(SceneNode(name="RSU", kind="rsu"),), queues=(SceneQueue(unit="s"),))`.
        """
        ...

    def scene(self, played: PlayedSlot) -> SceneFrame:
        """Returns the scene of a slot: the state at its beginning, and the effects of the decisions in it.

        Round the numbers, because recordings are stored. Example:
        `SceneFrame(x_m=(0.0,), y_m=(0.0,), waits=(1.5,), links=(), caption="1.5 s wait")`.
        """
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
