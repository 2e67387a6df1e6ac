"""Trains MAD2RL: QMIX with a denoiser for each client. `python -m trainers.qmix_diffusion`"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from trainers.algorithms.options import QMIXOptions, ReplayOptions
from trainers.networks.options import DenoiserOptions
from trainers.qmix import (
    ENV_ID,
    PAPER,
    PAPER_ENV,
    PAPER_REPLAY,
    PAPER_RUN,
    STREET,
    STREET_ENV,
    STREET_ID,
    STREET_REPLAY,
    STREET_RUN,
    TUNED,
    TUNED_ENV,
    TUNED_REPLAY,
    learned,
    misfit,
)
from trainers.registry import Learner, Preset
from trainers.runs.command_line import parse
from vec_envs.problems.base import action_exists

if TYPE_CHECKING:
    from trainers.algorithms.qmix import QMIX


@dataclass(frozen=True, kw_only=True)
class MAD2RLLearner:
    """The options of MAD2RL: those of P-QMIX and of the denoiser."""

    qmix: Annotated[QMIXOptions, tyro.conf.arg(name="")] = field(default_factory=QMIXOptions)
    denoiser: Annotated[DenoiserOptions, tyro.conf.arg(name="")] = field(default_factory=DenoiserOptions)
    replay: Annotated[ReplayOptions, tyro.conf.arg(name="")] = field(default_factory=lambda: TUNED_REPLAY)

    @property
    def schedule(self) -> QMIXOptions:
        """The options that set learning rate and exploration over the run."""
        return self.qmix


def build(problem: Any, options: MAD2RLLearner, *, seed: int) -> QMIX:
    """Returns MAD2RL; weights, noise and exploration are drawn from `seed`."""
    import torch

    from trainers.algorithms.qmix import action_knowledge, assemble, num_networks
    from trainers.networks.denoiser import DenoisingAgents
    from trainers.tianshou_bridge.draws import seeded_weights

    with seeded_weights(seed) as decisions:
        networks = num_networks(problem, options.qmix)
        network = DenoisingAgents(
            num_agents=networks,
            observation_size=problem.observation_size,
            action_mask=torch.as_tensor(action_exists(problem)[:networks]),
            hidden=options.qmix.hidden,
            hidden_layers=options.qmix.hidden_layers,
            options=options.denoiser,
            knowledge=action_knowledge(problem, options.qmix),
        )
        return assemble(problem, network, options.qmix, seed=decisions)


RUN = {"threads": 2}
"""The networks of seven agents run once for each denoising step, which is enough work for two threads."""
PAPER_DENOISER = DenoiserOptions(denoising_steps=7, prediction="noise", bound=0.0, noise=1.0, softmax=True)

LEARNER = Learner(
    name="qmix_diffusion",
    default_env_id=ENV_ID,
    presets={
        "tuned": Preset(
            env={ENV_ID: TUNED_ENV, STREET_ID: STREET_ENV},
            learner=MAD2RLLearner(qmix=TUNED),
            learners={STREET_ID: MAD2RLLearner(qmix=STREET, replay=STREET_REPLAY)},
            run=RUN,
            runs={STREET_ID: STREET_RUN},
        ),
        "paper": Preset(
            env={ENV_ID: PAPER_ENV},
            learner=MAD2RLLearner(qmix=PAPER, denoiser=PAPER_DENOISER, replay=PAPER_REPLAY),
            run=RUN | PAPER_RUN,
        ),
    },
    misfit=misfit,
    build=build,
    policy=learned,
)


if __name__ == "__main__":
    run = parse(LEARNER)  # before torch is imported
    from trainers.loop.training import main

    main(LEARNER, run)
