"""P-QMIX: every client an MLP, mixed by QMIX. `python -m trainers.qmix`"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from trainers.algorithms.options import QMIXOptions, ReplayOptions
from trainers.registry import Learner
from trainers.runs.options import parse

if TYPE_CHECKING:
    from trainers.algorithms.qmix import QMIX
    from trainers.tianshou_bridge.policy import LearnedPolicy

ENV_IDS = ("VEC-DNNPartition-v0",)
TUNED_ENV = {"reward": "drift", "observation": "extended"}
PAPER_ENV = {"reward": "drift_bound", "observation": "paper"}
TUNED = QMIXOptions()
TUNED_REPLAY = ReplayOptions(batch_size=64, buffer_size=10_000, updates_per_step=2.0)
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
        """The options that say what changes in the course of a run."""
        return self.qmix


def build(problem: Any, options: QMIXLearner, *, seed: int) -> QMIX:
    """Returns P-QMIX with weights, noise and exploration drawn from `seed`."""
    from trainers.algorithms.qmix import assemble, known_of
    from trainers.networks.agents import MLPAgents
    from trainers.tianshou_bridge.draws import seeded_weights

    with seeded_weights(seed) as decisions:
        network = MLPAgents(
            num_agents=len(problem.agent_names),
            observation_size=problem.observation_size,
            num_actions=max(problem.action_counts),
            hidden=options.qmix.hidden,
            hidden_layers=options.qmix.hidden_layers,
            known=known_of(problem, options.qmix),
        )
        return assemble(problem, network, options.qmix, seed=decisions)


def learned(algorithm: QMIX) -> LearnedPolicy:
    """Returns the greedy policy."""
    from trainers.algorithms.qmix import greedy

    return greedy(algorithm)


LEARNER = Learner(
    name="qmix",
    env_ids=ENV_IDS,
    presets={
        "tuned": (TUNED_ENV, QMIXLearner(qmix=TUNED), {}),
        "paper": (PAPER_ENV, QMIXLearner(qmix=PAPER, replay=PAPER_REPLAY), PAPER_RUN),
    },
    build=build,
    policy=learned,
)


if __name__ == "__main__":
    run = parse(LEARNER)  # before torch is imported
    from trainers.loop.training import main

    main(LEARNER, run)
