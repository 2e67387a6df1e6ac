"""What a learner learns from, and when: replay of all that was, or what was played since it last learned."""

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


class Experience(Protocol):
    """What the training loop asks: it adds the transitions of each step, and lets learn after it and after a round."""

    updates: int
    """Gradient steps made."""
    warm_up_episodes: int
    """Episodes to be played before the first."""

    def add(self, joined: Transitions) -> None: ...
    def learn_after_step(self) -> list[Report]:
        """Makes the gradient steps that are due; returns what each reports."""
        ...

    def learn_after_round(self) -> list[Report]:
        """The same, where all lanes have ended."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Returns what a checkpoint between rounds holds of it: tensors and plain values."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Replay:
    """Keeps many transitions, and makes so many gradient steps a step from batches drawn of them."""

    def __init__(
        self,
        options: ReplayOptions,
        algorithm: OffPolicyAlgorithm[Any],
        *,
        observation_shape: tuple[int, ...],
        seed: int,
    ) -> None:
        self.updates, self.warm_up_episodes = 0, options.warm_up_episodes
        self._options, self._algorithm, self._owed = options, algorithm, 0.0
        self.buffer = ReplayBuffer(
            options.buffer_size,
            observation_shape=observation_shape,
            action_space=algorithm.policy.action_space,
            seed=seed,
        )

    def add(self, joined: Transitions) -> None:
        """Keeps transitions."""
        goes_on = np.zeros(len(joined.reward), np.bool_)  # time ends an episode, nothing else: what follows counts
        self.buffer.add(joined.observation, joined.action, joined.reward, joined.following, goes_on)

    def learn_after_step(self) -> list[Report]:
        """Makes the gradient steps that are due."""
        if not len(self.buffer):  # a row's first decision is kept when its next one is seen
            return []
        self._owed += self._options.updates_per_step
        reports: list[Report] = []
        while self._owed >= 1.0:
            with policy_within_training_step(self._algorithm.policy):
                stats = self._algorithm.update(cast(Any, self.buffer), self._options.batch_size)
            reports.append(stats.get_loss_stats_dict())
            self._owed -= 1.0
            self.updates += 1
        return reports

    def learn_after_round(self) -> list[Report]:
        """Has nothing left to learn."""
        return []

    def state_dict(self) -> dict[str, Any]:
        """Returns transitions, what is due, and the generator's state."""
        return {
            "updates": self.updates,
            "owed": self._owed,
            "buffer": self.buffer.state_dict(),
            "random": json.dumps(self.buffer.random_state()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over what `state_dict` gave."""
        self.updates, self._owed = state["updates"], state["owed"]
        self.buffer.load_state_dict(state["buffer"])
        self.buffer.set_random_state(json.loads(state["random"]))


class Rollout:
    """Keeps what all lanes play for some steps, learns from it, and forgets it.

    All lanes must decide at every step. To an on-policy `Algorithm` it is a buffer: it has `sample`, lane by lane.
    """

    def __init__(self, options: RolloutOptions, algorithm: OnPolicyAlgorithm[Any]) -> None:
        self.updates, self.warm_up_episodes = 0, 0
        self._options, self._algorithm = options, algorithm
        self._steps: list[Transitions] = []

    def add(self, joined: Transitions) -> None:
        """Keeps a step. Raises `ValueError` where not all lanes took part in it."""
        if self._steps and len(joined.reward) != len(self._steps[0].reward):
            raise ValueError("learning from rollouts needs problems whose lanes all decide at every step")
        self._steps.append(joined)

    def learn_after_step(self) -> list[Report]:
        """Learns where there is enough."""
        return self.learn_after_round() if len(self._steps) >= self._options.steps else []

    def learn_after_round(self) -> list[Report]:
        """Learns from what there is, and forgets it; not from a single transition, which has no standard deviation."""
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
        """Returns all transitions, whatever the size asked for, and their rows; a lane's are one after the other."""
        steps, lanes = len(self._steps), len(self._steps[0].reward)

        def by_lane(name: str) -> np.ndarray:
            kept = np.stack([getattr(step, name) for step in self._steps], axis=1)
            return kept.reshape(steps * lanes, *kept.shape[2:])

        last: Bool[np.ndarray, "all"] = np.tile(np.arange(steps) == steps - 1, lanes)
        names = {"obs": "observation", "act": "action", "rew": "reward", "obs_next": "following"}
        batch = Batch({name: by_lane(of) for name, of in names.items()})
        batch.info = Batch()
        batch.truncated, batch.terminated = last, np.zeros(len(last), np.bool_)  # what follows counts
        self.terminated = batch.terminated
        return batch, np.arange(len(last))

    def unfinished_index(self) -> Int[np.ndarray, "none"]:
        """Returns the rows of lanes that go on: none."""
        return np.zeros(0, dtype=np.int64)

    def state_dict(self) -> dict[str, Any]:
        """Returns the number of steps made: between rounds there is nothing else."""
        return {"updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over what `state_dict` gave."""
        self.updates = state["updates"]


def replay(options: Any, algorithm: Any, *, observation_shape: tuple[int, ...], seed: int) -> Replay:
    """Returns the replay of options that have some, `options.replay`."""
    return Replay(options.replay, algorithm, observation_shape=observation_shape, seed=seed)


def rollout(options: Any, algorithm: Any, *, observation_shape: tuple[int, ...], seed: int) -> Rollout:
    """Returns the rollout of options that have one, `options.rollout`."""
    return Rollout(options.rollout, algorithm)


EXPERIENCES = {"replay": replay, "rollout": rollout}
"""How a `Learner` names them."""
