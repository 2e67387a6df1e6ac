"""The actions of `DNNPartition`: each client chooses a cut of its DNN and the edge node that runs the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from vec_envs.dnn.processors import Processors, work_by_cut
from vec_envs.dnn.profile import DNNProfile, by_type
from vec_envs.problems.base import checked_choices

MOST_CUT_COLUMNS = 64
"""The largest number of features that say where an action cuts."""


COMMON_SCALE = 3.0
"""Common features of work and data are log(1 + x) divided by this, with x in Gcycles or Mbit."""


@dataclass(frozen=True, kw_only=True)
class ActionTable:
    """The work, data and server of each action of each client.

    All rows have the length of the longest one. For a client with fewer actions, the other entries repeat its action 0.
    """

    local_gcycles: Float[np.ndarray, "clients actions"]
    """The work of the client itself."""
    edge_gcycles: Float[np.ndarray, "clients actions"]
    """The work of the edge node."""
    sent_mbit: Float[np.ndarray, "clients actions"]
    """The data that the client sends to the edge node."""
    server: Int[np.ndarray, "clients actions"]
    """The index of the queue that gets the work: the DNN types at the roadside unit, then the service vehicles."""
    link: Int[np.ndarray, "clients actions"]
    """The index of the link in a flattened array `[clients, nodes]`."""
    runs_local: Bool[np.ndarray, "clients actions"]
    """Whether the client runs at least one layer."""
    offloads: Bool[np.ndarray, "clients actions"]
    """Whether the edge node runs at least one layer."""


@dataclass(frozen=True, kw_only=True)
class PartitionActions:
    """The actions of all clients: an integer encodes the cut and the edge node.

    `cut, node = divmod(action, num_nodes)`. The client runs layers 1 to `cut`, and the node runs the others.

    Paper: MAD2RL Eqs. (23), (24).
    """

    profiles: tuple[DNNProfile, ...]
    client_types: Int[np.ndarray, "clients"]
    num_nodes: int
    processors: Processors | None = None
    """The devices whose measured times are the work; None to count operations."""

    @cached_property
    def num_layers(self) -> Int[np.ndarray, "clients"]:
        """The number of layers L of each client's DNN."""
        return np.array([p.num_layers for p in self.profiles])[self.client_types]

    @cached_property
    def counts(self) -> Int[np.ndarray, "clients"]:
        """The number of actions (L + 1) J of each client, with J edge nodes."""
        return (self.num_layers + 1) * self.num_nodes

    @cached_property
    def max_count(self) -> int:
        """The largest number of actions of a client: the length of a row in the table."""
        return int(self.counts.max())

    @cached_property
    def first_entry(self) -> Int[np.ndarray, "clients"]:
        """The index at which each client's row begins in a flattened table."""
        return np.arange(len(self.counts)) * self.max_count

    @cached_property
    def local_entry(self) -> Int[np.ndarray, "clients"]:
        """The index in a flattened table of each client's action that runs all layers itself."""
        return self.first_entry + self.num_layers * self.num_nodes

    def mask(self) -> Bool[np.ndarray, "clients actions"]:
        """Returns True for the entries of a row that are actions of the client."""
        return np.arange(self.max_count) < self.counts[:, None]

    @cached_property
    def table(self) -> ActionTable:
        """The table of every action, so that a transition looks values up instead of computing them."""
        mask = self.mask()
        cut, node = np.divmod(np.where(mask, np.arange(self.max_count), 0), self.num_nodes)
        types, clients = self.client_types[:, None], np.arange(len(mask))[:, None]
        local, edge = work_by_cut(self.profiles, self.processors)
        return ActionTable(
            local_gcycles=local[types, cut],
            edge_gcycles=edge[types, cut],
            sent_mbit=by_type(p.cut_mbit for p in self.profiles)[types, cut],
            server=np.where(node == 0, types, len(self.profiles) + node - 1),
            link=clients * self.num_nodes + node,
            runs_local=cut > 0,
            offloads=cut < self.num_layers[:, None],
        )

    def in_reach(
        self, reached: Bool[np.ndarray, "*batch clients services"]
    ) -> Bool[np.ndarray, "*batch clients actions"]:
        """Returns which entries of a row name a node in reach; the roadside unit always is."""
        at_node = np.concatenate([np.ones((*reached.shape[:-1], 1), np.bool_), reached], axis=-1)
        return at_node[..., np.arange(self.max_count) % self.num_nodes]

    def node_in_reach(
        self, action: Int[np.ndarray, "*batch clients"], reached: Bool[np.ndarray, "*#batch clients services"]
    ) -> Bool[np.ndarray, "*batch clients"]:
        """Returns whether the node of each action is in reach; `reached` broadcasts over the batch."""
        node = (action % self.num_nodes)[..., None]
        if not reached.shape[-1]:
            return np.ones(action.shape, np.bool_)
        reached = np.broadcast_to(reached, (*action.shape, reached.shape[-1]))
        return (node == 0)[..., 0] | np.take_along_axis(reached, np.maximum(node - 1, 0), axis=-1)[..., 0]

    def features(self) -> Float[np.ndarray, "clients actions features"]:
        """Returns features of every action, from 0 to 1: node, cut, and the work and data for each node.

        Work and data are fractions of the client's largest. A cut has a column of its own. Networks of many layers
        share `MOST_CUT_COLUMNS` columns instead, evenly spaced; a cut between two of them has a part of both. So
        neighbouring cuts look alike, and what is learned of one holds for the other. Actions that a client does not
        have are rows of 0.
        """
        mask = self.mask()
        choices: Int[np.ndarray, "actions"] = np.arange(self.max_count)
        cut, node = choices // self.num_nodes, choices % self.num_nodes
        columns = self.table.local_gcycles, self.table.edge_gcycles, self.table.sent_mbit
        to_node = np.broadcast_to(np.eye(self.num_nodes)[node], (*mask.shape, self.num_nodes))
        at_cut = _cut_columns(int(cut[-1]) + 1)[cut]
        at_cut = np.broadcast_to(at_cut, (*mask.shape, at_cut.shape[-1]))
        local, edge, sent = (
            (column / column.max(axis=1, keepdims=True, initial=np.finfo(np.float64).tiny))[..., None]
            for column in columns
        )
        return np.concatenate([to_node, to_node * edge, to_node * sent, local, at_cut], axis=-1) * mask[..., None]

    def common_features(self) -> Float[np.ndarray, "clients actions features"]:
        """Returns features of every action in the same units for all clients.

        These are, for each node, whether the action sends to it, the work for it, and the data; then the client's own
        work, whether the action sends, and whether the client runs a layer. Work is log(1 + Gcycles) / 3 and data
        log(1 + Mbit) / 3, which are of order one. Actions that a client does not have are rows of 0.
        """
        table = self.table
        columns = table.edge_gcycles, table.sent_mbit, table.local_gcycles
        edge, sent, local = (np.log1p(column)[..., None] / COMMON_SCALE for column in columns)
        sends, runs_local = table.offloads[..., None], table.runs_local[..., None]
        to_node = np.eye(self.num_nodes)[np.arange(self.max_count) % self.num_nodes] * sends
        parts = to_node, to_node * edge, to_node * sent, local, sends, runs_local
        return np.concatenate(parts, axis=-1) * self.mask()[..., None]

    def checked(self, action: Shaped[np.ndarray, "*batch clients"]) -> Int[np.ndarray, "*batch clients"]:
        """Returns the action as an integer array. Raises `ValueError` for a wrong shape, type or range."""
        return checked_choices(action, self.counts, agent="client")


def _cut_columns(num_cuts: int) -> Float[np.ndarray, "cuts columns"]:
    """Returns the features that say where a cut is: one column a cut, or parts of the two nearest columns."""
    if num_cuts <= MOST_CUT_COLUMNS:
        return np.eye(num_cuts)
    place = np.linspace(0.0, MOST_CUT_COLUMNS - 1.0, num_cuts)[:, None]
    return np.maximum(1.0 - np.abs(place - np.arange(MOST_CUT_COLUMNS)), 0.0)
