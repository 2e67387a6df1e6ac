"""What a learner is to the command line, the training loop and the evaluation. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from trainers.learners.options import ReplayOptions
from vec_envs.policies.policy import Policy


class LearnerOptions(Protocol):
    """The options of a learner: a frozen dataclass with those of replay among them."""

    @property
    def replay(self) -> ReplayOptions: ...
    def exploration(self, progress: float, *, warm_up: bool) -> float:
        """Returns the probability of a random action at this part, 0 to 1, of the run; `warm_up`: before any update."""
        ...

    def learning_rate_part(self, progress: float) -> float:
        """Returns what is left of the learning rates at this part of the run."""
        ...


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A learner: its environments and presets, what builds its algorithm, and what makes a policy of that."""

    name: str
    env_ids: tuple[str, ...]
    """The environments that it trains on; the first is the default."""
    presets: Mapping[str, tuple[dict[str, Any], Any, dict[str, Any]]]
    """Name -> fields of the environment, `LearnerOptions`, fields of the run."""
    build: Callable[..., Any] = field(repr=False)
    """(problem, options, seed=) -> an `OffPolicyAlgorithm` of Tianshou whose policy is an `ExploringPolicy`."""
    policy: Callable[[Any, Any, Any], Policy] = field(repr=False)
    """(algorithm, options, problem) -> the policy that it has learned."""
