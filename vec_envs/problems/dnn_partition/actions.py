"""What the actions of `DNNPartition` are: for each client, a cut of its DNN and the node that gets the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from vec_envs.dnn.profile import DNNProfile, by_type


@dataclass(frozen=True, kw_only=True)
class ActionTable:
    """What each action of each client means; rows of clients with fewer actions are filled with action 0's."""

    local_gflops: Float[np.ndarray, "clients actions"]
    edge_gflops: Float[np.ndarray, "clients actions"]
    sent_mbit: Float[np.ndarray, "clients actions"]
    server: Int[np.ndarray, "clients actions"]
    link: Int[np.ndarray, "clients actions"]
    runs_local: Bool[np.ndarray, "clients actions"]
    offloads: Bool[np.ndarray, "clients actions"]


@dataclass(frozen=True, kw_only=True)
class PartitionActions:
    """The actions of clients with these DNN types, beside so many edge nodes: `cut, node = divmod(action, num_nodes)`.

    Paper: MAD2RL Eqs. (23), (24).
    """

    profiles: tuple[DNNProfile, ...]
    client_types: Int[np.ndarray, "clients"]
    num_nodes: int

    @cached_property
    def num_layers(self) -> Int[np.ndarray, "clients"]:
        """Number of layers L of each client's DNN."""
        return np.array([p.num_layers for p in self.profiles])[self.client_types]

    @cached_property
    def counts(self) -> Int[np.ndarray, "clients"]:
        """Number of actions (L + 1) J of each client."""
        return (self.num_layers + 1) * self.num_nodes

    @cached_property
    def most(self) -> int:
        """The most actions that a client has: the length of a row."""
        return int(self.counts.max())

    @cached_property
    def first_entry(self) -> Int[np.ndarray, "clients"]:
        """Where each client's row begins in the table, read row by row."""
        return np.arange(len(self.counts)) * self.most

    def mask(self) -> Bool[np.ndarray, "clients actions"]:
        """Returns which entries of a row of the most actions each client has."""
        return np.arange(self.most) < self.counts[:, None]

    @cached_property
    def table(self) -> ActionTable:
        """The meaning of every action, so that a transition looks it up instead of computing it."""
        mask = self.mask()
        cut, node = np.divmod(np.where(mask, np.arange(self.most), 0), self.num_nodes)
        types, clients = self.client_types[:, None], np.arange(len(mask))[:, None]
        return ActionTable(
            local_gflops=by_type(p.local_gflops for p in self.profiles)[types, cut],
            edge_gflops=by_type(p.edge_gflops for p in self.profiles)[types, cut],
            sent_mbit=by_type(p.cut_mbit for p in self.profiles)[types, cut],
            server=np.where(node == 0, types, len(self.profiles) + node - 1),
            link=clients * self.num_nodes + node,
            runs_local=cut > 0,
            offloads=cut < self.num_layers[:, None],
        )

    def features(self) -> Float[np.ndarray, "clients actions features"]:
        """Returns what actions have in common, from 0 to 1: node, cut, and the work and data for each node.

        Work and data are parts of the client's largest. A client's missing actions are rows of 0.
        """
        mask = self.mask()
        choices: Int[np.ndarray, "actions"] = np.arange(self.most)
        cut, node = choices // self.num_nodes, choices % self.num_nodes
        columns = self.table.local_gflops, self.table.edge_gflops, self.table.sent_mbit
        to_node = np.broadcast_to(np.eye(self.num_nodes)[node], (*mask.shape, self.num_nodes))
        at_cut = np.broadcast_to(np.eye(cut[-1] + 1)[cut], (*mask.shape, cut[-1] + 1))
        local, edge, sent = (
            (column / column.max(axis=1, keepdims=True, initial=np.finfo(np.float64).tiny))[..., None]
            for column in columns
        )
        return np.concatenate([to_node, to_node * edge, to_node * sent, local, at_cut], axis=-1) * mask[..., None]

    def checked(self, action: Shaped[np.ndarray, "*batch clients"]) -> Int[np.ndarray, "*batch clients"]:
        """Returns the action as an integer array. Raises `ValueError` where its shape, type or range is wrong."""
        action = np.asarray(action)
        if action.shape[-1:] != self.counts.shape:
            raise ValueError(
                f"an action holds one integer for each of {len(self.counts)} clients along its last axis, "
                f"got shape {action.shape}"
            )
        if action.dtype.kind not in "iu":
            raise ValueError(f"actions are integers, got dtype {action.dtype}")
        wrong = (action < 0) | (action >= self.counts)
        if np.logical_or.reduce(wrong, axis=None):
            where = tuple(np.argwhere(wrong)[0])
            client = where[-1]
            raise ValueError(f"action {action[where]} of client_{client} is outside [0, {self.counts[client] - 1}]")
        return action.astype(np.int64, copy=False)
