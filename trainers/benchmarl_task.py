"""Environments of this project as tasks of BenchMARL, for its MAPPO, QMIX, IPPO and other learners.

    from benchmarl.algorithms import MappoConfig
    from trainers.benchmarl_task import VecEnvsTask

    task = VecEnvsTask("VEC-DNNPartition-v0", {"mobility": "replay", "num_client_vehicles": 5})
    Experiment(task=task, algorithm_config=MappoConfig.get_from_yaml(), ...).run()

`docs/examples/benchmarl_mappo.py` is a complete script. BenchMARL is not a requirement of this project: install it with
`pip install benchmarl`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from benchmarl.environments.pettingzoo.common import PettingZooClass  # pyright: ignore[reportMissingImports]
from torchrl.envs import EnvBase, PettingZooWrapper

from vec_envs.problems.base import ContinuousActions, Problem
from vec_envs.registration import factory_of


class VecEnvsTask(PettingZooClass):  # pyright: ignore[reportUntypedBaseClass]
    """A BenchMARL task that plays the padded PettingZoo interface of an environment.

    Args:
        name: The id of the environment, such as `"VEC-DNNPartition-v0"`; `"my_module:ID"` for one of your own.
        config: Options of the environment, the keywords of `parallel_env`.
    """

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        """Raises `ValueError` for an unknown id, and the environment's own errors for wrong options."""
        super().__init__(name=name, config=config)
        with closing(self._parallel_env()) as env:
            self._problem: Problem = env.problem

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], EnvBase]:
        """Returns a function that makes one environment."""
        return lambda: PettingZooWrapper(
            self._parallel_env(), categorical_actions=True, return_state=True, seed=seed, device=device
        )

    def supports_continuous_actions(self) -> bool:
        """Returns whether actions are numbers."""
        return isinstance(self._problem.actions, ContinuousActions)

    def supports_discrete_actions(self) -> bool:
        """Returns whether actions are choices."""
        return not self.supports_continuous_actions()

    def has_state(self) -> bool:
        """Returns whether there is a global state for centralized critics: `state()` of the environment."""
        return True

    def has_render(self, env: EnvBase) -> bool:
        """Returns whether evaluations record videos."""
        return False

    def max_steps(self, env: EnvBase) -> int:
        """Returns the number of steps of an episode."""
        problem: Any = self._problem
        return problem.episode_slots if problem.one_at_a_time else problem.episode_epochs

    @staticmethod
    def env_name() -> str:
        """Returns the name of the group of tasks."""
        return "vec_envs"

    def _parallel_env(self) -> Any:
        return factory_of(self.name).parallel_env(padded=True, **self.config)
