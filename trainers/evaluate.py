"""A trained run -> figures: `python -m trainers.evaluate RUN_DIR [--episodes 32] [--seed 1000]`.

The learned policy and every reference policy play the same held-out episodes: lane b is seeded `seed + b`. Policies
are compared by completion time and backlog; a return can be gamed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainers.options import DOORS, Learner, Run, from_json, learner_of
from trainers.run_directory import EVALUATION, RunDirectory
from trainers.tianshou_bridge.greedy_policy import GreedyPolicy
from vec_envs.faces.vector_env import LanesVectorEnv
from vec_envs.mobility import TrafficError
from vec_envs.policies import POLICIES
from vec_envs.policies.policy import Policy
from vec_envs.problems.problem import View
from vec_envs.records import map_arrays

LEARNERS = {"qmix": "trainers.qmix", "qmix_diffusion": "trainers.qmix_diffusion"}
"""Name -> module whose `LEARNER` it is."""


def evaluate_run(path: Path, *, episodes: int, seed: int) -> dict[str, Any]:
    """Returns the figures of a run's policy and of the references on the same episodes, as in `evaluation.json`.

    Raises `FileNotFoundError` where the folder holds no run, `ValueError` where it is of another version.
    """
    learner, run, state = load_run(path)
    if run.threads:
        torch.set_num_threads(run.threads)
    with contextlib.closing(DOORS[run.env_id].vector_env(num_envs=episodes, **asdict(run.env))) as env:
        references = {name: play(make, env, seed) for name, make in POLICIES.items()}
        learned = play(lambda problem: learned_policy(learner, run, state, problem), env, seed)
    return {"policy": learner.name, "preset": run.preset, "seed": seed, **learned, "references": references}


def load_run(path: Path) -> tuple[Learner, Run, dict[str, Any]]:
    """Returns learner, options and checkpoint of a run's folder."""
    directory = RunDirectory(path)
    text = directory.config()
    name = str(learner_of(text))
    if name not in LEARNERS:
        raise ValueError(f"{path} is of the learner {name!r}; there are {', '.join(map(repr, LEARNERS))}")
    learner: Learner = importlib.import_module(LEARNERS[name]).LEARNER
    return learner, from_json(text, learner), directory.load_checkpoint()


def learned_policy(learner: Learner, run: Run, state: Mapping[str, Any], problem: Any) -> Policy:
    """Returns the policy of a checkpoint for a problem like the one it was trained on.

    Raises `ValueError` where the problem has other agents, actions or observations.
    """
    algorithm = learner.build(problem, run.learner, seed=0)
    try:
        algorithm.load_state_dict(dict(state["algorithm"]))
    except RuntimeError as error:
        raise ValueError(
            f"the checkpoint is of a problem with other agents, actions or observations: {error}"
        ) from error
    lagged = run.learner.qmix.act_lagged
    return GreedyPolicy(algorithm.policy, algorithm.target_network if lagged else algorithm.policy.network)


def play(make: Callable[[Any], Policy], env: LanesVectorEnv, seed: int) -> dict[str, Any]:
    """Returns the figures of a policy over one episode in each lane, all seeded from `seed` on."""
    policy, timed = make(env.problem), make(env.problem)
    policy.reset(seed)
    timed.reset(seed)
    observation, _ = env.reset(seed=seed)
    slots: list[np.ndarray] = []
    decision_s: list[float] = []
    for _ in range(env.problem.episode_slots):
        decision_s.append(decision_time_s(timed, observation, env.view))
        observation, reward, _, _, infos = env.step(policy.act(observation, env.view))
        slots.append(np.stack([reward, infos["completion_time_s"], infos["backlog_gcycles"]]))
    reward, completion_time_s, backlog_gcycles = np.stack(slots, axis=-1)
    return {
        "episodes": env.num_envs,
        "return_mean": float(reward.sum(axis=-1).mean()),
        "completion_time_s_mean": float(completion_time_s.mean()),
        "completion_time_s_of_episodes": completion_time_s.mean(axis=-1).tolist(),
        "backlog_gcycles_mean": float(backlog_gcycles.mean()),
        "backlog_gcycles_final": float(backlog_gcycles[:, -1].mean()),
        "decision_ms_p50": 1e3 * float(np.median(decision_s)),
    }


def decision_time_s(policy: Policy, observation: np.ndarray, view: View) -> float:
    """Returns how long the policy takes for one slot of one lane, all its agents together."""
    first = View(
        problem=view.problem,
        state=map_arrays(lambda a: a[:1], view.state),
        exogenous=map_arrays(lambda a: a[:1], view.exogenous),
    )
    began = time.perf_counter()
    policy.act(observation[:1], first)
    return time.perf_counter() - began


def print_table(figures: Mapping[str, Any]) -> None:
    """Prints the learned policy among the references, the shortest completion time first."""
    rows = {**figures["references"], f"{figures['policy']} ({figures['preset']})": figures}
    best = figures["references"]["best-response-drift"]["completion_time_s_mean"]
    print(f"\n{figures['episodes']} held-out episodes from seed {figures['seed']}, means per slot, summed over clients")
    columns = ("completion", "x best resp.", "backlog", "final", "return", "decision")
    print("policy".ljust(28) + "".join(name.rjust(14 if name == "x best resp." else 12) for name in columns))
    for name, row in sorted(rows.items(), key=lambda item: item[1]["completion_time_s_mean"]):
        print(
            f"{name:<28}{row['completion_time_s_mean']:>10.2f} s{row['completion_time_s_mean'] / best:>14.2f}"
            f"{row['backlog_gcycles_mean']:>9.1f} Gc{row['backlog_gcycles_final']:>9.1f} Gc"
            f"{row['return_mean']:>12.0f}{row['decision_ms_p50']:>9.2f} ms"
        )


def main(arguments: list[str] | None = None) -> None:
    """Evaluates the run of the command line, writes `evaluation.json` and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m trainers.evaluate", description="Evaluates a trained run.")
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="folder that a trainer wrote")
    parser.add_argument("--episodes", type=int, default=32, help="held-out episodes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1000, help="seed of the first of them (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.episodes < 1 or options.seed < 0:
        parser.error("--episodes must be at least 1 and --seed at least 0")
    try:
        figures = evaluate_run(options.run, episodes=options.episodes, seed=options.seed)
    except (OSError, TrafficError, ValueError) as error:
        sys.exit(f"trainers.evaluate: {error}")
    print_table(figures)
    RunDirectory(options.run).save_evaluation(figures)
    print(f"written to {options.run / EVALUATION}")


if __name__ == "__main__":
    main()
