"""The dynamics of `TaskDiversion`: the outcome of a decision, and the state after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from vec_envs.problems.task_diversion.actions import TaskActions
from vec_envs.problems.task_diversion.objective import TaskCost, task_reward
from vec_envs.problems.task_diversion.records import Exogenous, Outcome, State
from vec_envs.problems.task_diversion.request import Requests, chosen_unit, queue_with_task
from vec_envs.records import pick, put


@dataclass(frozen=True, kw_only=True)
class TaskDynamics:
    """Computes the effects of the decision on a task, from the state, the action and the exogenous record.

    The options `on_leaving`, `reward`, `deadline_penalty`, `battery_capacity_kj` and `battery_floor` are documented in
    `TaskDiversion`.
    """

    costs: TaskCost
    requests: Requests
    actions: TaskActions
    on_leaving: str
    reward: str
    deadline_penalty: float
    battery_capacity_kj: float
    battery_floor: float

    def transition(
        self, state: State, action: Shaped[np.ndarray, "*batch agents numbers"], exogenous: Exogenous
    ) -> tuple[State, Outcome]:
        """Returns the state after the decision on a task, and the outcome; see `TaskDiversion.transition`."""
        numbers = self.actions.checked(action)[..., 0, :]
        num_layers = self.costs.num_layers[exogenous.dnn]
        if self.actions.chooses:
            asked = chosen_unit(numbers[..., 3] >= 0.0, exogenous.rate_mbps > 0.0)
        else:
            asked = self.requests.asked(state, exogenous, self.costs.largest_mbit)
        request = self.requests.request(state, exogenous, asked)
        cut, vehicle_ghz, rsu_ghz = self.actions.decode(numbers, exogenous.dnn)
        cut = np.where(request.asked >= 0, cut, num_layers)
        offloaded = cut < num_layers
        task = self.costs.of(
            {"dnn": exogenous.dnn, "cut": cut, "vehicle_ghz": vehicle_ghz, "rsu_ghz": rsu_ghz,
             "rate_mbps": request.rate_mbps, "queue_s": request.queue_s, "battery": request.battery,
             "deadline_s": exogenous.deadline_s}
        )  # fmt: skip
        failed = (self.on_leaving == "fail") & offloaded & (exogenous.release_s + task.time_s > exogenous.leave_s)
        outcome = Outcome(
            task=task,
            dnn=exogenous.dnn,
            cut=cut,
            vehicle_ghz=vehicle_ghz,
            rsu_ghz=rsu_ghz,
            unit=request.unit,
            offloaded=offloaded,
            failed=failed,
            queue_s=request.queue_s,
            battery=request.battery,
            reward=task_reward(
                task.cost,
                task.missed | failed,
                offset_s=self.costs.reward_offset_s(self.reward, exogenous.dnn, exogenous.battery),
                deadline_penalty=self.deadline_penalty,
            ),
        )
        return self._next_state(state, exogenous, outcome), outcome

    def _next_state(self, state: State, exogenous: Exogenous, outcome: Outcome) -> State:
        """Returns the state after the outcome: the unit's queue, the vehicle's busy time and its battery."""
        task, seat, unit = outcome.task, exogenous.seat, np.maximum(outcome.unit, 0)
        release_s = np.where(np.isfinite(exogenous.release_s), exogenous.release_s, 0.0)
        end_s = release_s + task.start_s + task.rsu_service_s
        free_s = put(state.rsu_free_s, unit, np.where(outcome.offloaded, end_s, pick(state.rsu_free_s, unit)))
        level = outcome.battery - task.vehicle_energy_j / (1e3 * self.battery_capacity_kj)
        index_s, number = self.requests.broadcast(state, exogenous.slot)
        return State(
            rsu_free_s=free_s,
            task_end_s=queue_with_task(state, unit, end_s, outcome.offloaded),
            index_wait_s=index_s,
            index_number=number,
            holder=put(state.holder, seat, exogenous.vehicle),
            # A vehicle that enters with a level below the floor keeps this level.
            battery=put(state.battery, seat, np.maximum(level, np.minimum(self.battery_floor, outcome.battery))),
            vehicle_free_s=put(state.vehicle_free_s, seat, release_s + task.local_s),
        )
