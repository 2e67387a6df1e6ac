"""What each action of `DNNPartition` would cost its client, by what the client sees."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from vec_envs.problems.dnn_partition.problem import DNNPartition

DELAYS = ("transmit_s", "process_s", "local_s")
SLOWEST = 1e-3
"""Mbit/s or GHz: what is never so slow is not divided by 0 either, where an observation is made up."""
TAME_S = 5.0
"""Costs far above it count by their logarithm: a runaway queue is no more than a few times an ordinary one."""


class SeenCosts(nn.Module):
    """The delays of every action and its drift, were no one else to send anything and the whole RSU there for its task.

    The same as `Outcome` has for a client that is alone at a service vehicle; a test holds the two against each other.
    What others decide is not seen. Raises `ValueError` where rates and processors are not either.

    A delay is (what waits there + what the action brings) / how fast that goes. Waiting and speed are columns of the
    observation, by kind and node; what is brought, and whether one waits at all, is of the action's cut. The drift is
    what the action adds to that of the two queues that it fills, in seconds: divided by V. The equations stand at
    `vec_envs.physics.offloading`, `queues` and `lyapunov`, on arrays; these are tensors of all actions at once.
    """

    num_kinds = len(DELAYS) + 1
    columns: Tensor
    scale: Tensor
    least: Tensor
    unseen: Tensor
    brings: Tensor
    waits: Tensor

    def __init__(self, problem: DNNPartition, *, compressed: bool) -> None:
        """Takes whether it is shown sign(x) log(1 + |x|) of the observation."""
        super().__init__()
        if problem.observation != "extended":
            raise ValueError(
                f"observation={problem.observation!r} does not show what costs depend on: it must be 'extended', or "
                "action_costs=False"
            )
        self.compressed, self.num_nodes = compressed, problem.num_nodes
        self.slot_s, self.lyapunov_v = problem.slot_s, problem.lyapunov_v
        self._see(problem)
        table = problem.choices.table
        brings = table.sent_mbit, table.offloads * table.edge_gflops, table.runs_local * table.local_gflops
        waits = np.zeros_like(table.sent_mbit), table.offloads, table.runs_local
        for name, of_kinds in (("brings", brings), ("waits", waits)):
            of_cuts = np.stack(of_kinds, axis=1).reshape(len(brings[0]), 1, len(DELAYS), -1, self.num_nodes)
            self._keep(name, of_cuts[..., :1])  # all nodes have the same

    def _see(self, problem: DNNPartition) -> None:
        """Keeps where in the observation waiting and speed stand, `[2 * delays * nodes]`, and in which unit."""
        features, places = problem.features, np.arange(problem.observation_size)
        scales, none = np.zeros(problem.observation_size), np.zeros(1, int)
        for column in features.columns.values():
            scales[column.at] = column.scale

        def at(*names: str) -> np.ndarray:
            return np.concatenate([places[features.columns[name].at] for name in names])

        waiting = none, at("rsu_backlog_gcycles", "service_backlog_gcycles"), at("client_backlog_gcycles")
        speed = at("v2i_mbps", "v2v_mbps"), np.append(none, at("service_ghz")), at("client_ghz")
        columns = np.stack([np.broadcast_to(of_kind, problem.num_nodes) for of_kind in (*waiting, *speed)])
        scale, unseen, least = scales[columns], np.zeros(columns.shape), np.zeros(columns.shape)
        least[len(waiting) :] = SLOWEST
        of_rsu = len(waiting) + DELAYS.index("process_s"), 0
        scale[of_rsu], unseen[of_rsu] = 0.0, problem.rsu_ghz
        self.register_buffer("columns", torch.as_tensor(columns.flatten()), persistent=False)
        for name, numbers in (("scale", scale), ("unseen", unseen), ("least", least)):
            self._keep(name, numbers.flatten())

    def _keep(self, name: str, numbers: np.ndarray) -> None:
        self.register_buffer(name, torch.as_tensor(numbers.astype(np.float32)), persistent=False)

    def forward(self, local: Tensor) -> tuple[Tensor, ...]:
        """Returns `[agents, batch, actions]` of each kind of `local` [agents, batch, features], in seconds, tamed."""
        seen = local.index_select(-1, self.columns)
        if self.compressed:
            seen = seen.expm1()  # what is not negative
        seen = torch.addcmul(self.unseen, seen, self.scale).maximum(self.least)
        waiting, speed = seen.unflatten(-1, (2, len(DELAYS), 1, self.num_nodes)).unbind(2)
        delays_s = torch.addcmul(self.brings, self.waits, waiting) / speed
        costs_s = torch.cat([delays_s, self._drift_s(waiting, speed)], dim=2)
        return (TAME_S * torch.log1p(costs_s / TAME_S)).flatten(-2).unbind(2)

    def _drift_s(self, waiting: Tensor, speed: Tensor) -> Tensor:
        """Returns what is added to the drift over V, `[agents, batch, 1, cuts, nodes]`."""
        otherwise = waiting - self.slot_s * speed
        added = (otherwise + self.brings).relu().square() - otherwise.relu().square()
        return (0.5 / self.lyapunov_v) * (self.waits * added).sum(2, keepdim=True)
