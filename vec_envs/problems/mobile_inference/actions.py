"""The actions of `MobileInference`: each client waits, or starts its waiting task with a cut and a node."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from vec_envs.dnn.processors import Processors, work_by_cut
from vec_envs.dnn.profile import DNNProfile, by_type
from vec_envs.problems.base import checked_choices

WAIT = 0
"""The action that starts nothing."""


@dataclass(frozen=True, kw_only=True)
class StartActions:
    """An action is 0, or 1 + cut x nodes + node. All clients have the same actions, whatever the DNN that waits.

    The client runs layers 1 to `cut`, and the node runs the others. At the last cut of a DNN, or beyond, the client
    runs all layers, and the node has no meaning.
    """

    profiles: tuple[DNNProfile, ...]
    frames_per_task: int
    num_nodes: int
    processors: Processors | None = None
    """The devices whose measured times are the work; None to count operations."""

    @cached_property
    def num_layers(self) -> Int[np.ndarray, "types"]:
        """The number of layers L of each DNN."""
        return np.array([profile.num_layers for profile in self.profiles])

    @cached_property
    def num_cuts(self) -> int:
        """The number of cuts of the longest DNN."""
        return int(self.num_layers.max()) + 1

    @cached_property
    def count(self) -> int:
        """The number of actions of a client."""
        return 1 + self.num_cuts * self.num_nodes

    @cached_property
    def local_gcycles(self) -> Float[np.ndarray, "types cuts"]:
        """The work of a task at the client, by DNN and cut. Entries beyond a DNN's last cut are not used."""
        return self.frames_per_task * work_by_cut(self.profiles, self.processors)[0]

    @cached_property
    def edge_gcycles(self) -> Float[np.ndarray, "types cuts"]:
        """The work of a task at its node, by DNN and cut."""
        return self.frames_per_task * work_by_cut(self.profiles, self.processors)[1]

    @cached_property
    def task_mbit(self) -> Float[np.ndarray, "types cuts"]:
        """The data that a task sends, by DNN and cut."""
        return self.frames_per_task * by_type(profile.cut_mbit for profile in self.profiles)

    def cut_and_node(
        self, action: Int[np.ndarray, "*batch clients"], dnn: Int[np.ndarray, "*batch clients"]
    ) -> tuple[Int[np.ndarray, "*batch clients"], Int[np.ndarray, "*batch clients"]]:
        """Returns the cut, at most L of the client's DNN, and the node; -1 where the client runs all layers.

        The result has no meaning for action 0.
        """
        cut, node = np.divmod(np.maximum(action - 1, 0), self.num_nodes)
        last = self.num_layers[dnn]
        return np.minimum(cut, last), np.where(cut < last, node, -1)

    def encode(self, cut: Int[np.ndarray, "*#shape"], node: Int[np.ndarray, "*#shape"]) -> Int[np.ndarray, "*#shape"]:
        """Returns the action that starts a task with a cut and a node."""
        return 1 + cut * self.num_nodes + node

    def all_local(self, dnn: Int[np.ndarray, "*batch clients"]) -> Int[np.ndarray, "*batch clients"]:
        """Returns the legal action with which the client runs all layers of a DNN."""
        return self.encode(self.num_layers[dnn], np.zeros_like(dnn))

    @cached_property
    def _legal(self) -> Bool[np.ndarray, "types cuts nodes"]:
        cut, node = np.arange(self.num_cuts)[:, None], np.arange(self.num_nodes)
        last = self.num_layers[:, None, None]
        return (cut < last) | ((cut == last) & (node == 0))

    @property
    def repeats(self) -> Bool[np.ndarray, "types starts"]:
        """Which starts of a DNN are never legal, because they mean the same as another one: actions 1, 2, ..."""
        return ~self._legal.reshape(len(self.profiles), -1)

    def mask(
        self,
        decides: Bool[np.ndarray, "*batch clients"],
        dnn: Int[np.ndarray, "*batch clients"],
        present: Bool[np.ndarray, "*batch nodes"],
    ) -> Bool[np.ndarray, "*batch clients actions"]:
        """Returns the legal actions: 0 always; for a client that decides also starts, and all local once.

        Args:
            decides: Whether the client has a task that it may start.
            dnn: The index of that task's DNN.
            present: Which nodes are present; the first node always is.
        """
        starts = self._legal[dnn] & present[..., None, None, :] & decides[..., None, None]
        mask = np.ones((*decides.shape, self.count), np.bool_)
        mask[..., 1:] = starts.reshape((*decides.shape, self.count - 1))
        return mask

    def features(self) -> Float[np.ndarray, "actions features"]:
        """Returns features of every action, from 0 to 1: waiting, node, cut, and work and data for each DNN.

        Work and data are fractions of the DNN's largest.
        """
        cut, node = np.divmod(np.arange(self.count - 1), self.num_nodes)
        last = np.minimum(cut, self.num_layers[:, None])
        rows = np.arange(len(self.profiles))[:, None]
        tables = (self.local_gcycles, self.edge_gcycles, self.task_mbit)
        shares = [(table / np.maximum(table.max(axis=1, keepdims=True), 1e-300))[rows, last].T for table in tables]
        starts = np.concatenate([np.eye(self.num_nodes)[node], np.eye(self.num_cuts)[cut], *shares], axis=1)
        features = np.zeros((self.count, 1 + starts.shape[1]))
        features[WAIT, 0] = 1.0
        features[1:, 1:] = starts
        return features

    def checked(
        self, action: Shaped[np.ndarray, "*batch clients"], num_clients: int
    ) -> Int[np.ndarray, "*batch clients"]:
        """Returns the action as an integer array. Raises `ValueError` for a wrong shape, type or range."""
        return checked_choices(action, np.full(num_clients, self.count), agent="client")
