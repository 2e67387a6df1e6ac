"""Trains P-QMIX from Python on recorded traffic for some seconds, and plays the policy of the run.

    python docs/examples/train_and_play.py

The options are those of the command line, `python -m trainers.qmix --help`. 32 episodes are far too few to learn well.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from trainers.loop.evaluation import learned_policy, load_run
from trainers.loop.training import main
from trainers.qmix import LEARNER
from trainers.runs.command_line import parse
from trainers.runs.directory import new_path
from vec_envs.registration import factory_of

OPTIONS = [
    *("--env.mobility", "replay", "--env.num-client-vehicles", "3", "--episodes", "32"),
    *("--learner.warm-up-episodes", "16", "--learner.updates-per-step", "1", "--evaluation-episodes", "2"),
]


def train(folder: Path) -> None:
    """Trains, and writes the run into `folder`."""
    main(LEARNER, parse(LEARNER, [*OPTIONS, "--output", str(folder)]))


def play(folder: Path, slots: int = 30) -> float:
    """Returns the mean completion time of the policy of a run, in four environments with the options of the run."""
    learner, run, state = load_run(folder)
    env = factory_of(run.env_id).vector_env(num_envs=4, **asdict(run.env))
    policy = learned_policy(learner, run, state, env.problem)
    observation, _ = env.reset(seed=500_000)
    times_s = []
    for _ in range(slots):
        observation, _, _, _, infos = env.step(policy.act(observation))
        times_s.append(float(infos["completion_time_s"].mean()))
    env.close()
    return sum(times_s) / slots


if __name__ == "__main__":
    run_folder = new_path("qmix")
    train(run_folder)
    print(f"mean completion time of the policy in {run_folder}: {play(run_folder):.2f} s")
