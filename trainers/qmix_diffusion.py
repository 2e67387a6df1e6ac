"""MAD2RL: every client a denoiser, mixed by QMIX. `python -m trainers.qmix_diffusion`"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from trainers.algorithms.options import DenoiserOptions, QMIXOptions, ReplayOptions
from trainers.qmix import (
    ENV_IDS,
    PAPER,
    PAPER_ENV,
    PAPER_REPLAY,
    PAPER_RUN,
    TUNED,
    TUNED_ENV,
    TUNED_REPLAY,
    learned,
)
from trainers.registry import Learner
from trainers.runs.options import parse

if TYPE_CHECKING:
    from trainers.algorithms.qmix import QMIX


@dataclass(frozen=True, kw_only=True)
class MAD2RLLearner:
    """The options of MAD2RL: those of P-QMIX, and the denoiser's."""

    qmix: Annotated[QMIXOptions, tyro.conf.arg(name="")] = field(default_factory=QMIXOptions)
    denoiser: Annotated[DenoiserOptions, tyro.conf.arg(name="")] = field(default_factory=DenoiserOptions)
    replay: Annotated[ReplayOptions, tyro.conf.arg(name="")] = field(default_factory=lambda: TUNED_REPLAY)

    @property
    def schedule(self) -> QMIXOptions:
        """The options that say what changes in the course of a run."""
        return self.qmix


def build(problem: Any, options: MAD2RLLearner, *, seed: int) -> QMIX:
    """Returns MAD2RL with weights, noise and exploration drawn from `seed`."""
    import torch

    from trainers.algorithms.qmix import assemble, known_of
    from trainers.networks.denoiser import DenoisingAgents
    from trainers.tianshou_bridge.draws import seeded_weights

    with seeded_weights(seed) as decisions:
        network = DenoisingAgents(
            num_agents=len(problem.agent_names),
            observation_size=problem.observation_size,
            action_mask=torch.as_tensor(problem.action_exists()),
            hidden=options.qmix.hidden,
            hidden_layers=options.qmix.hidden_layers,
            options=options.denoiser,
            known=known_of(problem, options.qmix),
        )
        return assemble(problem, network, options.qmix, seed=decisions)


RUN = {"threads": 2}
"""Seven agents' networks, several times over, are enough for two."""
PAPER_DENOISER = DenoiserOptions(denoising_steps=7, prediction="noise", bound=0.0, noise=1.0, softmax=True)

LEARNER = Learner(
    name="qmix_diffusion",
    env_ids=ENV_IDS,
    presets={
        "tuned": (TUNED_ENV, MAD2RLLearner(qmix=TUNED), RUN),
        "paper": (PAPER_ENV, MAD2RLLearner(qmix=PAPER, denoiser=PAPER_DENOISER, replay=PAPER_REPLAY), RUN | PAPER_RUN),
    },
    build=build,
    policy=learned,
)


if __name__ == "__main__":
    run = parse(LEARNER)  # before torch is imported
    from trainers.loop.training import main

    main(LEARNER, run)
