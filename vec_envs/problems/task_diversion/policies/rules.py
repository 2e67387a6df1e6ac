"""Rules for `TaskDiversion`: the paper's baselines, at full speed as it has them, and at the best speed, the fair one.

The cost of a task is a function of its cut and two speeds. With the cut given, the best speeds are known in closed
form. With w the weight of the vehicle's energy, running C Gcycles at f GHz costs C / f + w beta kappa C f^2, least at
f = (2 w beta kappa)^(-1/3). The unit's part is like it with w = 1. The vehicle may run slower still where its part is
done before the unit's queue is: no time is lost until then.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from vec_envs.problems.base import View
from vec_envs.problems.policy import batch_size_of, needs_view
from vec_envs.problems.task_diversion.problem import TaskDiversion
from vec_envs.problems.task_diversion.records import Request, TaskOutcome
from vec_envs.records import pick
from vec_envs.validation import one_of

Observation = Float32[np.ndarray, "batch 1 features"]
Action = Float[np.ndarray, "batch 1 numbers"]
Cuts = Literal["any", "local", "offload"]
Speeds = Literal["full", "best"]
PerCut = Float[np.ndarray, "*batch cuts"]


class RandomNumbers:
    """Draws every number uniformly."""

    def __init__(self, problem: TaskDiversion) -> None:
        self._size = problem.actions.size
        self._rng = np.random.default_rng(0)

    def reset(self, seed: int) -> None:
        """Draws from `seed` on."""
        self._rng = np.random.default_rng(seed)

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns random actions."""
        return self._rng.uniform(-1.0, 1.0, (batch_size_of(observation), 1, self._size))


class CheapestCut:
    """Takes the cut of least cost t + beta e for the task itself, among those it may take.

    `cuts="any"` is GBS, the greedy; `"local"` LEO, all layers on the vehicle; `"offload"` REO, all at the unit.
    `speeds="full"` runs both sides at their fastest, `"best"` at the speeds of least cost for each cut. Tasks with no
    unit in range are all local. The cost to tasks behind it in the unit's queue is not looked at.

    Paper: RTD Eq. (25).
    Differs: solved exactly, cut by cut.
    """

    def __init__(self, problem: TaskDiversion, *, cuts: Cuts = "any", speeds: Speeds = "best") -> None:
        one_of(get_args(Cuts), cuts=cuts)
        one_of(get_args(Speeds), speeds=speeds)
        self._problem = problem
        self._cuts: Cuts = cuts
        self._speeds: Speeds = speeds

    def reset(self, seed: int) -> None:
        """Has nothing to start anew."""

    def act(self, observation: Observation, view: View | None = None) -> Action:
        """Returns the actions. Raises `ValueError` without a view."""
        view = needs_view(view, self, observation)
        request = self._problem.request(view.state, view.exogenous)
        dnn = view.exogenous.dnn
        cut, vehicle_ghz, rsu_ghz, outcome = task_options(self._problem, dnn, request, speeds=self._speeds)
        allowed = self._allowed(cut, self._problem.num_layers[dnn][..., None], request.asked[..., None] >= 0)
        best = np.where(allowed, outcome.cost, np.inf).argmin(axis=-1)
        own, unit = pick(vehicle_ghz, best), pick(rsu_ghz, best)
        return self._problem.action.encode(dnn=dnn, cut=best, vehicle_ghz=own, rsu_ghz=unit)[..., None, :]

    def _allowed(
        self, cut: Int[np.ndarray, "cuts"], layers: Int[np.ndarray, "*batch 1"], in_range: Bool[np.ndarray, "*batch 1"]
    ) -> Bool[np.ndarray, "*batch cuts"]:
        local: Bool[np.ndarray, "*batch cuts"] = cut == layers
        of_choice = {"any": cut <= layers, "local": local, "offload": (cut == 0) & (layers > 0)}[self._cuts]
        return (of_choice & in_range) | (local & ~in_range)


def task_options(
    problem: TaskDiversion, dnn: Int[np.ndarray, "*batch"], request: Request, *, speeds: Speeds
) -> tuple[Int[np.ndarray, "cuts"], PerCut, PerCut, TaskOutcome]:
    """Returns every cut up to the longest DNN's, the speeds in GHz to take with it, and what the task then takes.

    Cuts beyond the own DNN's count as its last.
    """
    cut = np.arange(int(problem.num_layers.max()) + 1)
    real = np.minimum(cut, problem.num_layers[dnn][..., None])
    rate_mbps = np.where(request.asked >= 0, request.rate_mbps, 1.0)[..., None]
    task: dict[str, Any] = {
        "dnn": dnn[..., None],
        "cut": real,
        "rate_mbps": rate_mbps,
        "queue_s": request.queue_s[..., None],
        "battery": request.battery[..., None],
    }
    full = np.broadcast_to(problem.vehicle_ghz, real.shape), np.broadcast_to(problem.rsu_ghz, real.shape)
    fastest = problem.task_outcome(**task, vehicle_ghz=full[0], rsu_ghz=full[1])
    if speeds == "full":
        return cut, *full, fastest
    own, unit = problem.costs.thrifty_ghz(request.battery[..., None])
    spare_s = task["queue_s"] - fastest.transmit_s
    waits = (spare_s > 0.0) & (real < problem.num_layers[dnn][..., None])
    in_time_ghz = np.full(real.shape, np.inf)
    np.divide(fastest.local_s * problem.vehicle_ghz, spare_s, out=in_time_ghz, where=waits)
    own = np.clip(np.minimum(own, in_time_ghz), problem.min_ghz, problem.vehicle_ghz)
    unit = np.broadcast_to(unit, real.shape)
    return cut, own, unit, problem.task_outcome(**task, vehicle_ghz=own, rsu_ghz=unit)
