"""RTD's learner: SAC decides every task's cut and speeds. `python -m trainers.sac`"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated

import tyro

from trainers.algorithms.options import ReplayOptions, SACOptions, check_floor
from trainers.registry import Learner
from trainers.runs.options import parse
from vec_envs.problems.task_diversion.hybrid import CutAndUnit

if TYPE_CHECKING:
    from trainers.algorithms.sac import BoundedSAC
    from trainers.tianshou_bridge.policy import LearnedPolicy
    from vec_envs.problems.task_diversion.problem import TaskDiversion

ENV = {"reward": "excess", "observation": "extended"}
TUNED = SACOptions()
TUNED_REPLAY = ReplayOptions(batch_size=256, buffer_size=300_000, warm_up_episodes=32, updates_per_step=2.0)
TUNED_RUN = {"episodes": 480, "num_envs": 32}
PAPER = replace(
    TUNED,
    learning_rate=0.05,
    final_learning_rate=1.0,
    target_entropy=-3.0,
    exploration=0.0,
    exploration_ends=(0.0, 0.0),
    average_rate=1.0,
    reward_floor=-1e9,
    compress=False,
)
PAPER_REPLAY = replace(TUNED_REPLAY, batch_size=128, warm_up_episodes=16, updates_per_step=1.0)
PAPER_RUN = {"episodes": 2000, "num_envs": 1}


@dataclass(frozen=True, kw_only=True)
class SACLearner:
    """The options of SAC."""

    sac: Annotated[SACOptions, tyro.conf.arg(name="")] = field(default_factory=SACOptions)
    replay: Annotated[ReplayOptions, tyro.conf.arg(name="")] = field(default_factory=lambda: TUNED_REPLAY)

    @property
    def schedule(self) -> SACOptions:
        """The options that say what changes in the course of a run."""
        return self.sac


def build(problem: TaskDiversion, options: SACLearner, *, seed: int) -> BoundedSAC:
    """Returns SAC with weights, noise and exploration drawn from `seed`.

    Raises `ValueError` for a floor under rewards that does not suit them.
    """
    from trainers.algorithms.sac import assemble
    from trainers.networks.consequences import consequences_of
    from trainers.tianshou_bridge.draws import seeded_weights

    check_floor(problem, options.sac)
    with seeded_weights(seed) as decisions:
        return assemble(
            observation_size=problem.observation_size,
            alternatives=CutAndUnit(problem),
            consequences=consequences_of(problem),
            numbers=2,
            options=options.sac,
            seed=decisions,
        )


def learned(algorithm: BoundedSAC) -> LearnedPolicy:
    """Returns the actor's policy."""
    from trainers.algorithms.sac import likeliest

    return likeliest(algorithm)


LEARNER = Learner(
    name="sac",
    env_ids=("VEC-TaskDiversion-v0",),
    presets={
        "tuned": (ENV, SACLearner(sac=TUNED), TUNED_RUN),
        "paper": ({}, SACLearner(sac=PAPER, replay=PAPER_REPLAY), PAPER_RUN),
    },
    build=build,
    policy=learned,
)


if __name__ == "__main__":
    run = parse(LEARNER)  # before torch is imported
    from trainers.loop.training import main

    main(LEARNER, run)
