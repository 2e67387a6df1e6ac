"""Blind policies: tables of actions that are played slot by slot and see nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped

from vec_envs.problems.base import Problem, SequentialProblem, View, action_shape
from vec_envs.problems.policy import batch_size_of, needs_view


class Timetable:
    """Plays the rows of a table of actions, one a slot, and begins again after the last one. One row is static.

    It knows the number of the slot and nothing else. A good table therefore measures how much of a task can be solved
    without looking.

    Args:
        problem: The problem to play.
        table: The actions of each row, `[rows, *action_shape(problem)]`.

    Raises:
        ValueError: The table has no rows, or rows of another shape.
    """

    def __init__(self, problem: Problem, table: Shaped[np.ndarray, "rows ..."]) -> None:
        expected = action_shape(problem)
        if table.ndim < 2 or not len(table) or table.shape[1:] != expected:
            raise ValueError(f"a table must have rows of shape {expected}, got an array of shape {table.shape}")
        self._table = table
        self._turns: Any = problem if isinstance(problem, SequentialProblem) else None
        self._slot = 0

    def reset(self, seed: int) -> None:
        """Begins with the first row."""
        self._slot = 0

    def act(
        self, observation: Float32[np.ndarray, "batch agents features"], view: View | None = None
    ) -> Shaped[np.ndarray, "batch agents ..."]:
        """Returns the actions of the present slot.

        Raises `ValueError` without a view if agents decide in turn: the view gives the number of the slot.
        """
        batch_size = batch_size_of(observation)
        if self._turns is not None:
            slot = self._turns.turn(needs_view(view, self, observation).exogenous)[0]
            return self._table[slot % len(self._table)]
        row = self._table[self._slot % len(self._table)]
        self._slot += 1
        return np.repeat(row[None], batch_size, axis=0)
