"""The seer: a search for the best plan of an episode, with all that is exogenous known from the beginning.

Its value is the best that was found, not a bound. It is what a policy could reach that foresees the traffic, the
channel and its own queues.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.references.candidates import legal_now, neighbours
from benchmarks.references.rollouts import TOLERANCE, KnownEpisodes, Plan, Progress


@dataclass(frozen=True, kw_only=True)
class Found:
    """The best plan of a search and its value. `cpu_s` is the CPU time of the search."""

    plan: Plan
    value: float
    cpu_s: float


class Seer:
    """Coordinate descent over the actions of an episode, with kicks: an iterated local search.

    Args:
        episode: The episode: a single one.
        rng: Draws the kicks.
        budget_s: CPU seconds after which the search ends.
    """

    def __init__(self, episode: KnownEpisodes, rng: np.random.Generator, *, budget_s: float) -> None:
        self._episode = episode
        self._rng = rng
        self._ends_s = time.process_time() + budget_s
        self._began_s = time.process_time()

    def best_of(self, plans: Sequence[Plan]) -> Found:
        """Returns the best plan that is found from the given ones."""
        values = [self._value(plan) for plan in plans]
        best = np.array(plans[int(np.argmin(values))])
        value = self._descend(best, list(self._episode.trace(best))[:-1])
        sources = [np.asarray(plan) for plan in plans]
        while not self._is_over():
            tried, epochs = self._kicked(best, sources)
            after = self._descend(tried, epochs)
            if after < value - TOLERANCE:
                best, value = tried, after
        return Found(plan=best, value=value, cpu_s=time.process_time() - self._began_s)

    def _is_over(self) -> bool:
        return time.process_time() > self._ends_s

    def _value(self, plan: Plan) -> float:
        return self._last_value(self._episode.trace(plan))

    def _last_value(self, trace: dict[int, Progress]) -> float:
        return float(self._episode.value(trace[self._episode.num_epochs])[0])

    def _descend(self, plan: Plan, epochs: Sequence[int]) -> float:
        """Improves a plan in place until no change of one decision at these epochs helps; returns its value."""
        trace = self._episode.trace(plan)
        value = self._last_value(trace)
        pending = list(epochs)
        while pending and not self._is_over():
            epoch = pending.pop(0)
            if epoch not in trace:
                continue
            action, after = self._best_change(plan, epoch, trace[epoch])
            if after >= value - TOLERANCE:
                continue
            plan[epoch], value = action, after
            trace = self._episode.trace(plan)
            # The change may make others worthwhile: at this epoch, and at those beside it.
            pending += [e for e in (epoch, epoch - 1, epoch + 1) if e in trace and e not in pending and e in epochs]
        return value

    def _best_change(self, plan: Plan, epoch: int, progress: Progress) -> tuple[np.ndarray, float]:
        exogenous = self._episode.exogenous(progress)
        tried = neighbours(plan[epoch], legal_now(self._episode.problem, progress.state, exogenous))
        if not len(tried):  # nobody has a choice
            return plan[epoch], math.inf
        after = self._episode.step(progress.repeated(len(tried)), tried)
        while (after.epoch < self._episode.num_epochs).any():
            after = self._episode.step(after, plan[np.minimum(after.epoch, self._episode.num_epochs - 1)])
        values = self._episode.value(after)
        best = int(np.argmin(values))
        return tried[best], float(values[best])

    def _kicked(self, plan: Plan, sources: Sequence[Plan]) -> tuple[Plan, list[int]]:
        """Returns a plan with some actions of a random window replaced, and the epochs to improve around it."""
        kicked, epochs = plan.copy(), list(self._episode.trace(plan))[:-1]
        length = int(self._rng.integers(1, 4))
        first = int(self._rng.integers(max(len(epochs) - length, 1)))
        window = epochs[first : first + length]
        for epoch in window:
            source = sources[int(self._rng.integers(len(sources)))]
            other = source[epochs[int(self._rng.integers(len(epochs)))]]
            chosen = self._rng.random(plan.shape[1:]) < 0.5
            kicked[epoch] = np.where(chosen, other, kicked[epoch])
        return kicked, epochs[max(first - 3, 0) : first + length + 3]
