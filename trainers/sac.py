"""Trains SAC, the learner of RTD, which decides the cut and the speeds of each task. `python -m trainers.sac`"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from trainers.algorithms.joint_numbers import JointNumbers
from trainers.algorithms.options import ReplayOptions, SACOptions, check_floor
from trainers.registry import Learner, Preset
from trainers.runs.command_line import parse
from vec_envs.problems.abilities import HasHybridActions, HybridActions
from vec_envs.problems.base import ContinuousActions, Problem, action_shape

if TYPE_CHECKING:
    from trainers.algorithms.sac import BoundedSAC
    from trainers.tianshou_bridge.policy import LearnedPolicy

ENV_ID = "VEC-TaskDiversion-v0"
ENV = {"reward": "excess", "observation": "extended"}
TUNED = SACOptions()
TUNED_REPLAY = ReplayOptions(batch_size=256, buffer_size=300_000, warm_up_episodes=32, updates_per_step=2.0)
TUNED_RUN = {"episodes": 480, "num_envs": 32}
PAPER = replace(
    TUNED,
    actor="gaussian",
    improved=1,
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
        """The options that set learning rate and exploration over the run."""
        return self.sac


def build(problem: Problem, options: SACLearner, *, seed: int) -> BoundedSAC:
    """Returns SAC; weights, noise and exploration are drawn from `seed`.

    Raises `ValueError` if `reward_floor` is too high for the rewards of the problem.
    """
    from trainers.algorithms.sac import assemble
    from trainers.tianshou_bridge.draws import seeded_weights

    check_floor(problem, options.sac)
    deciders = action_shape(problem)[0]
    with seeded_weights(seed) as decisions:
        return assemble(
            observation_size=deciders * problem.observation_size,
            hybrid=actions_of(problem, options.sac),
            options=options.sac,
            seed=decisions,
        )


def actions_of(problem: Problem, options: SACOptions) -> HybridActions:
    """Returns the problem's own hybrid actions, or all numbers of an action together where `options.actor` says so."""
    if options.actor == "hybrid" and isinstance(problem, HasHybridActions):
        return problem.hybrid
    return JointNumbers(problem)


def learned(algorithm: BoundedSAC) -> LearnedPolicy:
    """Returns the policy that takes the most likely actions of the averaged actor."""
    from trainers.algorithms.sac import likeliest

    return likeliest(algorithm)


def misfit(problem: Any) -> str:
    """Returns why SAC cannot train on a problem; "" where it can."""
    continuous = isinstance(problem.actions, ContinuousActions)
    return "" if continuous else "SAC needs a problem with continuous actions, which are numbers from -1 to 1"


UNBOUNDED = -1e9
"""A `reward_floor` below all rewards, which has no effect."""
LEARNER = Learner(
    name="sac",
    default_env_id=ENV_ID,
    presets={
        "tuned": Preset(
            env={ENV_ID: ENV},
            learner=SACLearner(sac=TUNED),
            run=TUNED_RUN,
            learner_for_others=SACLearner(sac=replace(TUNED, reward_floor=UNBOUNDED)),
        ),
        "paper": Preset(env={ENV_ID: {}}, learner=SACLearner(sac=PAPER, replay=PAPER_REPLAY), run=PAPER_RUN),
    },
    misfit=misfit,
    build=build,
    policy=learned,
)


if __name__ == "__main__":
    run = parse(LEARNER)  # before torch is imported
    from trainers.loop.training import main

    main(LEARNER, run)
