"""BenchMARL trains on every environment."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.clients.every import EVERY_ID, STRAIGHT

pytest.importorskip("benchmarl")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "benchmarl_mappo.py"


def test_the_example_trains(tmp_path: Path) -> None:
    experiment = runpy.run_path(str(EXAMPLE))["experiment"](tmp_path, frames=120)
    experiment.run()
    assert experiment.total_frames == 120


@EVERY_ID
@pytest.mark.parametrize("algorithm", ["MappoConfig", "QmixConfig"])
def test_a_learner_trains(env_id: str, algorithm: str, tmp_path: Path) -> None:
    from benchmarl import algorithms
    from benchmarl.experiment import Experiment, ExperimentConfig
    from benchmarl.models.mlp import MlpConfig

    from trainers.benchmarl_task import VecEnvsTask

    task = VecEnvsTask(env_id, dict(STRAIGHT))
    if algorithm == "QmixConfig" and not task.supports_discrete_actions():
        pytest.skip("QMIX is for actions that are choices")
    config: Any = ExperimentConfig.get_from_yaml()
    config.max_n_frames = 120
    config.on_policy_collected_frames_per_batch = config.off_policy_collected_frames_per_batch = 120
    config.on_policy_n_envs_per_worker = config.off_policy_n_envs_per_worker = 2
    config.on_policy_n_minibatch_iters = config.evaluation_episodes = 1
    config.on_policy_minibatch_size = 60
    config.off_policy_n_optimizer_steps, config.off_policy_memory_size = 2, 1000
    config.evaluation_interval, config.loggers, config.create_json = 120, [], False
    config.save_folder = str(tmp_path)
    experiment = Experiment(
        task=task,
        algorithm_config=getattr(algorithms, algorithm).get_from_yaml(),
        model_config=MlpConfig.get_from_yaml(),
        critic_model_config=MlpConfig.get_from_yaml(),
        seed=0,
        config=config,
    )
    experiment.run()
    assert experiment.total_frames == 120
