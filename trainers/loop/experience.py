"""The experience of a learner and the times of its gradient steps: a replay buffer, or an on-policy rollout."""

from __future__ import annotations

import json
from typing import Any, Protocol, cast

import numpy as np
from jaxtyping import Bool, Int
from tianshou.algorithm.algorithm_base import OffPolicyAlgorithm, OnPolicyAlgorithm
from tianshou.data import Batch
from tianshou.utils.torch_utils import policy_within_training_step

from trainers.algorithms.options import ReplayOptions, RolloutOptions
from trainers.loop.episodes import Transitions
from trainers.tianshou_bridge.replay import ReplayBuffer

Report = dict[str, float]
"""Losses of one gradient step, by name."""


class Experience(Protocol):
    """Receives the transitions of each step, and makes the gradient steps that are due.

    A round is one episode in each environment.
    """

    updates: int
    """The number of gradient steps made."""
    warm_up_episodes: int
    """The number of episodes to play before the first gradient step."""

    def add(self, joined: Transitions) -> None:
        """Stores the transitions that a step completed."""
        ...

    def learn_after_step(self) -> list[Report]:
        """Makes the gradient steps that are due after a step, and returns their losses."""
        ...

    def learn_after_round(self) -> list[Report]:
        """Makes the gradient steps that are due after a round, and returns their losses."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Returns the state between two rounds, for a checkpoint: tensors and plain values."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        ...


class Replay:
    """A replay buffer, with a given number of gradient steps after every step of the environments."""

    def __init__(
        self,
        options: ReplayOptions,
        algorithm: OffPolicyAlgorithm[Any],
        *,
        observation_shape: tuple[int, ...],
        seed: int,
    ) -> None:
        self.updates, self.warm_up_episodes = 0, options.warm_up_episodes
        self._options, self._algorithm, self._updates_due = options, algorithm, 0.0
        self.buffer = ReplayBuffer(
            options.buffer_size,
            observation_shape=observation_shape,
            action_space=algorithm.policy.action_space,
            seed=seed,
        )

    def add(self, joined: Transitions) -> None:
        """Stores transitions."""
        # Episodes end by their time limit only, which is truncation: the value of the next observation counts.
        terminated = np.zeros(len(joined.reward), np.bool_)
        self.buffer.add(joined.observation, joined.action, joined.reward, joined.next_observation, terminated)

    def learn_after_step(self) -> list[Report]:
        """Makes the gradient steps that are due, and returns their losses."""
        if not len(self.buffer):  # a chain's first transition is stored only with its second decision
            return []
        self._updates_due += self._options.updates_per_step
        reports: list[Report] = []
        while self._updates_due >= 1.0:
            with policy_within_training_step(self._algorithm.policy):
                stats = self._algorithm.update(cast(Any, self.buffer), self._options.batch_size)
            reports.append(stats.get_loss_stats_dict())
            self._updates_due -= 1.0
            self.updates += 1
        return reports

    def learn_after_round(self) -> list[Report]:
        """Does nothing: gradient steps are made after every step."""
        return []

    def state_dict(self) -> dict[str, Any]:
        """Returns the transitions, the gradient steps made and due, and the state of the generator."""
        return {
            "updates": self.updates,
            "owed": self._updates_due,
            "buffer": self.buffer.state_dict(),
            "random": json.dumps(self.buffer.random_state()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self.updates, self._updates_due = state["updates"], state["owed"]
        self.buffer.load_state_dict(state["buffer"])
        self.buffer.set_random_state(json.loads(state["random"]))


class Rollout:
    """An on-policy rollout: transitions of all environments over some steps, which are used once and then dropped.

    All environments must decide at every step. An on-policy `Algorithm` uses the rollout as its buffer: `sample`
    returns the transitions environment by environment.
    """

    def __init__(self, options: RolloutOptions, algorithm: OnPolicyAlgorithm[Any]) -> None:
        self.updates, self.warm_up_episodes = 0, 0
        self._options, self._algorithm = options, algorithm
        self._steps: list[Transitions] = []

    def add(self, joined: Transitions) -> None:
        """Stores a step. Raises `ValueError` where not all environments took part in it."""
        if self._steps and len(joined.reward) != len(self._steps[0].reward):
            raise ValueError(
                f"a rollout needs a transition of each environment at every step, got {len(joined.reward)} of "
                f"{len(self._steps[0].reward)}: choose a learner with a replay buffer for this problem"
            )
        self._steps.append(joined)

    def learn_after_step(self) -> list[Report]:
        """Learns once the rollout has its full length, and returns the losses."""
        return self.learn_after_round() if len(self._steps) >= self._options.steps else []

    def learn_after_round(self) -> list[Report]:
        """Learns from the transitions, drops them, and returns the losses.

        A single transition is dropped without learning, because advantages are divided by their standard deviation.
        """
        if sum(len(step.reward) for step in self._steps) < 2:
            self._steps.clear()
            return []
        with policy_within_training_step(self._algorithm.policy):
            stats: Any = self._algorithm.update(cast(Any, self), self._options.batch_size, self._options.repeats)
        self._steps.clear()
        self.updates += stats.gradient_steps
        report = stats.get_loss_stats_dict()
        report.pop("gradient_steps")
        return [report]

    def sample(self, batch_size: int | None) -> tuple[Batch, Int[np.ndarray, "all"]]:
        """Returns all transitions and their row numbers; `batch_size` is not used.

        The transitions of an environment are consecutive rows, in the order of time.
        """
        num_steps, num_envs = len(self._steps), len(self._steps[0].reward)

        def by_environment(name: str) -> np.ndarray:
            stacked = np.stack([getattr(step, name) for step in self._steps], axis=1)
            return stacked.reshape(num_steps * num_envs, *stacked.shape[2:])

        last: Bool[np.ndarray, "all"] = np.tile(np.arange(num_steps) == num_steps - 1, num_envs)
        names = {"obs": "observation", "act": "action", "rew": "reward", "obs_next": "next_observation"}
        batch = Batch({name: by_environment(of) for name, of in names.items()})
        batch.info = Batch()
        # The rollout is truncated after its last step, and no episode terminates: the value of the next state counts.
        batch.truncated, batch.terminated = last, np.zeros(len(last), np.bool_)
        self.terminated = batch.terminated
        return batch, np.arange(len(last))

    def unfinished_index(self) -> Int[np.ndarray, "none"]:
        """Returns no rows: Tianshou asks for unfinished episodes, but `sample` marks all last rows as truncated."""
        return np.zeros(0, dtype=np.int64)

    def state_dict(self) -> dict[str, Any]:
        """Returns the number of gradient steps made; between rounds the rollout is empty."""
        return {"updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self.updates = state["updates"]


def replay(options: Any, algorithm: Any, *, observation_shape: tuple[int, ...], seed: int) -> Replay:
    """Builds the replay buffer from the field `replay` of learner options."""
    return Replay(options.replay, algorithm, observation_shape=observation_shape, seed=seed)


def rollout(options: Any, algorithm: Any, *, observation_shape: tuple[int, ...], seed: int) -> Rollout:
    """Builds the rollout from the field `rollout` of learner options."""
    return Rollout(options.rollout, algorithm)


EXPERIENCES = {"replay": replay, "rollout": rollout}
"""Value of `Learner.experience` -> function that builds the experience."""
