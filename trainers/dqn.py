"""RTD's baseline DisDQN: DQN over cut and roadside unit, at full or best speeds. `python -m trainers.dqn`"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro
from jaxtyping import Bool, Float32, Int

from trainers.learner import Learner
from trainers.learners.options import DQNOptions, ReplayOptions, annealed, check_floor
from trainers.options import parse

if TYPE_CHECKING:
    from trainers.learners.dqn import ScaledDQN
    from vec_envs.policies.policy import Policy
    from vec_envs.problems.task_diversion import TaskDiversion

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


class CutAndUnit:
    """Alternative 2 x + r: cut x, 0 to the layers of the task's own DNN, and the r-th nearest roadside unit, 0 or 1."""

    def __init__(self, problem: TaskDiversion, *, speeds: str = "full") -> None:
        """Raises `ValueError` for a problem in which the action does not choose the unit."""
        if problem.diversion != "chosen":
            raise ValueError(f"dqn chooses the roadside unit: diversion={problem.diversion!r} must be 'chosen'")
        self._problem = problem
        self._best = speeds == "best"
        self.count = 2 * (int(problem.num_layers.max()) + 1)

    def present(self, observation: Float32[np.ndarray, "batch 1 features"]) -> Bool[np.ndarray, "batch count"]:
        """Returns which alternatives a task has: no cut is beyond its last layer."""
        num_layers = self._problem.num_layers[self._problem.dnn_of(observation[:, 0])]
        return np.arange(self.count) // 2 <= num_layers[:, None]

    def taken(
        self, index: Int[np.ndarray, "lanes"], observation: Float32[np.ndarray, "lanes 1 features"]
    ) -> Float32[np.ndarray, "lanes 1 numbers"]:
        """Returns the environment's actions: both run as fast as they can, or as is best."""
        cut, second = np.divmod(index, 2)
        problem = self._problem
        vehicle_ghz, rsu_ghz = np.full(len(index), problem.vehicle_ghz), problem.rsu_ghz
        if self._best:
            vehicle_ghz, rsu_ghz = problem.costs.thrifty_ghz(problem.battery_of(observation[:, 0]))
        action = self._problem.encode(
            dnn=self._problem.dnn_of(observation[:, 0]),
            cut=cut,
            vehicle_ghz=vehicle_ghz,
            rsu_ghz=rsu_ghz,
            second=second,
        )
        return action.astype(np.float32)[:, None]


@dataclass(frozen=True, kw_only=True)
class DQNLearner:
    """The options of DQN."""

    dqn: Annotated[DQNOptions, tyro.conf.arg(name="")] = field(default_factory=DQNOptions)
    replay: Annotated[ReplayOptions, tyro.conf.arg(name="")] = field(default_factory=lambda: TUNED_REPLAY)

    def exploration(self, progress: float, *, warm_up: bool) -> float:
        """Returns the probability of a random action at this part, 0 to 1, of the run: at first all are."""
        return 1.0 if warm_up else self.dqn.exploration(progress)

    def learning_rate_part(self, progress: float) -> float:
        """Returns what is left of the learning rate at this part of the run."""
        return annealed(self.dqn.final_learning_rate, progress)


def build(problem: Any, options: DQNLearner, *, seed: int) -> ScaledDQN:
    """Returns DQN with weights and exploration drawn from `seed`. Raises `ValueError` where the unit is not chosen."""
    from trainers.learners.dqn import assemble
    from trainers.tianshou_bridge.draws import seeded_weights

    alternatives = CutAndUnit(problem, speeds=options.dqn.speeds)
    check_floor(problem, options.dqn.reward_floor)
    with seeded_weights(seed) as decisions:
        size = problem.observation_size
        return assemble(observation_size=size, alternatives=alternatives, options=options.dqn, seed=decisions)


def learned(algorithm: ScaledDQN, options: DQNLearner, problem: Any) -> Policy:
    """Returns the greedy policy."""
    from trainers.learners.dqn import greedy

    return greedy(algorithm)


LEARNER = Learner(
    name="dqn",
    env_ids=("VEC-TaskDiversion-v0",),
    presets={
        "tuned": (ENV, DQNLearner(dqn=TUNED), TUNED_RUN),
        "paper": (PAPER_ENV, DQNLearner(dqn=PAPER, replay=PAPER_REPLAY), PAPER_RUN),
    },
    build=build,
    policy=learned,
)


if __name__ == "__main__":
    run = parse(LEARNER)  # before torch is imported
    from trainers.training import main

    main(LEARNER, run)
