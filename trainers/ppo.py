"""Trains PPO, the learner of LyMDO, which decides the cuts of all devices. `python -m trainers.ppo`

With `--joint`, PPO decides the allocation of resources as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np
import tyro

from trainers.algorithms.options import PPOOptions, RolloutOptions
from trainers.registry import Learner, Preset
from trainers.runs.command_line import parse
from vec_envs.problems.abilities import HasObservedMask
from vec_envs.problems.base import ContinuousActions, DiscreteProblem, Problem, action_exists, action_shape

if TYPE_CHECKING:
    from trainers.algorithms.ppo import Decisions, SeededPPO
    from trainers.tianshou_bridge.policy import LearnedPolicy

ENV_ID = "VEC-CooperativeInference-v0"
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
        """The options that set learning rate and exploration over the run."""
        return self.ppo


def build(problem: Problem, options: PPOLearner, *, seed: int) -> SeededPPO:
    """Returns PPO; weights, actions and the order of batches are drawn from `seed`."""
    from trainers.algorithms.ppo import assemble
    from trainers.tianshou_bridge.draws import seeded_weights

    with seeded_weights(seed) as decisions:
        return assemble(
            size=len(problem.agent_names) * problem.observation_size,
            decisions=decisions_of(problem, options.ppo),
            options=options.ppo,
            seed=decisions,
        )


def decisions_of(problem: Problem, options: PPOOptions) -> Decisions:
    """Returns the action distributions: a categorical one for each agent, or normal ones before a tanh."""
    from trainers.algorithms.ppo import AgentChoices, TanhNumbers
    from vec_envs.problems.cooperative_inference.actions import cut_of

    if isinstance(problem.actions, ContinuousActions):
        return TanhNumbers(action_shape(problem), first_scale=options.first_scale, to_action=_unchanged)
    counts = problem.actions.counts
    if options.cuts == "tanh":
        equal_parts = partial(cut_of, num_layers=np.array(counts) - 1)
        return TanhNumbers((len(counts),), first_scale=options.first_scale, to_action=equal_parts)
    if isinstance(problem, HasObservedMask):
        return AgentChoices(counts, problem.action_mask_from_observation)
    exists = action_exists(cast(DiscreteProblem, problem))
    return AgentChoices(counts, lambda observation: np.broadcast_to(exists, (len(observation), *exists.shape)))


def _unchanged(numbers: np.ndarray) -> np.ndarray:
    """Returns its argument, because the numbers already are the environment's actions."""
    return numbers


def learned(algorithm: SeededPPO) -> LearnedPolicy:
    """Returns the policy that takes the most likely actions."""
    from trainers.algorithms.ppo import likeliest

    return likeliest(algorithm)


def misfit(problem: Any) -> str:
    """Returns why PPO cannot train on a problem; "" where it can."""
    return "PPO needs a problem where all agents decide at every decision epoch" if problem.one_at_a_time else ""


LEARNER = Learner(
    name="ppo",
    default_env_id=ENV_ID,
    presets={
        "tuned": Preset(env={ENV_ID: ENV}, learner=PPOLearner(ppo=TUNED, rollout=TUNED_ROLLOUT), run=TUNED_RUN),
        "paper": Preset(env={ENV_ID: ENV}, learner=PPOLearner(ppo=PAPER, rollout=PAPER_ROLLOUT), run=PAPER_RUN),
        "joint": Preset(env={ENV_ID: JOINT_ENV}, learner=PPOLearner(ppo=JOINT, rollout=TUNED_ROLLOUT), run=JOINT_RUN),
    },
    misfit=misfit,
    build=build,
    policy=learned,
    experience="rollout",
    shortcuts={"--joint": "joint"},
)


if __name__ == "__main__":
    run = parse(LEARNER)  # before torch is imported
    from trainers.loop.training import main

    main(LEARNER, run)
