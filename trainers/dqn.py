"""Trains DisDQN, the baseline of RTD: DQN chooses the cut and the roadside unit of a task. `python -m trainers.dqn`

A rule sets the speeds of both processors: the highest speeds, or the speeds of least cost.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro
from jaxtyping import Float32

from trainers.algorithms.options import DQNOptions, ReplayOptions, check_floor
from trainers.registry import Learner, Preset
from trainers.runs.command_line import parse

if TYPE_CHECKING:
    from trainers.algorithms.dqn import ScaledDQN
    from trainers.tianshou_bridge.policy import LearnedPolicy
    from vec_envs.problems.task_diversion.problem import TaskDiversion

ENV_ID = "VEC-TaskDiversion-v0"
ENV = {"diversion": "chosen", "reward": "excess", "observation": "extended"}
PAPER_ENV = {"diversion": "chosen"}
TUNED = DQNOptions()
TUNED_REPLAY = ReplayOptions(batch_size=128, buffer_size=300_000, warm_up_episodes=32, updates_per_step=8.0)
TUNED_RUN = {"episodes": 800, "num_envs": 32}
PAPER = replace(
    TUNED, learning_rate=0.05, final_learning_rate=1.0, exploration_start=1.0, reward_floor=-1e9, compress=False
)
PAPER_REPLAY = replace(TUNED_REPLAY, warm_up_episodes=16, updates_per_step=1.0)
PAPER_RUN = {"episodes": 2000, "num_envs": 1}


@dataclass(frozen=True, kw_only=True)
class DQNLearner:
    """The options of DQN."""

    dqn: Annotated[DQNOptions, tyro.conf.arg(name="")] = field(default_factory=DQNOptions)
    replay: Annotated[ReplayOptions, tyro.conf.arg(name="")] = field(default_factory=lambda: TUNED_REPLAY)

    @property
    def schedule(self) -> DQNOptions:
        """The options that set learning rate and exploration over the run."""
        return self.dqn


def speeds(
    problem: TaskDiversion, observation: Float32[np.ndarray, "batch 1 features"], *, kind: str
) -> Float32[np.ndarray, "batch 2"]:
    """Returns the speeds of vehicle and roadside unit as numbers from -1 to 1.

    Args:
        problem: The problem.
        observation: The observations of the decider.
        kind: "full" for the highest speeds, or "best" for the speeds of least cost.
    """
    battery = problem.features.battery_of(observation[:, 0])
    if kind == "full":
        return np.ones((len(battery), 2), np.float32)
    vehicle_ghz, rsu_ghz = problem.costs.least_cost_ghz(battery)
    action = problem.action.encode(dnn=0, cut=0, vehicle_ghz=vehicle_ghz, rsu_ghz=rsu_ghz)
    return action[:, 1:3].astype(np.float32)


def build(problem: TaskDiversion, options: DQNLearner, *, seed: int) -> ScaledDQN:
    """Returns DQN; weights and exploration are drawn from `seed`.

    Raises `ValueError` if `reward_floor` is too high for the rewards of the problem.
    """
    from trainers.algorithms.dqn import assemble
    from trainers.tianshou_bridge.draws import seeded_weights

    check_floor(problem, options.dqn)
    with seeded_weights(seed) as decisions:
        return assemble(
            observation_size=problem.observation_size,
            hybrid=problem.hybrid,
            parameters_for=partial(speeds, problem, kind=options.dqn.speeds),
            options=options.dqn,
            seed=decisions,
        )


def learned(algorithm: ScaledDQN) -> LearnedPolicy:
    """Returns the greedy policy."""
    from trainers.algorithms.dqn import greedy

    return greedy(algorithm)


def misfit(problem: Any) -> str:
    """Returns why DisDQN cannot train on a problem; "" where it can."""
    if getattr(problem, "diversion", None) != "chosen":
        return "DQN chooses the roadside unit of a task, and needs VEC-TaskDiversion-v0 with diversion='chosen'"
    return ""


LEARNER = Learner(
    name="dqn",
    default_env_id=ENV_ID,
    presets={
        "tuned": Preset(env={ENV_ID: ENV}, learner=DQNLearner(dqn=TUNED), run=TUNED_RUN),
        "paper": Preset(env={ENV_ID: PAPER_ENV}, learner=DQNLearner(dqn=PAPER, replay=PAPER_REPLAY), run=PAPER_RUN),
    },
    misfit=misfit,
    build=build,
    policy=learned,
)


if __name__ == "__main__":
    run = parse(LEARNER)  # before torch is imported
    from trainers.loop.training import main

    main(LEARNER, run)
