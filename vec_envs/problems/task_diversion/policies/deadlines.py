"""A rule for tight deadlines: the least sum of cost, deadline penalty and a price of the unit's time."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from vec_envs.problems.base import View
from vec_envs.problems.policy import needs_view, with_axes_of
from vec_envs.problems.task_diversion.policies.rules import Action, Observation, task_options
from vec_envs.problems.task_diversion.problem import TaskDiversion
from vec_envs.problems.task_diversion.records import Request
from vec_envs.records import pick
from vec_envs.validation import check_not_negative

SHARES = np.linspace(0.0, 1.0, 5)
"""The tried speeds, from the speed of least cost (0) to full speed (1)."""


class DeadlineCut:
    """Takes the cut and speeds that minimise cost + penalty of a missed deadline + price of the unit's time.

    A task keeps its unit from later tasks. The price is the cost of each second of that time, so the policy leaves more
    layers on the vehicle than the cut of least cost for the task alone. Tasks with no unit in range are run on the
    vehicle.

    Args:
        problem: The problem that the policy plays.
        price: The price of a second of the unit, in units of cost.

    Differs from RTD's GBS, which considers no deadlines and no later tasks.
    """

    def __init__(self, problem: TaskDiversion, *, price: float = 1.0) -> None:
        check_not_negative(price=price)
        self._problem = problem
        self._price = price

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns the actions. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation, in_turn=True)
        problem, task = self._problem, view.exogenous
        request = problem.request(view.state, task)
        cut, vehicle_ghz, rsu_ghz, _ = task_options(problem, task.dnn, request, speeds="best")
        layers = problem.num_layers[task.dnn][..., None]
        allowed = np.where(request.asked[..., None] >= 0, cut <= layers, cut == layers)
        tried: dict[str, Any] = {
            "cut": np.minimum(cut, layers)[..., None, None],
            "vehicle_ghz": _up_to(problem.vehicle_ghz, vehicle_ghz)[..., None],
            "rsu_ghz": _up_to(problem.rsu_ghz, rsu_ghz)[..., None, :],
        }
        total = np.where(allowed[..., None, None], self._total(task, request, tried), np.inf)
        flat = total.reshape(*total.shape[:-3], -1)
        best = flat.argmin(axis=-1)
        of_best = {name: pick(np.broadcast_to(of, total.shape).reshape(flat.shape), best) for name, of in tried.items()}
        return with_axes_of(observation, problem.action.encode(dnn=task.dnn, **of_best)[..., None, :])

    def _total(self, task: Any, request: Request, tried: dict[str, Any]) -> Float[np.ndarray, "*batch cuts own unit"]:
        """Returns the sum to minimise, for each cut, speed of the vehicle and speed of the unit."""
        each = (..., None, None, None)
        rate_mbps = np.where(request.asked >= 0, request.rate_mbps, 1.0)[each]
        outcome = self._problem.task_outcome(
            dnn=task.dnn[each],
            rate_mbps=rate_mbps,
            queue_s=request.queue_s[each],
            battery=request.battery[each],
            deadline_s=task.deadline_s[each],
            **tried,
        )
        at_unit = tried["cut"] < self._problem.num_layers[task.dnn][each]
        kept_s = np.where(at_unit, outcome.start_s + outcome.rsu_service_s - request.queue_s[each], 0.0)
        return outcome.cost + self._problem.deadline_penalty * outcome.missed + self._price * kept_s


def _up_to(full_ghz: float, least_ghz: Float[np.ndarray, "*batch cuts"]) -> Float[np.ndarray, "*batch cuts speeds"]:
    """Returns speeds from the speed of least cost to full speed."""
    return least_ghz[..., None] + SHARES * (full_ghz - least_ghz[..., None])
