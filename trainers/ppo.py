"""LyMDO's learner: PPO decides the cuts of all devices; with `--joint` the resources too. `python -m trainers.ppo`"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from trainers.algorithms.options import PPOOptions, RolloutOptions
from trainers.registry import Learner
from trainers.runs.options import parse

if TYPE_CHECKING:
    from trainers.algorithms.ppo import Decisions, SeededPPO
    from trainers.tianshou_bridge.policy import LearnedPolicy
    from vec_envs.problems.cooperative_inference.problem import CooperativeInference

ENV = {"unstable": "clip"}
JOINT_ENV = {**ENV, "allocation": "learned"}
TUNED = PPOOptions()
TUNED_ROLLOUT = RolloutOptions()
TUNED_RUN = {"episodes": 512, "num_envs": 32}
JOINT = PPOOptions(entropy_weight=0.003, final_entropy_weight=1e-4)
JOINT_RUN = {"episodes": 1024, "num_envs": 32}
PAPER = replace(
    TUNED,
    cuts="tanh",
    discount=0.99,
    gae_lambda=1.0,
    learning_rate=3e-4,
    final_learning_rate=1.0,
    entropy_weight=1e-6,
    final_entropy_weight=1e-6,
    max_grad_norm=0.0,
    reward_scale=1.0,
    compress_reward=False,
    compress=False,
    usual_rate=0.0,
)
PAPER_ROLLOUT = replace(TUNED_ROLLOUT, steps=200, batch_size=200, repeats=10)
PAPER_RUN = {"episodes": 2000, "num_envs": 1}


@dataclass(frozen=True, kw_only=True)
class PPOLearner:
    """The options of PPO."""

    ppo: Annotated[PPOOptions, tyro.conf.arg(name="")] = field(default_factory=PPOOptions)
    rollout: Annotated[RolloutOptions, tyro.conf.arg(name="")] = field(default_factory=RolloutOptions)

    @property
    def schedule(self) -> PPOOptions:
        """The options that say what changes in the course of a run."""
        return self.ppo


def build(problem: CooperativeInference, options: PPOLearner, *, seed: int) -> SeededPPO:
    """Returns PPO with weights, draws and the order of batches from `seed`."""
    from trainers.algorithms.ppo import assemble
    from trainers.tianshou_bridge.draws import seeded_weights

    with seeded_weights(seed) as decisions:
        return assemble(
            size=problem.num_devices * problem.observation_size,
            decisions=decisions_of(problem, options.ppo),
            options=options.ppo,
            seed=decisions,
        )


def decisions_of(problem: CooperativeInference, options: PPOOptions) -> Decisions:
    """Returns what is decided: cuts, or where the problem asks for them the resources too."""
    from trainers.algorithms.ppo import AgentChoices, TanhNumbers
    from vec_envs.problems.cooperative_inference.actions import cut_of

    def same(numbers: Any) -> Any:
        return numbers

    if problem.allocation == "learned":
        return TanhNumbers((problem.num_devices, 4), first_scale=options.first_scale, taken_for=same)
    if options.cuts == "tanh":
        cuts = partial(cut_of, num_layers=problem.num_layers)
        return TanhNumbers((problem.num_devices,), first_scale=options.first_scale, taken_for=cuts)
    return AgentChoices(problem.action_counts, problem.action_mask_from_observation)


def learned(algorithm: SeededPPO) -> LearnedPolicy:
    """Returns the policy of the likeliest actions."""
    from trainers.algorithms.ppo import likeliest

    return likeliest(algorithm)


LEARNER = Learner(
    name="ppo",
    env_ids=("VEC-CooperativeInference-v0",),
    presets={
        "tuned": (ENV, PPOLearner(ppo=TUNED, rollout=TUNED_ROLLOUT), TUNED_RUN),
        "paper": (ENV, PPOLearner(ppo=PAPER, rollout=PAPER_ROLLOUT), PAPER_RUN),
        "joint": (JOINT_ENV, PPOLearner(ppo=JOINT, rollout=TUNED_ROLLOUT), JOINT_RUN),
    },
    build=build,
    policy=learned,
    experience="rollout",
    shortcuts={"--joint": "joint"},
)


if __name__ == "__main__":
    run = parse(LEARNER)  # before torch is imported
    from trainers.loop.training import main

    main(LEARNER, run)
