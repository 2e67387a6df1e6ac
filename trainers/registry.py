"""Learners by name, and what a learner offers to the command line, training and evaluation.

This module does not import torch, so that the command line starts fast.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from vec_envs.validation import did_you_mean

if TYPE_CHECKING:
    from trainers.tianshou_bridge.policy import LearnedPolicy


class Schedule(Protocol):
    """The learning rate and the exploration as functions of a run's progress."""

    @property
    def final_learning_rate(self) -> float:
        """The final learning rates as a fraction of the initial ones."""
        ...

    def explores(self, progress: float, *, warm_up: bool) -> float:
        """Returns the amount of exploration: the probability of a random action, or the weight of entropy.

        Args:
            progress: The fraction of the run that is done, from 0 to 1.
            warm_up: Whether the learner has made no update yet.
        """
        ...


class LearnerOptions(Protocol):
    """The options of a learner: a frozen dataclass with a field `replay` or `rollout` for its experience."""

    @property
    def schedule(self) -> Schedule:
        """The options that set learning rate and exploration over the run."""
        ...


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named set of defaults for the options of the learner, of the environment and of the run."""

    learner: LearnerOptions
    env: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """Options of each environment that the preset was made for, by the environment's id."""
    run: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Options of the run, such as the number of episodes."""
    learners: Mapping[str, LearnerOptions] = field(default_factory=dict[str, LearnerOptions])
    """Options of the learner for an environment, by its id, where they are not `learner`."""
    runs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """Options of the run for an environment, by its id, in addition to `run`."""
    learner_for_others: LearnerOptions | None = None
    """Options of the learner for all other environments; None to use `learner` there too."""

    def learner_for(self, env_id: str) -> LearnerOptions:
        """Returns the options of the learner for an environment."""
        if env_id in self.learners:
            return self.learners[env_id]
        return self.learner if env_id in self.env or self.learner_for_others is None else self.learner_for_others


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A learner: its presets, the problems that it fits, and the functions that build an algorithm and a policy."""

    name: str
    default_env_id: str
    """The environment if the command line has no `--env-id`."""
    presets: Mapping[str, Preset]
    misfit: Callable[[Any], str] = field(repr=False)
    """Takes a problem, and returns why the learner cannot train on it; "" where it can."""
    build: Callable[..., Any] = field(repr=False)
    """Takes (problem, options, seed=), and returns a Tianshou `Algorithm` whose policy is an `ExploringPolicy`."""
    policy: Callable[[Any], LearnedPolicy] = field(repr=False)
    """Takes an algorithm, and returns its learned policy."""
    experience: Literal["replay", "rollout"] = "replay"
    """The kind of experience in `trainers.loop.experience`: a replay buffer, or on-policy rollouts."""
    shortcuts: Mapping[str, str] = field(default_factory=dict[str, str])
    """Presets by the command-line flags that select them."""
    revision: int = 1
    """Raised by every change of the code after which the same options and seed learn another policy.

    Benchmark results carry it, so that results of corrected code are not mistaken for older ones.
    """


LEARNERS = {
    "dqn": "trainers.dqn",
    "ppo": "trainers.ppo",
    "qmix": "trainers.qmix",
    "qmix_diffusion": "trainers.qmix_diffusion",
    "sac": "trainers.sac",
}
"""Modules by the name of the learner; each has the learner as `LEARNER`."""
_REGISTERED: dict[str, Learner] = {}
"""Learners of users by name."""


def register(learner: Learner) -> Learner:
    """Makes a learner of your own known by its name, for evaluations and for `trainers.loop.evaluation.load_run`.

    Returns the learner. Raises `ValueError` where a learner of this project has the name.
    """
    if learner.name in LEARNERS:
        raise ValueError(f"name={learner.name!r} is a learner of this project: choose another name")
    _REGISTERED[learner.name] = learner
    return learner


def learner_named(name: str) -> Learner:
    """Returns the learner with this name. Raises `ValueError` for an unknown name.

    A learner of your own is known once its module has been imported, and has called `register`.
    """
    if name in _REGISTERED:
        return _REGISTERED[name]
    if name not in LEARNERS:
        known = ", ".join(map(repr, (*LEARNERS, *_REGISTERED)))
        near = did_you_mean(name, (*LEARNERS, *_REGISTERED))
        raise ValueError(
            f"the learner {name!r} is unknown; known are: {known}; import the module of a learner of your own first"
            f"{near}"
        )
    return importlib.import_module(LEARNERS[name]).LEARNER
