"""P-QMIX: every client an MLP, mixed by QMIX. `python -m trainers.qmix`"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import gymnasium
import numpy as np
import torch
import tyro
from torch import nn

from trainers.learners.qmix import QMIX, QMIXOptions, QMIXPolicy
from trainers.networks.agents import MLPAgents
from trainers.networks.mixer import Mixer
from trainers.options import Learner, parse

TUNED_ENV = {"reward": "drift", "observation": "extended"}
PAPER_ENV = {"reward": "drift_bound", "observation": "paper"}
TUNED = QMIXOptions()
PAPER = replace(
    TUNED,
    discount=0.99,
    target_update_rate=0.001,
    double_q=False,
    loss="squared",
    exploration_start=1.0,
    exploration_fraction=0.5,
    warm_up_episodes=5,
    reward_scale=1.0,
    max_grad_norm=0.0,
    act_lagged=False,
    compress=False,
)
PAPER_RUN = {"episodes": 1000, "num_envs": 1}


@dataclass(frozen=True, kw_only=True)
class QMIXLearner:
    """The options of P-QMIX."""

    qmix: Annotated[QMIXOptions, tyro.conf.arg(name="")] = field(default_factory=QMIXOptions)


def assemble(problem: Any, network: nn.Module, options: QMIXOptions, *, seed: int) -> QMIX:
    """Returns QMIX over an agent network."""
    policy = QMIXPolicy(
        network,
        action_space=gymnasium.spaces.MultiDiscrete(np.array(problem.action_counts)),
        action_mask=problem.action_mask(),
        compress=options.compress,
        seed=seed,
    )
    agents = len(problem.agent_names)
    mixer = Mixer(
        agents,
        agents * problem.observation_size,
        embedding=options.mixing_embedding,
        hidden=options.hypernetwork_hidden,
        hidden_layers=options.hypernetwork_layers,
    )
    return QMIX(policy=policy, mixer=mixer, options=options)


@contextlib.contextmanager
def seeded_weights(seed: int) -> Generator[int, None, None]:
    """Draws weights within from one part of `seed`, and gives another for the decisions' noise and exploration."""
    weights, decisions = (int(part) >> 1 for part in np.random.SeedSequence(seed).generate_state(2, np.uint64))
    with torch.random.fork_rng():
        torch.manual_seed(weights)
        yield decisions


def build(problem: Any, learner: QMIXLearner, *, seed: int) -> QMIX:
    """Returns P-QMIX with weights, noise and exploration drawn from `seed`."""
    with seeded_weights(seed) as decisions:
        network = MLPAgents(
            num_agents=len(problem.agent_names),
            observation_size=problem.observation_size,
            num_actions=max(problem.action_counts),
            hidden=learner.qmix.hidden,
            hidden_layers=learner.qmix.hidden_layers,
        )
        return assemble(problem, network, learner.qmix, seed=decisions)


LEARNER = Learner(
    name="qmix",
    presets={
        "tuned": (TUNED_ENV, QMIXLearner(qmix=TUNED), {}),
        "paper": (PAPER_ENV, QMIXLearner(qmix=PAPER), PAPER_RUN),
    },
    build=build,
)


if __name__ == "__main__":
    from trainers.training import main

    main(LEARNER, parse(LEARNER))
