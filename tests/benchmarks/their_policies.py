"""What other people hand in: good and bad policies."""

from __future__ import annotations

import contextlib
import time
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
        time.sleep(60.0)
        return super().act(observation, view)


class Swallows(Local):
    """Goes on whatever comes."""

    def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
        with contextlib.suppress(Exception):
            time.sleep(60.0)
        return super().act(observation, view)


def needs_more(problem: Any) -> Any:
    raise RuntimeError("no checkpoint")


def makes_nothing(problem: Any) -> Any:
    return 7


NOTHING = 7
