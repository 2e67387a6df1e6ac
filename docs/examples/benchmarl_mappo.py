"""Trains MAPPO of BenchMARL on recorded traffic, in about a minute.

    pip install benchmarl
    python docs/examples/benchmarl_mappo.py

Use `QmixConfig` and the `off_policy_...` options for QMIX.
"""

from pathlib import Path

from benchmarl.algorithms import MappoConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig

from trainers.benchmarl_task import VecEnvsTask


def experiment(folder: Path, frames: int = 1_800) -> Experiment:
    """Returns an experiment that trains for `frames` steps of one environment and writes into `folder`."""
    config = ExperimentConfig.get_from_yaml()
    config.max_n_frames = frames
    config.on_policy_collected_frames_per_batch = config.evaluation_interval = min(600, frames)
    config.on_policy_n_envs_per_worker = 2
    config.on_policy_n_minibatch_iters = 4
    config.on_policy_minibatch_size = 100
    config.evaluation_episodes = 2
    config.loggers = ["csv"]
    config.lr = 3e-4
    folder.mkdir(parents=True, exist_ok=True)
    config.save_folder = str(folder)
    return Experiment(
        task=VecEnvsTask("VEC-DNNPartition-v0", {"mobility": "replay", "reward": "drift"}),
        algorithm_config=MappoConfig.get_from_yaml(),
        model_config=MlpConfig.get_from_yaml(),
        critic_model_config=MlpConfig.get_from_yaml(),
        seed=0,
        config=config,
    )


if __name__ == "__main__":
    experiment(Path("runs/benchmarl")).run()
