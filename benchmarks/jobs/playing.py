"""Plays the held-out episodes of a job as one batch, and collects the metrics that are kept."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.jobs.recording import Recorder
from benchmarks.policies.custom import GuardedPolicy
from benchmarks.policies.time_limits import at_most
from benchmarks.results.kept import Kept
from trainers.loop.episodes import Step, Tally, Trend, play_out
from trainers.loop.evaluation import decision_time_s
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.problems.base import Metric, Problem, View
from vec_envs.problems.policy import Policy, mask_keyword

TIMED_EPOCHS = 30
"""The largest number of decision epochs at which the time of a decision is measured."""
MOST_WARNINGS, WARNING_LENGTH = 20, 300
"""The largest number of warnings in a result, and of characters in each, by `result.schema.json`."""
START_LIMITS = 30.0
"""The longest time to make a policy or to start an episode, as a multiple of the limit for a decision."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """The outcome of a policy's held-out episodes."""

    values: dict[str, np.ndarray]
    """Means over the decisions of each episode, late means and trends, by name."""
    decisions: np.ndarray
    """The number of decisions in each episode."""
    traces: dict[str, np.ndarray]
    """Means over the episodes at each decision epoch, by metric."""
    decision_ms: float | None
    """Median CPU time of a decision in one environment; None where it was not measured."""
    recording: dict[str, Any] | None
    """The first episode, slot by slot; None where it is not kept."""
    warnings: tuple[str, ...] = ()
    """Warnings of the policy, such as slots whose optimum is not proven: each once, and 20 at most."""


def play(
    policy: Policy,
    env: BatchVectorEnv,
    observed_problem: Problem,
    kept: Kept,
    *,
    seed: int,
    policy_seed: int | None = None,
    limit_s: float = math.inf,
    timed: Policy | None = None,
) -> Played:
    """Plays an episode in each environment of a batch.

    Args:
        policy: The policy.
        env: The environments.
        observed_problem: The problem whose `observe` the policy sees. It differs from the problem of `env` if the
            policy declares other options in `sees`.
        kept: The metrics to keep.
        seed: The seed of the first episode; the others follow it.
        policy_seed: The seed of the policy's own random numbers; None for the seed of the first episode.
        limit_s: The longest time of a decision, on average over the environments.
        timed: A second instance of the policy, to measure the time of a decision in one environment. It leaves the
            random numbers of the first instance unchanged.

    Raises `ValueError` for an unknown metric, listing the known ones, and for a decision that takes too long.
    """
    for started in (policy, timed):
        if started is not None:
            with at_most(START_LIMITS * limit_s, "starting an episode"):
                started.reset(seed if policy_seed is None else policy_seed)
    env.reset(seed=seed)
    watch, decision_s, warned = Watch(kept, env), list[float](), dict[str, None]()
    recorder = Recorder(env) if kept.recorded else None

    def decide(observation: np.ndarray, view: View) -> np.ndarray:
        if observed_problem is not view.problem:
            observation = observed_problem.observe(view.state, view.exogenous)
        with (
            at_most(limit_s * env.num_envs, f"{env.num_envs} decisions at once"),
            warnings.catch_warnings(record=True, action="always") as caught,
        ):
            action = policy.act(observation, view, **mask_keyword(policy, view))
        warned.update(dict.fromkeys(str(warning.message)[:WARNING_LENGTH] for warning in caught))
        if timed is not None and len(decision_s) < TIMED_EPOCHS and not env.batch.ended[0]:
            with at_most(limit_s, "a decision"), warnings.catch_warnings(action="ignore"):  # caught above already
                took_s = decision_time_s(timed, observation, view)
            decision_s.append(timed.decided_s if isinstance(timed, GuardedPolicy) else took_s)
        if recorder is not None:
            recorder.add(view, action)
        return action

    tally = play_out(env.batch, decide, _metrics(kept.metrics), watch=watch.add)
    return Played(
        values=tally.means() | watch.values(),
        decisions=tally.decisions,
        traces=watch.traces(),
        decision_ms=1e3 * float(np.median(decision_s)) if decision_s else None,
        recording=None if recorder is None else recorder.written(),
        warnings=tuple(warned)[:MOST_WARNINGS],
    )


class Watch:
    """Collects late means, trends and traces."""

    def __init__(self, kept: Kept, env: BatchVectorEnv) -> None:
        self._late = Tally(_metrics(kept.late), env.num_envs)
        self._trends = Trend(kept.trends, env.num_envs)
        self._traced: dict[str, list[float]] = {name: [] for name in kept.traces}
        self._epochs, self._length = itertools.count(), env.problem.episode_epochs

    def add(self, played: Step) -> None:
        """Adds a step of all environments."""
        epoch = next(self._epochs)
        if epoch >= self._length // 2:
            self._late.add(played)
        self._trends.add(played)
        for name, trace in self._traced.items():
            trace.append(float(np.mean(played.metrics[name][played.running])))

    def values(self) -> dict[str, np.ndarray]:
        """Returns the late means and trends of each environment."""
        late = {f"late_{name}": means for name, means in self._late.means().items()}
        return late | {f"trend_{name}": slopes for name, slopes in self._trends.slopes().items()}

    def traces(self) -> dict[str, np.ndarray]:
        """Returns the traces: means over the running environments at each decision epoch."""
        return {name: np.array(trace) for name, trace in self._traced.items()}


def _metrics(names: Sequence[str]) -> tuple[Metric, ...]:
    return tuple(Metric(name=name, unit="") for name in names)
