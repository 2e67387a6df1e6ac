"""The phases of tasks in flight within a slot: local work, sending, forwarding, computing.

Each function takes the tasks, and returns them after one phase. Time carries over: `left_s` is the time of the slot
that is left for each task. A task that reaches a phase with no time left still gets a share of the band or processor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from jaxtyping import Real as RealArray

from vec_envs.physics.allocation import band_shares
from vec_envs.problems.mobile_inference.records import PerClient

LEAST_WORK = 1e-9
"""Work in Gcycles, or data in Mbit, below which a rest counts as 0."""
LEAST_WAIT_S = 1e-12
"""The largest wait that counts as 0."""


@dataclass(frozen=True, kw_only=True)
class Flight:
    """The tasks in flight at one moment of a slot. The fields are those of `State`."""

    in_flight: Bool[np.ndarray, "*batch clients"]
    node: Int[np.ndarray, "*batch clients"]
    local_gcycles: RealArray[np.ndarray, "*batch clients"]
    send_mbit: RealArray[np.ndarray, "*batch clients"]
    task_mbit: RealArray[np.ndarray, "*batch clients"]
    forward_s: RealArray[np.ndarray, "*batch clients"]
    edge_gcycles: RealArray[np.ndarray, "*batch clients"]
    age_s: RealArray[np.ndarray, "*batch clients"]
    left_s: PerClient
    """The time of the slot that is left for the task."""


@dataclass(frozen=True, kw_only=True)
class Links:
    """The link of each client to the node of its task, and the indices of the resources that the task shares."""

    efficiency: RealArray[np.ndarray, "*batch clients"]
    """In bit/s/Hz, to the unit that the client hears best or to its service vehicle; 0 where nothing is heard."""
    band_mhz: Float[np.ndarray, "*batch clients"]
    """The bandwidth of the receiver."""
    receiver: Int[np.ndarray, "*batch clients"]
    """The index of the receiver, which no two environments share."""
    server: Int[np.ndarray, "*batch clients"]
    """The index of the node, which no two environments share; without meaning for a task that has no node."""
    node_ghz: RealArray[np.ndarray, "*batch clients"]
    hops: Int[np.ndarray, "*batch clients"]
    """The number of hops from the unit that the client hears best to the unit of the server; 0 for vehicles."""


def run_local(flight: Flight, client_ghz: RealArray[np.ndarray, "*#batch clients"]) -> Flight:
    """Returns the tasks after the clients have worked on their layers."""
    time_s = np.minimum(flight.local_gcycles / client_ghz, flight.left_s)
    local = _rest(flight.local_gcycles - time_s * client_ghz, LEAST_WORK)
    return replace(flight, local_gcycles=local, left_s=flight.left_s - time_s)


def send(flight: Flight, links: Links) -> Flight:
    """Returns the tasks after the clients have sent data. Each receiver divides its band among its senders.

    The shares minimise the sum of the times that the senders need; see `band_shares`.
    """
    sends = is_sending(flight) & (links.efficiency > 0.0)
    alone_mbps = links.efficiency * links.band_mhz
    alone_s = np.divide(flight.send_mbit, alone_mbps, out=np.zeros(flight.in_flight.shape), where=sends)
    share = band_shares(alone_s, links.receiver)
    needed_s = np.divide(alone_s, share, out=np.zeros(flight.in_flight.shape), where=sends)
    time_s = np.minimum(needed_s, flight.left_s)
    sent = _rest(flight.send_mbit - share * alone_mbps * time_s, LEAST_WORK)
    return replace(flight, send_mbit=sent, left_s=flight.left_s - time_s)


def forward(
    flight: Flight,
    links: Links,
    *,
    arrived: Bool[np.ndarray, "*batch clients"],
    hop_s: float,
    backhaul_mbps: float,
) -> Flight:
    """Returns the tasks after the units have forwarded their data. A task that has just `arrived` begins its hops."""
    whole_s = links.hops * (hop_s + flight.task_mbit / backhaul_mbps)
    wait_s = np.where(arrived, whole_s, flight.forward_s)
    time_s = np.where(_has_sent(flight), np.minimum(wait_s, flight.left_s), 0.0)
    rest_s = np.where(wait_s - time_s <= LEAST_WAIT_S, 0.0, wait_s - time_s)
    return replace(flight, forward_s=rest_s, left_s=flight.left_s - time_s)


def compute(flight: Flight, links: Links) -> Flight:
    """Returns the tasks after the nodes have worked on them. Each node shares its speed among its tasks.

    The shares minimise the sum of the times that the tasks need, in the same way as those of a band.
    """
    computes = _has_sent(flight) & (flight.forward_s == 0.0) & (flight.edge_gcycles > 0.0)
    alone_s = np.divide(flight.edge_gcycles, links.node_ghz, out=np.zeros(flight.in_flight.shape), where=computes)
    share = band_shares(alone_s, links.server)
    needed_s = np.divide(alone_s, share, out=np.zeros(flight.in_flight.shape), where=computes)
    time_s = np.minimum(needed_s, flight.left_s)
    edge = _rest(flight.edge_gcycles - share * links.node_ghz * time_s, LEAST_WORK)
    return replace(flight, edge_gcycles=edge, left_s=flight.left_s - time_s)


def has_result(flight: Flight) -> Bool[np.ndarray, "*batch clients"]:
    """Returns whether only the result of a task in flight has still to return."""
    return _has_sent(flight) & (flight.forward_s == 0.0) & (flight.edge_gcycles == 0.0)


def is_sending(flight: Flight) -> Bool[np.ndarray, "*batch clients"]:
    """Returns whether a task in flight is in the phase of sending, heard or not."""
    return flight.in_flight & (flight.local_gcycles == 0.0) & (flight.send_mbit > 0.0)


def come_home(flight: Flight, home: Bool[np.ndarray, "*batch clients"]) -> Flight:
    """Returns the tasks with the work of those in `home` moved from their node to their client."""
    return replace(
        flight,
        node=np.where(home, -1, flight.node),
        local_gcycles=np.where(home, flight.local_gcycles + flight.edge_gcycles, flight.local_gcycles),
        edge_gcycles=np.where(home, 0.0, flight.edge_gcycles),
        send_mbit=np.where(home, 0.0, flight.send_mbit),
        task_mbit=np.where(home, 0.0, flight.task_mbit),
        forward_s=np.where(home, 0.0, flight.forward_s),
    )


def keep(flight: Flight, kept: Bool[np.ndarray, "*batch clients"]) -> Flight:
    """Returns the tasks in `kept`, and removes the others."""
    return Flight(
        in_flight=flight.in_flight & kept,
        node=np.where(kept, flight.node, -1),
        local_gcycles=np.where(kept, flight.local_gcycles, 0.0),
        send_mbit=np.where(kept, flight.send_mbit, 0.0),
        task_mbit=np.where(kept, flight.task_mbit, 0.0),
        forward_s=np.where(kept, flight.forward_s, 0.0),
        edge_gcycles=np.where(kept, flight.edge_gcycles, 0.0),
        age_s=np.where(kept, flight.age_s, 0.0),
        left_s=flight.left_s,
    )


def _has_sent(flight: Flight) -> Bool[np.ndarray, "*batch clients"]:
    return flight.in_flight & (flight.local_gcycles == 0.0) & (flight.send_mbit == 0.0)


def _rest(amount: RealArray[np.ndarray, "*batch clients"], least: float) -> PerClient:
    return np.where(amount < least, 0.0, amount)
