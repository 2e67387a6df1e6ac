"""The optional protocols of a problem. Each one that a problem implements enables a feature elsewhere.

| protocol | feature |
|---|---|
| `HasObservedMask` | QMIX, MAD2RL and PPO choose legal actions only, where these change from epoch to epoch |
| `HasActionFeatures`, `HasActionCosts`, `ActionInputs` | QMIX and MAD2RL use prior knowledge of the actions |
| `HasCommonActionFeatures` | their agents can share weights though their actions differ |
| `HasLastingEffects` | QMIX and MAD2RL join a decision to the next one of the same agent; pre-training plays on |
| `HasHybridActions` | SAC and DQN choose an alternative; SAC also chooses its continuous parameters |
| `HasObservationBounds` | observation spaces have bounds |
| `HasGlobalState`, `HasSlotState` | `state()` in PettingZoo is the global state, not a row of observations |
| `HasIdleAction` | `parallel_env(padded=True, illegal="noop")` |
| `HasChannel` | `python -m benchmarks.anatomy` measures the value of knowing the channel |
| `HasDecisionKinds` | `python -m benchmarks.anatomy` counts decisions by kind |
| `HasScenes` | pictures, `trainers.watch`, and the player on the leaderboard's page (for cases with `recorded=True`) |

A problem inherits from none of them: it only has their members. `vec_envs/problems/base.py` has the required ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from vec_envs.mobility.traffic import TrafficBlock
from vec_envs.problems.scenes import PlayedSlot, SceneFrame, Scenery


@runtime_checkable
class HasObservedMask(Protocol):
    """A discrete problem whose action mask can be computed from observations, so that a learner can use it."""

    def action_mask_from_observation(
        self, observation: Float32[np.ndarray, "*batch agents features"]
    ) -> Bool[np.ndarray, "*batch agents actions"]:
        """Returns the `action_mask` of the same epoch, up to the precision of the observation."""
        ...


@runtime_checkable
class HasActionFeatures(Protocol):
    """A discrete problem whose actions share features, so that QMIX generalises between actions."""

    def action_features(self) -> Float[np.ndarray, "agents actions features"]:
        """Returns features from 0 to 1; rows of 0 for actions that an agent does not have."""
        ...


@runtime_checkable
class HasCommonActionFeatures(Protocol):
    """A discrete problem whose agents differ in their actions, but where features describe all of these alike.

    So agents can share weights, and value actions that were not in their training, such as those of other DNNs.
    """

    def common_action_features(self) -> Float[np.ndarray, "agents actions features"]:
        """Returns features of order one, which mean the same for all agents; rows of 0 for missing actions."""
        ...


@runtime_checkable
class ActionCosts(Protocol):
    """The known costs of every action, computed from an agent's observation: a frozen dataclass of arrays.

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
class ActionInputs(ActionCosts, Protocol):
    """Action costs that come with other inputs of every action, from which one network can score all actions."""

    @property
    def num_inputs(self) -> int:
        """The number of inputs of an action. Example: three, for the tasks at its node, and the work and data of it."""
        ...

    def inputs_of(self, observation: Any) -> Any:
        """Returns values `[agents, batch, actions]` for each input, from `observation` [agents, batch, features]."""
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
        """The action of an agent without a choice. QMIX and MAD2RL do not take it where there is a choice."""
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
    """A problem whose observations have known bounds."""

    @property
    def observation_bounds(self) -> tuple[Float32[np.ndarray, "features"], Float32[np.ndarray, "features"]]:
        """The least and the largest value of each feature, infinite where it has no bound. Each range contains 0."""
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
    """A problem that describes its slots as scenes, which pictures, videos and the leaderboard's player show."""

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
