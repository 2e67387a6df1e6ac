"""VEC-TaskDiversion: vehicles on a two-way road ask one of two roadside units to run a part of a task (RTD)."""

from vec_envs.problems.task_diversion.problem import TaskDiversion
from vec_envs.problems.task_diversion.records import Draws, Exogenous, Outcome, State, TaskOutcome

__all__ = ["Draws", "Exogenous", "Outcome", "State", "TaskDiversion", "TaskOutcome"]
