"""A user's problem in which reach and channel decide, with a policy that sees them, and a suite of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

import vec_envs
from benchmarks.suites.suite import Case, Suite
from vec_envs.mobility import EpisodeShape
from vec_envs.problems.base import DiscreteActions, Metric, View
from vec_envs.problems.policy import Reference, References


@dataclass(frozen=True, kw_only=True)
class State:
    slot: np.ndarray  # [*batch]


@dataclass(frozen=True, kw_only=True)
class Draws:
    fading_power: np.ndarray  # [epochs + 1, vehicles]


@dataclass(frozen=True, kw_only=True)
class Exogenous:
    rate_mbps: np.ndarray  # [*batch, vehicles]; 0 out of reach


@dataclass(frozen=True, kw_only=True)
class Outcome:
    delay_s: np.ndarray  # [*batch, vehicles]
    reward: np.ndarray  # [*batch]


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Vehicles compute a task in `local_s`, or send 1 Mbit to a unit; sending out of reach is refused."""

    num_client_vehicles: int = 3
    """Vehicles."""
    episode_slots: int = 20
    """Slots of an episode."""
    local_s: float = 1.0
    """Time of a task at its vehicle."""
    reach_m: float = 150.0
    """Distance up to which the unit is in reach."""

    one_at_a_time: ClassVar = False
    observation_size: ClassVar = 1
    reported_metrics: ClassVar = (Metric(name="delay_s", unit="s"),)
    channel_fields: ClassVar = ("rate_mbps",)

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
        slots = self.episode_slots + 1
        return EpisodeShape(
            num_client_vehicles=self.num_client_vehicles, num_service_vehicles=0, num_slots=slots, slot_s=1.0
        )

    def initial_state(self, batch_shape: Any) -> Any:
        return State(slot=np.zeros(batch_shape))

    def sample(self, rng: Any) -> Any:
        return Draws(fading_power=rng.standard_exponential((self.episode_slots + 1, self.num_client_vehicles)))

    def exogenous(self, draws: Any, traffic: Any, road: Any) -> Any:
        distance_m = np.linalg.norm(traffic.client_xy_m - np.array(road.rsu_xyz_m[:2]), axis=-1)
        return Exogenous(rate_mbps=np.where(distance_m <= self.reach_m, 0.1 + 2.0 * draws.fading_power, 0.0))

    def observe(self, state: Any, exogenous: Any) -> Any:
        return exogenous.rate_mbps[..., None].astype(np.float32)

    def action_mask(self, state: Any, exogenous: Any) -> Any:
        return np.stack([np.ones_like(exogenous.rate_mbps, np.bool_), exogenous.rate_mbps > 0.0], axis=-1)

    def transition(self, state: Any, action: Any, exogenous: Any) -> Any:
        sends = np.asarray(action) == 1
        if (sends & (exogenous.rate_mbps == 0.0)).any():
            raise ValueError("a vehicle out of reach cannot send")
        delay_s = np.full(sends.shape, self.local_s)
        np.divide(1.0, exogenous.rate_mbps, out=delay_s, where=sends)
        return State(slot=state.slot + 1.0), Outcome(delay_s=delay_s, reward=-delay_s.sum(axis=-1))

    def metrics(self, next_state: Any, outcome: Any) -> Any:
        return {"delay_s": outcome.delay_s.sum(axis=-1), "slot": next_state.slot}


class SendsIfFaster:
    """Sends where this takes less time than to compute, by what it observes."""

    def __init__(self, problem: Any) -> None:
        self._local_s = problem.local_s

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: np.ndarray, view: View | None = None) -> np.ndarray:
        return (observation[..., 0] > 1.0 / self._local_s).astype(np.int64)


class Computes(SendsIfFaster):
    """Never sends."""

    def act(self, observation: np.ndarray, view: View | None = None) -> np.ndarray:
        return np.zeros(observation.shape[:2], np.int64)


ENV_ID = "Own-Reach-v0"
vec_envs.register(
    ENV_ID,
    Reach,
    references=References(
        policies={"computes": Reference(make=Computes, selfish=True), "sends-if-faster": Reference(make=SendsIfFaster)}
    ),
)
CASE = Case(name="reach", env_id=f"{__name__}:{ENV_ID}", env={"local_s": 0.8}, policies=(), seed=40)
SUITE = Suite(name="reach", title="Reach", cases=(CASE,))
