"""Rule-based policies for `TaskDiversion`: the paper's baselines, at maximum speed or at the speeds of least cost.

The paper runs its baselines at maximum speed. The speeds of least cost make them stronger, so the comparison is fair.

The cost of a task is a function of its cut and two speeds. For a given cut, the speeds of least cost are known in
closed form. With w the weight of the vehicle's energy, running C Gcycles at f GHz costs C / f + w beta kappa C f^2. The
minimum is at f = (2 w beta kappa)^(-1/3). For the unit's part, w is 1. The vehicle may run even slower if its data
would otherwise wait in the unit's queue.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.policy import batch_size_of, needs_view, with_axes_of
from vec_envs.problems.row_generators import RowGenerators
from vec_envs.problems.task_diversion.problem import TaskDiversion
from vec_envs.problems.task_diversion.records import Request, TaskOutcome
from vec_envs.records import pick
from vec_envs.validation import check_one_of

Observation = Float32[np.ndarray, "batch *agent features"]
"""The axis of the one agent that decides may be missing; then actions have none either."""
Action = Float[np.ndarray, "batch *agent numbers"]
Cuts = Literal["any", "local", "offload"]
Speeds = Literal["full", "best"]
PerCut = Float[np.ndarray, "*batch cuts"]


class RandomNumbers:
    """Draws every number of an action uniformly from [-1, 1]."""

    def __init__(self, problem: TaskDiversion) -> None:
        self._size = problem.actions.size
        self._generators = RowGenerators(0)

    def reset(self, seed: int) -> None:
        """Seeds the random numbers; environment b uses `seed` + b."""
        self._generators = RowGenerators(seed)

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns random actions."""
        batch, size = batch_size_of(observation, in_turn=True), (1, self._size)
        return with_axes_of(observation, self._generators.stacked(batch, lambda rng: rng.uniform(-1.0, 1.0, size)))


class CheapestCut:
    """Takes the cut of least cost t + beta e for the present task.

    The policy is greedy: it ignores the cost for later tasks in the unit's queue. Tasks with no unit in range are run
    on the vehicle.

    Args:
        problem: The problem that the policy plays.
        cuts: The cuts to select from. `"any"` is the paper's GBS. `"local"` is LEO: all layers on the vehicle.
            `"offload"` is REO: all layers at the unit.
        speeds: `"full"` runs both sides at maximum speed, `"best"` at the speeds of least cost of each cut.

    Paper: RTD Eq. (25).
    Differs: solved exactly, cut by cut.
    """

    def __init__(self, problem: TaskDiversion, *, cuts: Cuts = "any", speeds: Speeds = "best") -> None:
        check_one_of(get_args(Cuts), cuts=cuts)
        check_one_of(get_args(Speeds), speeds=speeds)
        self._problem = problem
        self._cuts: Cuts = cuts
        self._speeds: Speeds = speeds

    def reset(self, seed: int) -> None:
        """Does nothing: there is no randomness."""

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns the actions. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation, in_turn=True)
        request = self._problem.request(view.state, view.exogenous)
        dnn = view.exogenous.dnn
        cut, vehicle_ghz, rsu_ghz, outcome = task_options(self._problem, dnn, request, speeds=self._speeds)
        allowed = self._allowed(cut, self._problem.num_layers[dnn][..., None], request.asked[..., None] >= 0)
        best = np.where(allowed, outcome.cost, np.inf).argmin(axis=-1)
        speeds = {"vehicle_ghz": pick(vehicle_ghz, best), "rsu_ghz": pick(rsu_ghz, best)}
        return with_axes_of(observation, self._problem.action.encode(dnn=dnn, cut=best, **speeds)[..., None, :])

    def _allowed(
        self, cut: Int[np.ndarray, "cuts"], layers: Int[np.ndarray, "*batch 1"], in_range: Bool[np.ndarray, "*batch 1"]
    ) -> Bool[np.ndarray, "*batch cuts"]:
        local: Bool[np.ndarray, "*batch cuts"] = cut == layers
        by_option = {"any": cut <= layers, "local": local, "offload": (cut == 0) & (layers > 0)}[self._cuts]
        return (by_option & in_range) | (local & ~in_range)


def task_options(
    problem: TaskDiversion, dnn: Int[np.ndarray, "*batch"], request: Request, *, speeds: Speeds
) -> tuple[Int[np.ndarray, "cuts"], PerCut, PerCut, TaskOutcome]:
    """Returns all cuts, the speeds in GHz of vehicle and unit at each cut, and the outcome of the task at each cut.

    The cuts run up to the number of layers of the longest DNN. Cuts beyond the layers of a task's own DNN count as its
    last cut.
    """
    cut = np.arange(int(problem.num_layers.max()) + 1)
    own_cut = np.minimum(cut, problem.num_layers[dnn][..., None])
    rate_mbps = np.where(request.asked >= 0, request.rate_mbps, 1.0)[..., None]
    task: dict[str, Any] = {
        "dnn": dnn[..., None],
        "cut": own_cut,
        "rate_mbps": rate_mbps,
        "queue_s": request.queue_s[..., None],
        "battery": request.battery[..., None],
    }
    max_ghz = np.broadcast_to(problem.vehicle_ghz, own_cut.shape), np.broadcast_to(problem.rsu_ghz, own_cut.shape)
    fastest = problem.task_outcome(**task, vehicle_ghz=max_ghz[0], rsu_ghz=max_ghz[1])
    if speeds == "full":
        return cut, *max_ghz, fastest
    vehicle_ghz, rsu_ghz = problem.costs.least_cost_ghz(request.battery[..., None])
    # Slow the vehicle down, so that its part ends when the unit is free: less energy in the same time.
    spare_s = task["queue_s"] - fastest.transmit_s
    waits = (spare_s > 0.0) & (own_cut < problem.num_layers[dnn][..., None])
    in_time_ghz = np.full(own_cut.shape, np.inf)
    np.divide(fastest.local_s * problem.vehicle_ghz, spare_s, out=in_time_ghz, where=waits)
    vehicle_ghz = np.clip(np.minimum(vehicle_ghz, in_time_ghz), problem.min_ghz, problem.vehicle_ghz)
    rsu_ghz = np.broadcast_to(rsu_ghz, own_cut.shape)
    outcome = problem.task_outcome(**task, vehicle_ghz=vehicle_ghz, rsu_ghz=rsu_ghz)
    return cut, vehicle_ghz, rsu_ghz, outcome
