"""A trained run -> figures: `python -m trainers.evaluate RUN_DIR [--episodes 32] [--seed 1000] [--slow]`.

The learned policy and every reference policy play the same held-out episodes: lane b is seeded `seed + b`. Policies
are ranked by the problem's first figure; a return can be gamed. Torch is imported after the command line is read.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainers.loop.episodes import play_out
from trainers.registry import Learner
from trainers.runs.compute import set_up_torch
from trainers.runs.directory import RunDirectory
from trainers.runs.options import Run, from_json, learner_of
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.mobility import TrafficError
from vec_envs.policies import references
from vec_envs.problems.base import View
from vec_envs.problems.policy import Policy
from vec_envs.records import map_arrays
from vec_envs.registration import factory_of

if TYPE_CHECKING:
    from trainers.tianshou_bridge.policy import LearnedPolicy

LEARNERS = {
    "dqn": "trainers.dqn",
    "ppo": "trainers.ppo",
    "qmix": "trainers.qmix",
    "qmix_diffusion": "trainers.qmix_diffusion",
    "sac": "trainers.sac",
}
"""Name -> module whose `LEARNER` it is."""

EXPORTED = "policy"
"""What a checkpoint of `trainers.export` holds in place of the algorithm: the weights of the network that plays."""

UNITS = ("s", "j", "w", "m", "ghz", "gcycles", "mbit", "mbps", "gb")
"""The last words of names that are units."""


def evaluate_run(path: Path, *, episodes: int, seed: int, slow: bool = False) -> dict[str, Any]:
    """Returns the figures of a run's policy and of the references on the same episodes, as in `evaluation.json`.

    References that take long, or an extra, play where `slow` is true.

    Raises `FileNotFoundError` where the folder holds no run, `ValueError` where it is of another version.
    """
    learner, run, state = load_run(path)
    set_up_torch(run.threads)
    with Stages(run, episodes) as stages:
        env = stages.env({})
        known = references(env.problem)
        played = {
            name: play(known_as.make, stages.env(known_as.env), seed)
            for name, known_as in known.policies.items()
            if slow or not known_as.slow
        }
        learned = play(lambda problem: learned_policy(learner, run, state, problem), env, seed)
        reported = [asdict(figure) for figure in env.problem.reported_metrics]
    return {
        "policy": learner.name,
        "preset": run.preset,
        "seed": seed,
        **learned,
        "reported": reported,
        "to_beat": known.to_beat,
        "references": played,
    }


class Stages(contextlib.ExitStack):
    """The environments that policies play on: the run's own, and one for each set of fields that references change."""

    def __init__(self, run: Run, episodes: int) -> None:
        super().__init__()
        self._run, self._episodes = run, episodes
        self._envs: list[tuple[dict[str, Any], BatchVectorEnv]] = []

    def env(self, fields: Mapping[str, Any]) -> BatchVectorEnv:
        """Returns the run's environment with these fields changed, made at the first call for them."""
        options = asdict(self._run.env) | dict(fields)
        for made_of, env in self._envs:
            if made_of == options:
                return env
        made = factory_of(self._run.env_id).vector_env(num_envs=self._episodes, **options)
        self._envs.append((options, self.enter_context(contextlib.closing(made))))
        return made


def load_run(path: Path) -> tuple[Learner, Run, dict[str, Any]]:
    """Returns learner, options and checkpoint of a run's folder."""
    directory = RunDirectory(path)
    text = directory.config()
    name = str(learner_of(text))
    if name not in LEARNERS:
        raise ValueError(f"{path} is of the learner {name!r}; there are {', '.join(map(repr, LEARNERS))}")
    learner: Learner = importlib.import_module(LEARNERS[name]).LEARNER
    return learner, from_json(text, learner), directory.load_checkpoint()


def learned_policy(learner: Learner, run: Run, state: Mapping[str, Any], problem: Any) -> LearnedPolicy:
    """Returns the policy of a checkpoint, whole or exported, for a problem like the one it was trained on.

    Raises `ValueError` where the problem has other agents, actions or observations.
    """
    algorithm = learner.build(problem, run.learner, seed=0)
    policy = learner.policy(algorithm)
    try:
        if EXPORTED in state:
            policy.network.load_state_dict(dict(state[EXPORTED]))
        else:
            algorithm.load_state_dict(dict(state["algorithm"]))
    except RuntimeError as error:
        raise ValueError(
            f"the checkpoint is of a problem with other agents, actions or observations: {error}"
        ) from error
    return policy


def play(make: Callable[[Any], Policy], env: BatchVectorEnv, seed: int) -> dict[str, Any]:
    """Returns the figures of a policy over one episode in each lane, all seeded from `seed` on."""
    policy, timed = make(env.problem), make(env.problem)
    policy.reset(seed)
    timed.reset(seed)
    env.reset(seed=seed)
    decision_s = list[float]()

    def decide(observation: np.ndarray, view: View) -> np.ndarray:
        if not env.batch.ended[0]:
            decision_s.append(decision_time_s(timed, observation, view))
        return policy.act(observation, view)

    tally = play_out(env.batch, decide, env.problem.reported_metrics)
    figures: dict[str, Any] = {"episodes": env.num_envs, "return_mean": float(tally.returns.mean())}
    means = tally.means()
    for figure in env.problem.reported_metrics:
        figures[f"{figure.name}_mean"] = float(means[figure.name].mean())
        figures[f"{figure.name}_of_episodes"] = means[figure.name].tolist()
        if figure.final:
            figures[f"{figure.name}_final"] = float(tally.last[figure.name].mean())
    return figures | {"decision_ms_p50": 1e3 * float(np.median(decision_s)) if decision_s else 0.0}


def decision_time_s(policy: Policy, observation: np.ndarray, view: View) -> float:
    """Returns the CPU time, of the thread that decides, for one decision of one lane, all its agents together.

    By the clock it would tell what else the machine was busy with.
    """
    first = View(
        problem=view.problem,
        state=map_arrays(lambda a: a[:1], view.state),
        exogenous=map_arrays(lambda a: a[:1], view.exogenous),
    )
    began = time.thread_time()
    policy.act(observation[:1], first)
    return time.thread_time() - began


def print_table(figures: Mapping[str, Any]) -> None:
    """Prints the learned policy among the references, the best by the problem's first figure on top."""
    reported, to_beat = figures["reported"], figures["to_beat"]
    rank = f"{reported[0]['name']}_mean"
    rows = {**figures["references"], f"{figures['policy']} ({figures['preset']})": figures}
    lines = [table_head(reported)]
    for name, row in sorted(rows.items(), key=lambda item: item[1][rank]):
        best = figures["references"][to_beat][rank]
        cells = [shown(row[key], unit) for _, key, unit in columns(reported)]
        cells.insert(1, f"{row[rank] / best:.2f}" if best else "-")
        lines.append([name, *cells, shown(row["return_mean"]), f"{row['decision_ms_p50']:.2f} ms"])
    print(f"\n{figures['episodes']} held-out episodes from seed {figures['seed']}: means per decision of all agents;")
    print(f"ratio: {label(reported[0]['name'])} to that of {to_beat}")
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for name, *cells in lines:
        print(name.ljust(widths[0]) + "".join(f"  {c:>{w}}" for c, w in zip(cells, widths[1:], strict=True)))


def table_head(reported: list[dict[str, Any]]) -> list[str]:
    """Returns the heads of the columns."""
    heads = [head for head, _, _ in columns(reported)]
    return ["policy", heads[0], "ratio", *heads[1:], "return", "decision"]


def columns(reported: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Returns head, key and unit of the columns of figures."""
    found: list[tuple[str, str, str]] = []
    for figure in reported:
        name, head = figure["name"], label(figure["name"])
        found.append((head, f"{name}_mean", figure["unit"]))
        if figure["final"]:
            found.append((f"final {head}", f"{name}_final", figure["unit"]))
    return found


def label(name: str) -> str:
    """Returns a figure's name in words, without its unit."""
    words = name.split("_")
    return " ".join(words[:-1] if len(words) > 1 and words[-1] in UNITS else words)


def shown(value: float, unit: str = "") -> str:
    """Returns a figure with about four digits, and its unit."""
    digits = 3 - math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 2
    return f"{value:.{min(max(digits, 0), 4)}f} {unit}".rstrip()


def main(arguments: list[str] | None = None) -> None:
    """Evaluates the run of the command line, writes the figures and prints the table.

    They go to `evaluation.json`, but not over an evaluation of other episodes.
    """
    parser = argparse.ArgumentParser(prog="python -m trainers.evaluate", description="Evaluates a trained run.")
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="folder that a trainer wrote")
    parser.add_argument("--episodes", type=int, default=32, help="held-out episodes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1000, help="seed of the first of them (default: %(default)s)")
    parser.add_argument("--slow", action="store_true", help="also play the references that take long")
    options = parser.parse_args(arguments)
    if options.episodes < 1 or options.seed < 0:
        parser.error("--episodes must be at least 1 and --seed at least 0")
    try:
        figures = evaluate_run(options.run, episodes=options.episodes, seed=options.seed, slow=options.slow)
    except (OSError, RuntimeError, TrafficError, ValueError) as error:
        sys.exit(f"trainers.evaluate: {error}")
    print_table(figures)
    print(f"written to {RunDirectory(options.run).save_evaluation(figures, replace=False)}")


if __name__ == "__main__":
    main()
