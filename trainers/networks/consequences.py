"""What a task of `TaskDiversion` takes, as a differentiable function of the speeds it is given.

The same as `TaskCost.of`, with torch's numbers in place of numpy's; a test holds the two against each other. A critic
that is told what the task itself takes has only to learn what follows, and of a decision that depends on little more
than how long its unit is then busy.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from vec_envs.problems.task_diversion.problem import TaskDiversion

Asked = Float[Tensor, "asked"]


class TaskTerms(NamedTuple):
    """What a task brings: Gcycles of both sides, seconds to send, whether anything is sent, the unit's wait, the weight
    of the vehicle's energy, the deadline, and what the reward has above minus the cost."""

    local_gcycles: Asked
    edge_gcycles: Asked
    sending_s: Asked
    sends: Asked
    wait_s: Asked
    weight: Asked
    deadline_s: Asked
    spared_s: Asked


@dataclass(frozen=True, kw_only=True)
class TaskConsequences:
    """Reward of a task, and how it leaves unit and vehicle."""

    min_ghz: float
    vehicle_ghz: float
    rsu_ghz: float
    beta: float
    kappa_j_per_gcycle_ghz2: float
    transmit_power_w: float
    deadline_penalty: float
    num_left = 3

    def __call__(
        self, terms: Float32[Tensor, "asked terms"], numbers: Float32[Tensor, "asked 2"]
    ) -> tuple[Float32[Tensor, "asked"], Float32[Tensor, "asked left"]]:
        """Returns rewards, and of order one: the unit's wait then, the time the vehicle computes, its energy."""
        task = TaskTerms(*terms.unbind(-1))
        half = 0.5 * (numbers + 1.0)
        vehicle_ghz = self.min_ghz + half[:, 0] * (self.vehicle_ghz - self.min_ghz)
        rsu_ghz = self.min_ghz + half[:, 1] * (self.rsu_ghz - self.min_ghz)
        local_s = task.local_gcycles / vehicle_ghz
        ready_s = local_s + task.sending_s
        start_s = torch.where(task.sends > 0.0, torch.maximum(task.wait_s, ready_s), ready_s)
        time_s = start_s + task.edge_gcycles / rsu_ghz
        own_j = self.kappa_j_per_gcycle_ghz2 * task.local_gcycles * vehicle_ghz.square()
        own_j = own_j + self.transmit_power_w * task.sending_s
        rsu_j = self.kappa_j_per_gcycle_ghz2 * task.edge_gcycles * rsu_ghz.square()
        cost = time_s + self.beta * (task.weight * own_j + rsu_j)
        reward = task.spared_s - cost - self.deadline_penalty * (time_s > task.deadline_s)
        then_s = torch.where(task.sends > 0.0, time_s, task.wait_s)
        return reward, torch.stack((then_s.log1p(), local_s.log1p(), 1e-3 * own_j), dim=-1)


def consequences_of(problem: TaskDiversion) -> TaskConsequences:
    """Returns the consequences of a problem's decisions."""
    return TaskConsequences(**{f.name: getattr(problem, f.name) for f in fields(TaskConsequences)})
