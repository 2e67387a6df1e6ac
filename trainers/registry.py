"""What a learner is to the command line, the training loop and the evaluation. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from trainers.tianshou_bridge.policy import LearnedPolicy


class Schedule(Protocol):
    """What changes in the course of a run."""

    @property
    def final_learning_rate(self) -> float:
        """The part of the learning rates to which they fall: the round after the last would have it."""
        ...

    def explores(self, progress: float, *, warm_up: bool) -> float:
        """Returns how much is explored at this part, 0 to 1, of the run: the probability of a random action, or what
        entropy is worth; `warm_up`: before any update."""
        ...


class LearnerOptions(Protocol):
    """The options of a learner: a frozen dataclass with those of its experience among them, named like that."""

    @property
    def schedule(self) -> Schedule:
        """The options that say what changes in the course of a run."""
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
    """(problem, options, seed=) -> an `Algorithm` of Tianshou whose policy is an `ExploringPolicy`."""
    policy: Callable[[Any], LearnedPolicy] = field(repr=False)
    """An algorithm -> the policy that it has learned."""
    experience: Literal["replay", "rollout"] = "replay"
    """What it learns from: of `trainers.loop.experience`."""
    shortcuts: Mapping[str, str] = field(default_factory=dict[str, str])
    """Flags of the command line that stand for a preset."""
