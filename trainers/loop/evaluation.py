"""Evaluation of a trained run on held-out episodes, together with the reference policies of its problem.

All policies play the same episodes: environment `b` is seeded with `seed + b`. Policies are ranked by the problem's
first metric, because a policy can raise its return without lowering the metric. Torch is imported inside functions,
so that commands can read their command line first.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainers.loop.episodes import play_out
from trainers.registry import Learner, learner_named
from trainers.runs.checkpoints import ALGORITHM, EXPORTED, load_weights
from trainers.runs.compute import set_up_torch
from trainers.runs.configuration import from_json, learner_of, warn_of_other_files, warn_of_other_sumo
from trainers.runs.directory import RunDirectory
from trainers.runs.options import Run
from trainers.runs.progress import bar
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.problems.base import View
from vec_envs.problems.policy import Policy, mask_keyword
from vec_envs.records import map_arrays
from vec_envs.registration import factory_of

if TYPE_CHECKING:
    from trainers.tianshou_bridge.policy import LearnedPolicy


def evaluate_run(path: Path, *, episodes: int, seed: int, slow: bool = False) -> dict[str, Any]:
    """Returns the metrics of a run's policy and of the reference policies on the same episodes.

    Args:
        path: The folder of the run.
        episodes: The number of held-out episodes.
        seed: The seed of the first episode.
        slow: Whether to also play slow references, and those that need an extra.

    Returns:
        The content of `evaluation.json`. A problem without reference policies has no entries in `references`, and
        `to_beat` is empty.

    Raises:
        FileNotFoundError: The folder holds no run.
        ValueError: The run does not fit this version of the project.
    """
    learner, run, state = load_run(path)
    warn_of_other_sumo(RunDirectory(path).config(), run)
    warn_of_other_files(RunDirectory(path).config(), run)
    set_up_torch(run.threads)
    known = factory_of(run.env_id).references
    with EvaluationEnvironments(run, episodes) as environments:
        env = environments.env({})
        played = {name: reference for name, reference in known.policies.items() if slow or not reference.slow}
        with PolicyBar(1 + len(played), env.problem.episode_epochs) as shown:
            references = {
                name: play(reference.make, environments.env(reference.env), seed, report=shown.begin(name))
                for name, reference in played.items()
            }
            make = partial(learned_policy, learner, run, state)
            learned = play(make, env, seed, report=shown.begin(learner.name))
        reported = [asdict(metric) for metric in env.problem.reported_metrics]
    return {
        "policy": learner.name,
        "preset": run.preset,
        "seed": seed,
        **learned,
        "reported": reported,
        "to_beat": known.to_beat,
        "references": references,
    }


class PolicyBar:
    """A progress bar over the decision epochs of several policies, with the name of the one that plays."""

    def __init__(self, policies: int, epochs: int) -> None:
        self._epochs, self._begun = epochs, 0
        self._bar = bar(policies * epochs, unit="epoch")

    def __enter__(self) -> PolicyBar:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def begin(self, name: str) -> Callable[[int], None]:
        """Returns a function that takes the epoch which a policy has reached. Earlier policies count as finished."""
        before = self._begun * self._epochs
        self._begun += 1
        self._bar.set_description_str(name)

        def reach(epoch: int) -> None:
            self._bar.update(before + epoch - self._bar.n)

        return reach


def no_report(epoch: int) -> None:
    """Ignores the epoch that a policy has reached."""


class EvaluationEnvironments(contextlib.ExitStack):
    """The environments of an evaluation: the run's own, and one for each set of fields that a reference changes.

    Leaving the context closes them.
    """

    def __init__(self, run: Run, episodes: int) -> None:
        super().__init__()
        self._run, self._episodes = run, episodes
        self._envs: list[tuple[dict[str, Any], BatchVectorEnv]] = []

    def env(self, fields: Mapping[str, Any]) -> BatchVectorEnv:
        """Returns the run's environment with these fields changed; equal fields return one object."""
        options = asdict(self._run.env) | dict(fields)
        for known_options, env in self._envs:
            if known_options == options:
                return env
        env = factory_of(self._run.env_id).vector_env(num_envs=self._episodes, **options)
        self._envs.append((options, self.enter_context(contextlib.closing(env))))
        return env


def load_run(path: Path) -> tuple[Learner, Run, dict[str, Any]]:
    """Returns the learner, the options and the checkpoint of a run's folder.

    Raises `FileNotFoundError` where the folder holds no run, and `ValueError` where the run cannot be read.
    """
    directory = RunDirectory(path)
    text = directory.config()
    learner = learner_named(learner_of(text))
    return learner, from_json(text, learner), directory.load_checkpoint()


def learned_policy(learner: Learner, run: Run, state: Mapping[str, Any], problem: Any) -> LearnedPolicy:
    """Returns the policy of a checkpoint, for a problem with the agents, actions and observations of the training.

    Args:
        learner: The learner of the run.
        run: The options of the run.
        state: A checkpoint of the run, complete or written by `trainers.export`.
        problem: The problem to play.

    Raises:
        UnfitCheckpointError: The problem has other agents, actions or observations than the one of the training.
    """
    algorithm = learner.build(problem, run.learner, seed=0)
    policy = learner.policy(algorithm)
    module, weights = (policy.network, state[EXPORTED]) if EXPORTED in state else (algorithm, state[ALGORITHM])
    load_weights(module, weights, given="the checkpoint")
    return policy


def play(
    make: Callable[[Any], Policy], env: BatchVectorEnv, seed: int, *, report: Callable[[int], None] = no_report
) -> dict[str, Any]:
    """Plays one episode in each environment and returns the metrics of the policy.

    Args:
        make: Builds the policy from the problem.
        env: The environments; environment `b` is seeded with `seed + b`.
        seed: The seed of the first environment, and of the policy.
        report: Takes the epoch that all environments have reached, before each decision.
    """
    policy, timed = make(env.problem), make(env.problem)
    policy.reset(seed)
    timed.reset(seed)
    env.reset(seed=seed)
    decision_s = list[float]()

    def decide(observation: np.ndarray, view: View) -> np.ndarray:
        report(int(env.batch.epoch.min()))
        if not env.batch.ended[0]:
            decision_s.append(decision_time_s(timed, observation, view))
        return policy.act(observation, view, **mask_keyword(policy, view))

    tally = play_out(env.batch, decide, env.problem.reported_metrics)
    values: dict[str, Any] = {"episodes": env.num_envs, "return_mean": float(tally.returns.mean())}
    means = tally.means()
    for metric in env.problem.reported_metrics:
        values[f"{metric.name}_mean"] = float(means[metric.name].mean())
        values[f"{metric.name}_of_episodes"] = means[metric.name].tolist()
        if metric.final:
            values[f"{metric.name}_final"] = float(tally.last[metric.name].mean())
    return values | {"decision_ms_p50": 1e3 * float(np.median(decision_s)) if decision_s else 0.0}


def decision_time_s(policy: Policy, observation: np.ndarray, view: View) -> float:
    """Returns the CPU time of one decision of all agents of the first environment, in seconds.

    CPU time of the thread is measured, because wall-clock time depends on the other load of the machine.
    """
    first = View(
        problem=view.problem,
        state=map_arrays(lambda a: a[:1], view.state),
        exogenous=map_arrays(lambda a: a[:1], view.exogenous),
    )
    mask = mask_keyword(policy, first)
    began = time.thread_time()
    policy.act(observation[:1], first, **mask)
    return time.thread_time() - began
