"""MAD2RL: every client a denoiser, mixed by QMIX. `python -m trainers.qmix_diffusion`"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import torch
import tyro

from trainers.learners.qmix import QMIX, QMIXOptions
from trainers.networks.denoiser import DenoiserOptions, DenoisingAgents
from trainers.options import Learner, parse
from trainers.qmix import PAPER, PAPER_ENV, PAPER_RUN, TUNED, TUNED_ENV, assemble, seeded_weights


@dataclass(frozen=True, kw_only=True)
class MAD2RLLearner:
    """The options of MAD2RL: those of P-QMIX, and the denoiser's."""

    qmix: Annotated[QMIXOptions, tyro.conf.arg(name="")] = field(default_factory=QMIXOptions)
    denoiser: Annotated[DenoiserOptions, tyro.conf.arg(name="")] = field(default_factory=DenoiserOptions)


def build(problem: Any, learner: MAD2RLLearner, *, seed: int) -> QMIX:
    """Returns MAD2RL with weights, noise and exploration drawn from `seed`."""
    with seeded_weights(seed) as decisions:
        network = DenoisingAgents(
            num_agents=len(problem.agent_names),
            observation_size=problem.observation_size,
            action_mask=torch.as_tensor(problem.action_mask()),
            hidden=learner.qmix.hidden,
            hidden_layers=learner.qmix.hidden_layers,
            options=learner.denoiser,
        )
        return assemble(problem, network, learner.qmix, seed=decisions)


PAPER_DENOISER = DenoiserOptions(denoising_steps=7, prediction="noise", bound=0.0, noise=1.0, softmax=True)

LEARNER = Learner(
    name="qmix_diffusion",
    presets={
        "tuned": (TUNED_ENV, MAD2RLLearner(qmix=TUNED), {}),
        "paper": (PAPER_ENV, MAD2RLLearner(qmix=PAPER, denoiser=PAPER_DENOISER), PAPER_RUN),
    },
    build=build,
)


if __name__ == "__main__":
    from trainers.training import main

    main(LEARNER, parse(LEARNER))
