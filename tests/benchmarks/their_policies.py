"""What other people hand in: good and bad policies."""

from __future__ import annotations

import contextlib
import time
import warnings
from typing import Any, ClassVar

import numpy as np


class Local:
    """All layers at the client: its last action."""

    env_ids = ("VEC-DNNPartition-v0",)

    def __init__(self, problem: Any) -> None:
        self.problem = problem

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        return np.zeros(observation.shape[:2], np.int64) + (np.array(self.problem.num_layers) * self.problem.num_nodes)


class Sees(Local):
    """Insists on the extended observation."""

    sees: ClassVar = {"observation": "extended"}

    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        if observation.shape[-1] != self.problem.observation_size or self.problem.observation != "extended":
            raise ValueError("this is not what it sees")
        return super().act(observation, view)


class Warns(Local):
    """As `ExactSlot` does of a slot that it cannot prove."""

    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        warnings.warn("3 of 4 slots are guessed", stacklevel=2)
        return super().act(observation, view)


class Elsewhere(Local):
    env_ids = ("VEC-TaskDiversion-v0",)


class Nowhere(Local):
    env_ids = ("VEC-DNNPartition-v1",)


class OneName(Local):
    env_ids: Any = "VEC-DNNPartition-v0"


class Raises(Local):
    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        raise KeyError("no such thing")


class WrongShape(Local):
    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        return super().act(observation, view)[:, :-1]


class NotANumber(Local):
    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        return np.full(observation.shape[:2], np.nan)


class OutOfRange(Local):
    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        return np.full(observation.shape[:2], 10_000)


class Sleeps(Local):
    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        time.sleep(600.0)
        return super().act(observation, view)


class Swallows(Local):
    """Goes on whatever comes."""

    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        with contextlib.suppress(Exception):
            time.sleep(600.0)
        return super().act(observation, view)


class NeverStarts(Local):
    def reset(self, seed: int) -> None:
        time.sleep(600.0)


class Leaves(Local):
    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        raise SystemExit(0)


class Random:
    """Draws: an integer for each agent, or numbers."""

    def __init__(self, problem: Any) -> None:
        self.problem = problem

    def reset(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        batch_size = observation.shape[0]
        if hasattr(self.problem, "action_counts"):
            return self.rng.integers(0, self.problem.action_counts, (batch_size, len(self.problem.action_counts)))
        return self.rng.uniform(-1.0, 1.0, (batch_size, 1, self.problem.actions.size))


class Vandal(Random):
    """Writes into all that it is shown."""

    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        action = super().act(observation, view)
        observation[:] = 0.0
        for record in (view.state, view.exogenous):
            for value in vars(record).values():
                if isinstance(value, np.ndarray):
                    value[:] = 0
        for cached in vars(view.problem).values():
            for value in vars(cached).values() if hasattr(cached, "__dict__") else [cached]:
                if isinstance(value, np.ndarray):
                    value.flags.writeable = True
                    value[:] = 0
        return action


def needs_more(problem: Any) -> Any:
    raise RuntimeError("no checkpoint")


def makes_nothing(problem: Any) -> Any:
    return 7


NOTHING = 7
