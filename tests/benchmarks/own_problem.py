"""A user's module: a problem that is registered once without and once with references, and suites of both."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import vec_envs
from benchmarks.suites.suite import Case, CustomPolicy, Learned, Reference, Suite
from vec_envs.mobility import EpisodeShape
from vec_envs.problems.base import DiscreteActions, Metric, View
from vec_envs.problems.policy import Reference as RegisteredReference
from vec_envs.problems.policy import References


@dataclass(frozen=True, kw_only=True)
class State:
    queue_s: np.ndarray  # [*batch]


@dataclass(frozen=True, kw_only=True)
class Draws:
    fading_power: np.ndarray  # [epochs + 1, vehicles]


@dataclass(frozen=True, kw_only=True)
class Exogenous:
    transmit_s: np.ndarray  # [*batch, vehicles]; with an axis of epochs before the last for a whole episode


@dataclass(frozen=True, kw_only=True)
class Outcome:
    delay_s: np.ndarray  # [*batch, vehicles]
    reward: np.ndarray  # [*batch]


@dataclass(frozen=True, kw_only=True)
class SendOrNot:
    num_client_vehicles: int = 3
    """Vehicles, each with a task in every slot."""
    episode_slots: int = 20
    """Slots of an episode."""
    local_s: float = 1.0
    """Time of a task at its vehicle."""
    unit_s: float = 0.4
    """Time of a task at the roadside unit."""

    one_at_a_time: ClassVar = False
    observation_size: ClassVar = 2
    reported_metrics: ClassVar = (Metric(name="delay_s", unit="s"),)

    @property
    def episode_epochs(self) -> Any:
        return self.episode_slots

    @property
    def agent_names(self) -> Any:
        return tuple(f"vehicle_{i}" for i in range(self.num_client_vehicles))

    @property
    def actions(self) -> Any:
        return DiscreteActions(counts=(2,) * self.num_client_vehicles)  # 0: compute, 1: send

    @property
    def traffic_shape(self) -> Any:
        slots = self.episode_slots + 1  # the state after the last decision is observed too
        return EpisodeShape(
            num_client_vehicles=self.num_client_vehicles, num_service_vehicles=0, num_slots=slots, slot_s=1.0
        )

    def initial_state(self, batch_shape: Any) -> Any:
        return State(queue_s=np.zeros(batch_shape))

    def sample(self, rng: Any) -> Any:
        shape = (self.episode_slots + 1, self.num_client_vehicles)
        return Draws(fading_power=rng.standard_exponential(shape))

    def exogenous(self, draws: Any, traffic: Any, road: Any) -> Any:
        offset_m = traffic.client_xy_m - np.array(road.rsu_xyz_m[:2])
        distance_m = np.maximum(np.linalg.norm(offset_m, axis=-1), 1.0)
        rate_mbps = 10.0 * np.log2(1.0 + 1e6 * draws.fading_power / distance_m**2)
        return Exogenous(transmit_s=4.0 / np.maximum(rate_mbps, 1.0))

    def observe(self, state: Any, exogenous: Any) -> Any:
        queue_s = np.broadcast_to(state.queue_s[..., None], exogenous.transmit_s.shape)
        return np.stack((queue_s, exogenous.transmit_s), axis=-1).astype(np.float32)

    def action_mask(self, state: Any, exogenous: Any) -> Any:
        return np.ones((*exogenous.transmit_s.shape, 2), np.bool_)

    def transition(self, state: Any, action: Any, exogenous: Any) -> Any:
        action = np.asarray(action)
        if np.any((action < 0) | (action > 1)):
            raise ValueError(f"actions must be 0 (compute) or 1 (send), got {action}")
        waiting_s = state.queue_s[..., None] + self.unit_s * np.cumsum(action, axis=-1)
        delay_s = np.where(action == 1, exogenous.transmit_s + waiting_s, self.local_s)
        queue_s = np.maximum(state.queue_s + self.unit_s * action.sum(axis=-1) - 1.0, 0.0)
        return State(queue_s=queue_s), Outcome(delay_s=delay_s, reward=-delay_s.sum(axis=-1))

    def metrics(self, next_state: Any, outcome: Any) -> Any:
        return {"delay_s": outcome.delay_s.sum(axis=-1), "queue_s": next_state.queue_s}


@dataclass(frozen=True, kw_only=True)
class Compared(SendOrNot):
    """The same problem under an id with references."""


class Always:
    """Takes one action at every epoch."""

    def __init__(self, problem: Any, action: int = 0) -> None:
        self._action = action

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: np.ndarray, view: View | None = None) -> np.ndarray:
        return np.full(observation.shape[:2], self._action)


class Coin(Always):
    """Draws every action."""

    def reset(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def act(self, observation: np.ndarray, view: View | None = None) -> np.ndarray:
        return self._rng.integers(0, 2, observation.shape[:2])


class Sends(Always):
    """Sends every task."""

    def __init__(self, problem: Any) -> None:
        super().__init__(problem, action=1)


OWN, COMPARED = "Own-SendOrNot-v0", "Own-Compared-v0"
vec_envs.register(OWN, SendOrNot)
vec_envs.register(
    COMPARED,
    Compared,
    references=References(
        policies={"random": RegisteredReference(make=Coin), "compute": RegisteredReference(make=Always)}
    ),
)

COMPUTES = CustomPolicy(name="compute", source=f"{__name__}:Always")
SENDS = CustomPolicy(name="send", source=f"{__name__}:Sends")
QMIX = Learned(
    name="qmix", learner="qmix", options={"hidden": 8, "warm_up_episodes": 4}, run={"episodes": 8, "num_envs": 4}
)


REFERENCES = (Reference(name="random"), Reference(name="compute"), Reference(name="static", stored=True))
FAST_UNIT = {"local_s": 0.35, "unit_s": 0.05}
FOUND = Path(tempfile.mkdtemp()) / "references.jsonl"
"""Where `python -m benchmarks.references find` writes blind tables and the seer."""


def _case(name: str, env_id: str, *policies: Any, **env: Any) -> Case:
    env = {"episode_slots": 6, **env}
    return Case(
        name=name, env_id=f"{__name__}:{env_id}", env=env, policies=policies, episodes=4, recorded=True,
        references=str(FOUND),
    )  # fmt: skip


SUITE = Suite(
    name="own",
    title="My suite",
    cases=(
        _case("three", OWN, COMPUTES, SENDS, QMIX),
        _case("five", OWN, COMPUTES, SENDS, QMIX, num_client_vehicles=5),
        _case("compared", COMPARED, *REFERENCES, SENDS, **FAST_UNIT),
    ),
    columns=("delay_s",),
    seeds=1,
    version="1",
)
NO_SUITE = 7
