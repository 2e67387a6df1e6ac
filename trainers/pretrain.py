"""Pre-training of QMIX's agents on an expert: `python -m trainers.pretrain`, then `--init-from DIR/checkpoint.pt`.

An expert that sees the whole slot plays episodes; the agents learn by how much each of their actions would have changed
its reward, each agent from its own observation. MAD2RL's denoisers learn it by the forward diffusion, P-QMIX's networks
as it is. What comes out is a run like any other: `trainers.evaluate` plays it, and training goes on from it. Section 9
of MAD2RL proposes it.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainers.evaluate import LEARNERS
from trainers.registry import Learner
from trainers.runs.options import Run, parse
from vec_envs.validation import count, fraction, positive

AGENTS = ("qmix_diffusion", "qmix")
FINE_TUNING = {"value_penalty": 0.01, "exploration_start": 0.05}
"""How training goes on, the learner's other options as they are: chance undoes what is learned, and so does the usual
penalty, which pulls values to zero. Without any MAD2RL's values run away while the mixer is new."""


@dataclass(frozen=True, kw_only=True)
class Pretraining(Run):
    """Learns from an expert that plays `episodes`. Those are kept: the same command, with the same `--output`, has the
    expert play what is missing of them, and learns from them anew.

    Of the learner's options those of its networks, of the loss and of its scale count, and none of how it trains.
    """

    agents: str = AGENTS[0]
    """Whose agents learn: "qmix_diffusion" or "qmix"."""
    episodes: int = 512
    """Episodes that the expert plays, rounded up to whole rounds of the lanes."""
    expert: str = "best-response-drift"
    """Which reference plays: "best-response-...", or "optimum-...", the exact one, which takes ten times as long."""
    exploration: float = 0.1
    """Probability that a client acts at random instead: so slots beside the expert's own path are seen."""
    experts: Path | None = None
    """Where its episodes are, or are made; by default in the run's folder. Runs of both agents can share them."""
    epochs: int = 10
    """How often what it decided is gone over."""
    batch_size: int = 128
    """Slots of a gradient step."""
    learning_rate: float = 5e-4
    """Of Adam, at first; it falls linearly to 0."""
    init_from: Path | None = None
    """Not here: pre-training starts from nothing."""
    resume: bool = False
    """Not here: the same command goes on, where `--output` is given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(exploration=self.exploration)
        count(1, epochs=self.epochs, batch_size=self.batch_size)
        positive(learning_rate=self.learning_rate)
        if self.rounds < 2:
            raise ValueError(
                f"episodes={self.episodes} must be more than num_envs={self.num_envs}: a round of episodes is not "
                "learned from, to see how well the expert is met"
            )
        if self.resume or self.init_from:
            raise ValueError("pre-training starts from nothing, and its same command goes on: no --resume, --init-from")


def read_arguments(arguments: Sequence[str] | None = None) -> tuple[Learner, Pretraining]:
    """Returns whose agents learn, and how; exits with a message where the command line is wrong."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--agents", default=AGENTS[0])
    agents = first.parse_known_args(arguments)[0].agents
    if agents not in AGENTS:
        sys.exit(f"trainers.pretrain: the agents {agents!r} are unknown; there are {', '.join(map(repr, AGENTS))}")
    learner: Learner = importlib.import_module(LEARNERS[agents]).LEARNER
    return learner, parse(learner, arguments, kind=Pretraining, module="pretrain")


if __name__ == "__main__":
    given = read_arguments()  # before torch is imported
    from trainers.imitation.fitting import main

    main(*given)
