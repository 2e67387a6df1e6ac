"""Playing a job's held-out episodes, an episode in each lane, and what is kept of them."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.jobs.recording import Recorder
from benchmarks.policies.custom import Guarded
from benchmarks.policies.time_limits import at_most
from trainers.evaluate import decision_time_s
from trainers.loop.episodes import Step, Tally, Trend, play_out
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.problems.base import Metric, Problem, View
from vec_envs.problems.policy import Policy

TIMED_POINTS = 30
"""Of how many epochs, at most, the time of a decision is taken."""
MOST_WARNINGS, WARNING_LENGTH = 20, 300
"""What `result.schema.json` lets a result keep of them."""
START_LIMITS = 30.0
"""How many decisions' time a policy may take to start an episode."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a policy's held-out episodes brought."""

    values: dict[str, np.ndarray]
    """Figures of each episode, means over its decisions."""
    decisions: np.ndarray
    """How many there were in each."""
    traces: dict[str, np.ndarray]
    """Figures epoch by epoch, means over the episodes."""
    decision_ms: float | None
    """Median CPU time of a decision in one lane; None where it was not taken."""
    recording: dict[str, Any] | None
    """The first episode, slot by slot, where it was asked for."""
    warnings: tuple[str, ...] = ()
    """What the policy warned of, such as slots whose optimum is not proven; each once, and not more than 20."""


def play(
    policy: Policy,
    env: BatchVectorEnv,
    sees: Problem,
    of: Mapping[str, Any],
    *,
    limit_s: float = math.inf,
    timed: Policy | None = None,
) -> Played:
    """Plays an episode in each lane, seeded from the evaluation's seed on, by a policy that sees by the problem `sees`.

    A decision may take `limit_s`, on average over the lanes. `timed`, the same policy made once more, tells what one
    lane's decision takes, so that the policy's own randomness is not disturbed.

    Raises `ValueError` listing what exists for an unknown figure, and for a decision that takes too long.
    """
    for one in (policy, timed):
        if one is not None:
            with at_most(START_LIMITS * limit_s, "starting an episode"):
                one.reset(of["seed"])
    env.reset(seed=of["seed"])
    watch, decision_s, warned = Watch(of, env), list[float](), dict[str, None]()
    recorder = Recorder(env) if of.get("recorded") else None

    def decide(observation: np.ndarray, view: View) -> np.ndarray:
        seen = observation if sees is view.problem else sees.observe(view.state, view.exogenous)
        with (
            at_most(limit_s * env.num_envs, f"{env.num_envs} decisions at once"),
            warnings.catch_warnings(record=True, action="always") as said,
        ):
            action = policy.act(seen, view)
        warned.update(dict.fromkeys(str(warning.message)[:WARNING_LENGTH] for warning in said))
        if timed is not None and len(decision_s) < TIMED_POINTS and not env.batch.ended[0]:
            with at_most(limit_s, "a decision"), warnings.catch_warnings(action="ignore"):  # the policy said them
                took_s = decision_time_s(timed, seen, view)
            decision_s.append(timed.decided_s if isinstance(timed, Guarded) else took_s)
        if recorder is not None:
            recorder.add(view, action)
        return action

    tally = play_out(env.batch, decide, _figures(of["figures"]), watch=watch.add)
    return Played(
        values=tally.means() | watch.values(),
        decisions=tally.decisions,
        traces=watch.traces(),
        decision_ms=1e3 * float(np.median(decision_s)) if decision_s else None,
        recording=None if recorder is None else recorder.written(),
        warnings=tuple(warned)[:MOST_WARNINGS],
    )


class Watch:
    """Keeps what a case asks for beside the means: late means, trends and traces."""

    def __init__(self, of: Mapping[str, Any], env: BatchVectorEnv) -> None:
        self._late = Tally(_figures(of.get("late", [])), env.num_envs)
        self._trends = Trend(of.get("trends", []), env.num_envs)
        self._traced: dict[str, list[float]] = {name: [] for name in of.get("traces", [])}
        self._points, self._length = itertools.count(), env.problem.episode_epochs

    def add(self, played: Step) -> None:
        """Adds a step of all lanes."""
        epoch = next(self._points)
        if epoch >= self._length // 2:
            self._late.add(played)
        self._trends.add(played)
        for name, trace in self._traced.items():
            trace.append(float(np.mean(played.figures[name][played.running])))

    def values(self) -> dict[str, np.ndarray]:
        """Returns late means and trends of each lane."""
        late = {f"late_{name}": means for name, means in self._late.means().items()}
        return late | {f"trend_{name}": slopes for name, slopes in self._trends.slopes().items()}

    def traces(self) -> dict[str, np.ndarray]:
        """Returns figures epoch by epoch."""
        return {name: np.array(trace) for name, trace in self._traced.items()}


def _figures(names: Sequence[str]) -> tuple[Metric, ...]:
    return tuple(Metric(name=name, unit="") for name in names)
