"""A problem of your own: each vehicle computes its task itself, or sends it to a roadside unit where tasks queue.

`docs/tutorials/own-problem.md` explains it. This command plays the reference policies, and the next one trains:

    cd docs/examples && python my_problem.py
    python -m trainers.qmix --env-id my_problem:My-SendOrNot-v0 --episodes 96
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import vec_envs
from vec_envs.mobility import EpisodeShape
from vec_envs.problems.base import DiscreteActions, Metric
from vec_envs.problems.policy import Constant, Reference, References

COMPUTE, SEND = 0, 1


@dataclass(frozen=True, kw_only=True)
class State:
    """The state: quantities that decisions change."""

    queue_s: np.ndarray  # [*batch]


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The random numbers of an episode."""

    fading_power: np.ndarray  # [epochs + 1, vehicles]


@dataclass(frozen=True, kw_only=True)
class Exogenous:
    """Quantities that no decision changes. The record of a whole episode has an axis of epochs before the last axis."""

    transmit_s: np.ndarray  # [*batch, vehicles]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a decision. `reward` is required, and you choose the other fields."""

    delay_s: np.ndarray  # [*batch, vehicles]
    reward: np.ndarray  # [*batch]


@dataclass(frozen=True, kw_only=True)
class SendOrNot:
    """Vehicles that share a roadside unit."""

    num_client_vehicles: int = 3
    """Vehicles, each with a task in every slot."""
    episode_slots: int = 20
    """Slots of an episode."""
    local_s: float = 1.0
    """Time of a task at its vehicle."""
    unit_s: float = 0.4
    """Time of a task at the roadside unit."""

    one_at_a_time = False
    observation_size = 2
    reported_metrics = (Metric(name="delay_s", unit="s"),)

    @property
    def episode_epochs(self):
        """The number of decisions of an episode."""
        return self.episode_slots

    @property
    def agent_names(self):
        """The names of the agents."""
        return tuple(f"vehicle_{i}" for i in range(self.num_client_vehicles))

    @property
    def actions(self):
        """Two actions for each vehicle."""
        return DiscreteActions(counts=(2,) * self.num_client_vehicles)

    @property
    def traffic_shape(self):
        """The traffic that an episode needs; the state after the last decision is observed too."""
        slots = self.episode_slots + 1
        return EpisodeShape(
            num_client_vehicles=self.num_client_vehicles, num_service_vehicles=0, num_slots=slots, slot_s=1.0
        )

    def initial_state(self, batch_shape):
        """Returns the state before the first decision."""
        return State(queue_s=np.zeros(batch_shape))

    def sample(self, rng):
        """Returns all random numbers of an episode."""
        shape = (self.episode_slots + 1, self.num_client_vehicles)
        return Draws(fading_power=rng.standard_exponential(shape))

    def exogenous(self, draws, traffic, road):
        """Returns the time to send in every slot, from the random numbers and the traffic."""
        offset_m = traffic.client_xy_m - np.array(road.rsu_xyz_m[:2])
        distance_m = np.maximum(np.linalg.norm(offset_m, axis=-1), 1.0)
        rate_mbps = 10.0 * np.log2(1.0 + 1e6 * draws.fading_power / distance_m**2)
        return Exogenous(transmit_s=4.0 / np.maximum(rate_mbps, 1.0))

    def observe(self, state, exogenous):
        """Returns two features of each vehicle: the length of the queue, and its own time to send."""
        queue_s = np.broadcast_to(state.queue_s[..., None], exogenous.transmit_s.shape)
        return np.stack((queue_s, exogenous.transmit_s), axis=-1).astype(np.float32)

    def action_mask(self, state, exogenous):
        """Returns which actions are legal; here all of them."""
        return np.ones((*exogenous.transmit_s.shape, 2), np.bool_)

    def transition(self, state, action, exogenous):
        """Returns the next state and the outcome of a decision of all vehicles."""
        action = np.asarray(action)
        if np.any((action < COMPUTE) | (action > SEND)):
            raise ValueError(f"actions must be {COMPUTE} (compute) or {SEND} (send), got {action}")
        waiting_s = state.queue_s[..., None] + self.unit_s * np.cumsum(action, axis=-1)
        delay_s = np.where(action == SEND, exogenous.transmit_s + waiting_s, self.local_s)
        queue_s = np.maximum(state.queue_s + self.unit_s * action.sum(axis=-1) - 1.0, 0.0)
        return State(queue_s=queue_s), Outcome(delay_s=delay_s, reward=-delay_s.sum(axis=-1))

    def metrics(self, next_state, outcome):
        """Returns the infos of a step."""
        return {"delay_s": outcome.delay_s.sum(axis=-1), "queue_s": next_state.queue_s}


def always(action):
    """Returns a function that makes the policy that always takes one action."""
    return lambda problem: Constant(np.full(len(problem.agent_names), action))


class ShorterTime:
    """Sends a task if sending and the present queue take less time than computing. It needs only the observation."""

    def __init__(self, problem):
        self._problem = problem

    def reset(self, seed):
        """Does nothing: there is no randomness."""

    def act(self, observation, view=None):
        """Returns the actions `[batch, vehicles]`."""
        sending_s = observation[..., 0] + self._problem.unit_s + observation[..., 1]
        return np.where(sending_s < self._problem.local_s, SEND, COMPUTE)


REFERENCES = References(
    policies={
        "all-local": Reference(make=always(COMPUTE)),
        "all-sent": Reference(make=always(SEND)),
        "shorter-time": Reference(make=ShorterTime),
    },
    to_beat="shorter-time",
)
factory = vec_envs.register("My-SendOrNot-v0", SendOrNot, references=REFERENCES)


if __name__ == "__main__":
    env = factory.vector_env(num_envs=8, mobility="replay")
    for name, reference in REFERENCES.policies.items():
        policy = reference.make(env.problem)
        observation, _ = env.reset(seed=500_000)
        total_s = 0.0
        for _ in range(env.problem.episode_epochs):
            observation, _, _, _, infos = env.step(policy.act(observation, env.view))
            total_s += infos["delay_s"].mean() / env.problem.episode_epochs
        print(f"{name:14}{total_s:6.2f} s of all vehicles together in a slot")
    env.close()
