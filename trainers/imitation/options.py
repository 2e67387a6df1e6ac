"""The options of pre-training. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainers.runs.options import Run
from vec_envs.validation import check_fraction, check_integer, check_positive

AGENTS = ("qmix_diffusion", "qmix")
"""Learners whose agents can be pre-trained; the first is the default."""
FINE_TUNING = {"value_penalty": 0.01, "exploration_start": 0.05}
"""Options of the learner for the training that follows; the other options stay as they are.

Random actions undo the pre-training, and so does the default penalty, which pulls values to zero. Without any penalty,
MAD2RL's values diverge while the mixer is untrained.
"""


@dataclass(frozen=True, kw_only=True)
class Pretraining(Run):
    """Pre-trains agents on an expert that plays `episodes`. The episodes are kept: a second call of the command with
    the same `--output` plays only the missing ones, and learns from the beginning.

    Of the learner's options, only those of the networks, of the loss, of the reward scale and `max_grad_norm` apply.
    """

    agents: str = AGENTS[0]
    """Learner whose agents are trained: "qmix_diffusion" or "qmix"."""
    episodes: int = 512
    """Episodes that the expert plays, rounded up to a multiple of num_envs."""
    expert: str = "best-response-drift"
    """Reference policy that plays: "best-response-...", or the exact "optimum-...", which takes ten times as long."""
    exploration: float = 0.1
    """Probability that a client takes a random action instead, so that slots off the expert's path are seen too."""
    experts: Path | None = None
    """Folder of the expert's episodes; by default in the run's folder. Runs of both learners can share it."""
    improvements: int = 0
    """Number of times that training is repeated with the agents in place of the expert: they play as many new episodes,
    and learn how other choices would have changed their rewards."""
    epochs: int = 10
    """Number of passes over the expert's decisions, and over the agents' own in each improvement."""
    batch_size: int = 128
    """Slots of a gradient step, or decisions where all agents are one network."""
    learning_rate: float = 5e-4
    """Initial learning rate of Adam; it falls linearly to 0, and starts again at each improvement."""
    init_from: Path | None = None
    """Not available: pre-training starts from new weights."""
    resume: bool = False
    """Not available: repeat the command with the same `--output` to continue."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction(exploration=self.exploration)
        check_integer(1, epochs=self.epochs, batch_size=self.batch_size)
        check_integer(0, improvements=self.improvements)
        check_positive(learning_rate=self.learning_rate)
        if self.rounds < 2:
            raise ValueError(
                f"episodes={self.episodes} must be more than num_envs={self.num_envs}: one round of episodes is held "
                "out, to measure how well the agents imitate the expert"
            )
        if self.resume or self.init_from:
            raise ValueError(
                "pre-training takes no --resume and no --init-from: it starts from new weights, and the same command "
                "with the same --output continues it"
            )
