"""Blind policies: tables of actions that are played row after row and see nothing, and the search for good ones."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from benchmarks.references.candidates import legal_ever, neighbours
from benchmarks.references.rollouts import TOLERANCE, KnownEpisodes, Progress
from vec_envs.problems.base import SequentialProblem

Table = Shaped[np.ndarray, "rows ..."]
LARGEST_BATCH = 8192
"""The largest number of rollouts that a search plays at once."""


@dataclass(frozen=True, kw_only=True)
class FoundTable:
    """A table and its value on the episodes of the search."""

    table: Table
    value: float


class TableSearch:
    """Coordinate descent over the entries of tables, on all episodes at once.

    Args:
        episodes: The episodes, whose seeds must not be those of an evaluation.
        rng: Draws the order of rows.
        budget_s: CPU seconds after which the search ends.
    """

    def __init__(self, episodes: KnownEpisodes, rng: np.random.Generator, *, budget_s: float) -> None:
        self._episodes = episodes
        self._rng = rng
        self._ends_s = time.process_time() + budget_s

    def best(self, start: Table, *, num_rows: int) -> FoundTable:
        """Returns the best table of that many rows that is found from a table, whose rows are repeated."""
        table = start[np.arange(num_rows) % len(start)].copy()
        value = float(self.values(table[None])[0])
        pending = list(self._rng.permutation(num_rows))
        while pending and time.process_time() < self._ends_s:
            row = int(pending.pop(0))
            tried = self._tables(table, row)
            values = self.values(tried)
            best = int(values.argmin())
            if values[best] < value - TOLERANCE:
                table, value = tried[best].copy(), float(values[best])
                pending += [int(r) for r in self._rng.permutation(num_rows) if r not in pending]
        return FoundTable(table=table, value=value)

    def values(self, tables: Shaped[np.ndarray, "tables rows ..."]) -> Float[np.ndarray, "tables"]:
        """Returns the value of each table: of the means over the episodes."""
        at_once = max(LARGEST_BATCH // self._episodes.num_episodes, 1)
        parts = [self._values(tables[first : first + at_once]) for first in range(0, len(tables), at_once)]
        return np.concatenate(parts)

    def _values(self, tables: Shaped[np.ndarray, "tables rows ..."]) -> Float[np.ndarray, "tables"]:
        episodes = self._episodes
        which = np.repeat(np.arange(len(tables)), episodes.num_episodes)
        progress = episodes.start(np.tile(np.arange(episodes.num_episodes), len(tables)))
        while (progress.epoch < episodes.num_epochs).any():
            row = slot_of(episodes, progress) % tables.shape[1]
            progress = episodes.step(progress, tables[which, row])

        def mean(values: Float[np.ndarray, "rows"]) -> Float[np.ndarray, "tables"]:
            return values.reshape(len(tables), -1).mean(axis=1)

        return episodes.goal.value(mean(progress.mean), {name: mean(of) for name, of in progress.final.items()})

    def _tables(self, table: Table, row: int) -> Shaped[np.ndarray, "tables rows ..."]:
        """Returns the tables that differ in one agent's action, or one number of it, in a row."""
        others = neighbours(table[row], legal_ever(self._episodes.problem))
        tables = np.repeat(table[None], len(others), axis=0)
        tables[:, row] = others
        return tables


def slot_of(episodes: KnownEpisodes, progress: Progress) -> Int[np.ndarray, "rows"]:
    """Returns the slot of each row's epoch."""
    problem: Any = episodes.problem
    if not isinstance(problem, SequentialProblem):
        return progress.epoch
    return problem.turn(episodes.exogenous(progress))[0]
