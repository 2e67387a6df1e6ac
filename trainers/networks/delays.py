"""How long each action of `DNNPartition` would take its client, by what the client sees."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from vec_envs.problems.dnn_partition import DNNPartition

KINDS = ("transmit_s", "process_s", "local_s")
SLOWEST = 1e-3
"""Mbit/s or GHz: what is never so slow is not divided by 0 either, where an observation is made up."""
TAME_S = 5.0
"""Delays far above it count by their logarithm: a runaway queue is no more than a few times an ordinary one."""


class SeenDelays(nn.Module):
    """The delays of every action, were no one else to send anything and the whole RSU there for its task.

    The same as `Outcome` has for a client that is alone at a service vehicle; a test holds the two against each other.
    What others decide is not seen. Raises `ValueError` where rates and processors are not either.
    """

    num_kinds = len(KINDS)
    local_gcycles: Tensor
    edge_gcycles: Tensor
    sent_mbit: Tensor
    runs_local: Tensor
    offloads: Tensor

    def __init__(self, problem: DNNPartition, *, compressed: bool) -> None:
        """Takes whether it is shown sign(x) log(1 + |x|) of the observation."""
        super().__init__()
        if problem.observation != "extended":
            raise ValueError(
                f"observation={problem.observation!r} does not show what delays depend on: it must be 'extended', or "
                "action_delays=False"
            )
        self.columns, self.compressed = problem.features.columns, compressed
        self.num_nodes, self.rsu_ghz = problem.num_nodes, problem.rsu_ghz
        table = problem.choices.table
        self._of_cuts("local_gcycles", table.local_gflops)
        self._of_cuts("edge_gcycles", table.edge_gflops)
        self._of_cuts("sent_mbit", table.sent_mbit)
        self._of_cuts("runs_local", table.runs_local)
        self._of_cuts("offloads", table.offloads)

    def _of_cuts(self, name: str, of_actions: np.ndarray) -> None:
        """Keeps a column of the table cut by cut, `[agents, 1, cuts, 1]`: all nodes have the same."""
        of_cuts = of_actions.reshape(len(of_actions), 1, -1, self.num_nodes)[..., :1]
        self.register_buffer(name, torch.as_tensor(of_cuts.astype(np.float32)), persistent=False)

    def forward(self, local: Tensor) -> Tensor:
        """Returns `[agents, batch, kinds, actions]` of `local` [agents, batch, features], in seconds, tamed."""
        x = local.sign() * local.abs().expm1() if self.compressed else local
        own_gcycles, client_ghz = (self._seen(x, name) for name in ("client_backlog_gcycles", "client_ghz"))
        node_gcycles = self._seen(x, "rsu_backlog_gcycles", "service_backlog_gcycles")
        rate_mbps, service_ghz = self._seen(x, "v2i_mbps", "v2v_mbps"), self._seen(x, "service_ghz")
        node_ghz = torch.cat([torch.full_like(node_gcycles[..., :1], self.rsu_ghz), service_ghz], dim=-1)
        kinds = (
            self.sent_mbit / rate_mbps.clamp(min=SLOWEST),
            self.offloads * (node_gcycles + self.edge_gcycles) / node_ghz.clamp(min=SLOWEST),
            self.runs_local * (own_gcycles + self.local_gcycles) / client_ghz.clamp(min=SLOWEST),
        )
        shape = (*local.shape[:2], self.sent_mbit.shape[2], self.num_nodes)
        delay_s = torch.stack([kind.expand(shape) for kind in kinds], dim=2).flatten(-2)
        return TAME_S * torch.log1p(delay_s / TAME_S)

    def _seen(self, x: Tensor, *names: str) -> Tensor:
        """Returns columns that stand side by side, `[agents, batch, 1, columns]`, in their units."""
        first, last = self.columns[names[0]], self.columns[names[-1]]
        return x[..., None, first.at.start : last.at.stop] * first.scale
