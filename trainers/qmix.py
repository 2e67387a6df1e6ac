"""Trains P-QMIX: QMIX with an MLP for each client. `python -m trainers.qmix`"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from trainers.algorithms.options import QMIXOptions, ReplayOptions
from trainers.registry import Learner, Preset
from trainers.runs.command_line import parse
from vec_envs.problems.base import DiscreteActions

if TYPE_CHECKING:
    from trainers.algorithms.qmix import QMIX
    from trainers.tianshou_bridge.policy import LearnedPolicy

ENV_ID = "VEC-DNNPartition-v0"
TUNED_ENV = {"reward": "drift", "observation": "extended"}
PAPER_ENV = {"reward": "drift_bound", "observation": "paper"}
TUNED = QMIXOptions()
TUNED_REPLAY = ReplayOptions(batch_size=64, buffer_size=10_000, updates_per_step=2.0)
STREET_ID = "VEC-MobileInference-v0"
STREET_ENV = {"reward": "delay"}
"""Policies are ranked by the cost, and their energy queues stay short without the drift in the reward."""
STREET = replace(
    TUNED,
    learning_rate=1e-8,
    value_penalty=0.0,
    exploration_start=0.1,
    hidden=128,
    hidden_layers=2,
    share_weights=True,
    cost_prior=1.0,
    mix_advantages=True,
)
"""Options for `VEC-MobileInference-v0`: agents begin with the actions of least known cost, keep them, and hardly learn.

Learning rates of 3e-4 and 1e-6 made the agents worse, see "What is open" in docs/mobile-inference.md.
"""
STREET_REPLAY = ReplayOptions(batch_size=64, buffer_size=20_000, updates_per_step=0.5, warm_up_episodes=32)
STREET_RUN = {"episodes": 320}
PAPER = replace(
    TUNED,
    discount=0.99,
    learning_rate=5e-4,
    final_learning_rate=1.0,
    target_update_rate=0.001,
    double_q=False,
    loss="squared",
    exploration_start=1.0,
    exploration_fraction=0.5,
    reward_scale=1.0,
    max_grad_norm=0.0,
    value_penalty=0.0,
    act_lagged=False,
    compress=False,
    action_features=False,
    action_costs=False,
    mixing_activation="elu",
)
PAPER_REPLAY = ReplayOptions(warm_up_episodes=5)
PAPER_RUN = {"episodes": 1000, "num_envs": 1}


@dataclass(frozen=True, kw_only=True)
class QMIXLearner:
    """The options of P-QMIX."""

    qmix: Annotated[QMIXOptions, tyro.conf.arg(name="")] = field(default_factory=QMIXOptions)
    replay: Annotated[ReplayOptions, tyro.conf.arg(name="")] = field(default_factory=lambda: TUNED_REPLAY)

    @property
    def schedule(self) -> QMIXOptions:
        """The options that set learning rate and exploration over the run."""
        return self.qmix


def build(problem: Any, options: QMIXLearner, *, seed: int) -> QMIX:
    """Returns P-QMIX; weights, noise and exploration are drawn from `seed`."""
    from trainers.algorithms.qmix import action_knowledge, assemble, num_networks
    from trainers.networks.agents import MLPAgents
    from trainers.tianshou_bridge.draws import seeded_weights

    with seeded_weights(seed) as decisions:
        network = MLPAgents(
            num_agents=num_networks(problem, options.qmix),
            observation_size=problem.observation_size,
            num_actions=max(problem.actions.counts),
            hidden=options.qmix.hidden,
            hidden_layers=options.qmix.hidden_layers,
            knowledge=action_knowledge(problem, options.qmix),
        )
        return assemble(problem, network, options.qmix, seed=decisions)


def learned(algorithm: QMIX) -> LearnedPolicy:
    """Returns the greedy policy."""
    from trainers.algorithms.qmix import greedy

    return greedy(algorithm)


def misfit(problem: Any) -> str:
    """Returns why QMIX cannot train on a problem; "" where it can."""
    if problem.one_at_a_time or not isinstance(problem.actions, DiscreteActions):
        return "QMIX needs a problem where all agents choose an integer at every decision epoch"
    return ""


LEARNER = Learner(
    name="qmix",
    default_env_id=ENV_ID,
    presets={
        "tuned": Preset(
            env={ENV_ID: TUNED_ENV, STREET_ID: STREET_ENV},
            learner=QMIXLearner(qmix=TUNED),
            learners={STREET_ID: QMIXLearner(qmix=STREET, replay=STREET_REPLAY)},
            runs={STREET_ID: STREET_RUN},
        ),
        "paper": Preset(env={ENV_ID: PAPER_ENV}, learner=QMIXLearner(qmix=PAPER, replay=PAPER_REPLAY), run=PAPER_RUN),
    },
    misfit=misfit,
    build=build,
    policy=learned,
)


if __name__ == "__main__":
    run = parse(LEARNER)  # before torch is imported
    from trainers.loop.training import main

    main(LEARNER, run)
