"""The loads of receivers and nodes of `MobileInference` at the start of a slot."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vec_envs.problems.mobile_inference.records import State


@dataclass(frozen=True, kw_only=True)
class Loads:
    """The tasks in flight, by node. Receivers are the cells of the units, and the service vehicles."""

    senders: Float[np.ndarray, "*batch nodes"]
    """The number of tasks whose data is being sent to the receiver."""
    tasks: Float[np.ndarray, "*batch nodes"]
    """The number of tasks whose layers after the cut the node runs, whatever their phase."""
    gcycles: Float[np.ndarray, "*batch nodes"]
    """The work that is left of these tasks at the node."""


def loads(state: State, v2i_efficiency: Float[np.ndarray, "*batch clients units"], num_nodes: int) -> Loads:
    """Returns the loads; a sender to any unit's server is in the cell of the unit that it hears best."""
    num_rsus = v2i_efficiency.shape[-1]
    at_node = state.in_flight & (state.node >= 0)
    sends = at_node & (state.local_gcycles == 0.0) & (state.send_mbit > 0.0)
    receiver = np.where(state.node >= num_rsus, state.node, v2i_efficiency.argmax(axis=-1))
    node = np.maximum(state.node, 0)
    return Loads(
        senders=_summed(receiver, sends.astype(np.float64), num_nodes),
        tasks=_summed(node, at_node.astype(np.float64), num_nodes),
        gcycles=_summed(node, np.where(at_node, state.edge_gcycles, 0.0), num_nodes),
    )


def _summed(
    node: Int[np.ndarray, "*batch clients"], amount: Float[np.ndarray, "*batch clients"], num_nodes: int
) -> Float[np.ndarray, "*batch nodes"]:
    batch: tuple[int, ...] = node.shape[:-1]
    size = math.prod(batch)
    first = (np.arange(size) * num_nodes).reshape((*batch, 1))
    return np.bincount((first + node).ravel(), amount.ravel(), size * num_nodes).reshape((*batch, num_nodes))
