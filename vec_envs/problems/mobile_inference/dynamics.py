"""The dynamics of `MobileInference`: a slot from the start of its tasks to the arrivals at its end."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int
from jaxtyping import Real as RealArray

from vec_envs.physics import lyapunov
from vec_envs.physics.energy import compute_energy_j, transmit_energy_j
from vec_envs.problems.mobile_inference import phases
from vec_envs.problems.mobile_inference.actions import WAIT, StartActions
from vec_envs.problems.mobile_inference.objective import MissCost, SlotTerms
from vec_envs.problems.mobile_inference.phases import Flight, Links
from vec_envs.problems.mobile_inference.records import Exogenous, PerClient, State
from vec_envs.records import map_arrays, pick

DEADLINE_TOLERANCE_S = 1e-9
"""How far a time may be beyond the deadline and still be in time, because times are sums of floats."""

OfClients = Bool[np.ndarray, "*batch clients"]


@dataclass(frozen=True, kw_only=True)
class Queue:
    """The task that waits at each client, or none."""

    waiting: OfClients
    dnn: Int[np.ndarray, "*batch clients"]
    age_s: RealArray[np.ndarray, "*batch clients"]


@dataclass(frozen=True, kw_only=True)
class Ends:
    """The tasks in flight after the phases of the slot, and which of them end."""

    flight: Flight
    """The tasks, with their ages at the end of the slot or when their result came."""
    done: OfClients
    late: OfClients
    """Whether the deadline has passed, with a result or without."""
    used_s: PerClient
    """The time of the slot that each task spent in the system."""


@dataclass(frozen=True, kw_only=True)
class QueueEnds:
    """The waiting and arriving tasks at the end of the slot, before clients leave."""

    expired: OfClients
    """Whether the task has missed its deadline."""
    waits: OfClients
    refused: OfClients
    """Whether a task has arrived and found no room."""
    enters: OfClients
    """Whether a task has arrived and waits from now on."""
    age_s: PerClient


@dataclass(frozen=True, kw_only=True)
class SlotDynamics:
    """Computes the next state and the terms of a slot, from the state, the actions and the exogenous record."""

    actions: StartActions
    misses: MissCost
    num_rsus: int
    slot_s: float
    rsu_ghz: float
    rsu_bandwidth_mhz: float
    v2v_bandwidth_mhz: float
    hop_s: float
    backhaul_mbps: float
    transmit_power_w: float
    kappa_j_per_gcycle_ghz2: float
    energy_budget_w: float

    def slot(
        self, state: State, action: Int[np.ndarray, "*batch clients"], exogenous: Exogenous
    ) -> tuple[State, SlotTerms]:
        """Returns the next state and the terms of a slot.

        The records may have batch axes of length 1 where those of `action` are longer, and the other way round.
        """
        state, action, exogenous = _broadcast(state, action, exogenous)
        begun, queue = self.start(state, action, exogenous)
        links = self.links(begun, exogenous)
        ran = phases.run_local(begun, exogenous.client_ghz)
        sent = phases.send(ran, links)
        arrived = (ran.send_mbit > 0.0) & (sent.send_mbit == 0.0)
        forwarded = phases.forward(sent, links, arrived=arrived, hop_s=self.hop_s, backhaul_mbps=self.backhaul_mbps)
        ends = self._ends(phases.compute(forwarded, links), links)
        energy_j = compute_energy_j(
            begun.local_gcycles - ran.local_gcycles,
            exogenous.client_ghz,
            kappa_j_per_gcycle_ghz2=self.kappa_j_per_gcycle_ghz2,
        ) + transmit_energy_j(ran.left_s - sent.left_s, transmit_power_w=self.transmit_power_w)
        return self._after(state, ends, queue, energy_j, exogenous)

    def start(
        self, state: State, action: Int[np.ndarray, "*batch clients"], exogenous: Exogenous
    ) -> tuple[Flight, Queue]:
        """Returns the tasks in flight and those that still wait, after the tasks of an action have been started.

        An action at a client that does not decide, or at the seat of an absent vehicle, starts nothing.
        """
        dnn = state.waiting_type
        cut, node = self.actions.cut_and_node(action, dnn)
        starts = (
            decides(state) & (action != WAIT) & _of_node(exogenous.service_present, node, self.num_rsus, other=True)
        )
        mbit = self.actions.task_mbit[dnn, cut]
        flight = Flight(
            in_flight=state.in_flight | starts,
            node=np.where(starts, node, state.node),
            local_gcycles=np.where(starts, self.actions.local_gcycles[dnn, cut], state.local_gcycles),
            send_mbit=np.where(starts, mbit, state.send_mbit),
            task_mbit=np.where(starts, mbit, state.task_mbit),
            forward_s=np.where(starts, 0.0, state.forward_s),
            edge_gcycles=np.where(starts, self.actions.edge_gcycles[dnn, cut], state.edge_gcycles),
            age_s=np.where(starts, state.waiting_age_s, state.age_s),
            left_s=np.full(action.shape, self.slot_s),
        )
        waits = state.waiting & ~starts
        return flight, Queue(waiting=waits, dnn=dnn, age_s=np.where(waits, state.waiting_age_s, 0.0))

    def links(self, flight: Flight, exogenous: Exogenous) -> Links:
        """Returns the links of the tasks in flight. Data for any unit's server goes to the unit that is heard best."""
        num_nodes, node = self.actions.num_nodes, flight.node
        v2i = exogenous.v2i_efficiency
        access = v2i.argmax(axis=-1)
        at_vehicle = node >= self.num_rsus
        reach = np.concatenate([pick(v2i, access)[..., None], exogenous.v2v_efficiency], axis=-1)
        service = np.where(at_vehicle, node - self.num_rsus + 1, 0)
        ghz = np.concatenate([np.full((*node.shape[:-1], 1), self.rsu_ghz), exogenous.service_ghz], axis=-1)
        first = (np.arange(math.prod(node.shape[:-1])) * num_nodes).reshape((*node.shape[:-1], 1))
        return Links(
            efficiency=pick(reach, service),
            band_mhz=np.where(at_vehicle, self.v2v_bandwidth_mhz, self.rsu_bandwidth_mhz),
            receiver=first + np.where(at_vehicle, node, access),
            server=first + np.maximum(node, 0),
            node_ghz=pick(ghz, service),
            hops=np.where(at_vehicle, 0, np.abs(access - node)),
        )

    def _ends(self, flight: Flight, links: Links) -> Ends:
        """Returns which tasks have their result, in time or late, and which have passed their deadline without one."""
        finished = phases.has_result(flight) & ((flight.node < 0) | (links.efficiency > 0.0))
        used_s = np.where(flight.in_flight, np.where(finished, self.slot_s - flight.left_s, self.slot_s), 0.0)
        age_s = flight.age_s + used_s
        done = finished & (age_s <= self.misses.deadline_s + DEADLINE_TOLERANCE_S)
        late = flight.in_flight & ~done & (finished | self._is_too_old(age_s))
        return Ends(flight=replace(flight, age_s=age_s), done=done, late=late, used_s=used_s)

    def _is_too_old(self, age_s: RealArray[np.ndarray, "*batch clients"]) -> OfClients:
        return age_s >= self.misses.deadline_s - DEADLINE_TOLERANCE_S

    def _after(
        self, state: State, ends: Ends, queue: Queue, energy_j: PerClient, exogenous: Exogenous
    ) -> tuple[State, SlotTerms]:
        """Returns the next state and the terms of the slot: what vehicles that leave and new tasks change."""
        flight, lost = self._without_services(ends, exogenous)
        queue_ends = self._queue_ends(queue, exogenous)
        missed, leaves = ends.late | lost, exogenous.client_leaves
        kept = flight.in_flight & ~ends.done & ~missed
        next_queue_j = np.maximum(state.energy_queue_j + energy_j - self.energy_budget_w * self.slot_s, 0.0)
        terms = SlotTerms(
            done=ends.done.astype(np.int64),
            missed=missed.astype(np.int64) + queue_ends.expired + queue_ends.refused,
            withdrawn=(kept & leaves).astype(np.int64) + (queue_ends.waits & leaves),
            arrived=queue_ends.enters.astype(np.int64) + queue_ends.refused,
            task_time_s=np.where(ends.done, ends.flight.age_s, 0.0),
            in_system_s=ends.used_s + np.where(queue.waiting, self.slot_s, 0.0),
            penalty_s=self.misses.of(missed, ends.flight.age_s)
            + self.misses.of(queue_ends.expired, queue_ends.age_s)
            + self.misses.of(queue_ends.refused, 0.0),
            energy_j=energy_j,
            energy_queue_j=state.energy_queue_j,
            drift=lyapunov.drift(state.energy_queue_j, next_queue_j),
        )
        flight = phases.keep(flight, kept & ~leaves)
        return _state(flight, queue, queue_ends, np.where(leaves, 0.0, next_queue_j), exogenous), terms

    def _queue_ends(self, queue: Queue, exogenous: Exogenous) -> QueueEnds:
        """Returns which waiting tasks expire, and which arriving tasks are refused or wait from now on."""
        age_s = queue.age_s + np.where(queue.waiting, self.slot_s, 0.0)
        expired = queue.waiting & self._is_too_old(age_s)
        waits, arrives = queue.waiting & ~expired, exogenous.arrives & ~exogenous.client_leaves
        return QueueEnds(expired=expired, waits=waits, refused=arrives & waits, enters=arrives & ~waits, age_s=age_s)

    def _without_services(self, ends: Ends, exogenous: Exogenous) -> tuple[Flight, OfClients]:
        """Returns the tasks after service vehicles have left, and which tasks are lost with them.

        A task with local work left runs on at its client; the others are lost.
        """
        flight = ends.flight
        left = _of_node(exogenous.service_leaves, flight.node, self.num_rsus, other=False)
        affected = flight.in_flight & ~ends.done & ~ends.late & left
        home = affected & (flight.local_gcycles > 0.0)
        return phases.come_home(flight, home), affected & ~home


def decides(state: State) -> OfClients:
    """Returns which clients decide: a task waits, and none is in flight."""
    return state.waiting & ~state.in_flight


def _state(flight: Flight, queue: Queue, ends: QueueEnds, energy_queue_j: PerClient, exogenous: Exogenous) -> State:
    """Returns the state after a slot; the waiting tasks of clients that leave are withdrawn."""
    stays = ends.waits & ~exogenous.client_leaves
    return State(
        waiting=stays | ends.enters,
        waiting_type=np.where(ends.enters, exogenous.arriving_type, queue.dnn),
        waiting_age_s=np.where(stays, ends.age_s, 0.0),
        in_flight=flight.in_flight,
        node=flight.node,
        local_gcycles=flight.local_gcycles,
        send_mbit=flight.send_mbit,
        task_mbit=flight.task_mbit,
        forward_s=flight.forward_s,
        edge_gcycles=flight.edge_gcycles,
        age_s=flight.age_s,
        energy_queue_j=energy_queue_j,
    )


def _of_node(
    of_service: Bool[np.ndarray, "*batch services"],
    node: Int[np.ndarray, "*batch clients"],
    num_rsus: int,
    *,
    other: bool,
) -> OfClients:
    """Returns the value of each client's service vehicle, and `other` where its node is none."""
    with_other = np.concatenate([np.full((*of_service.shape[:-1], 1), other), of_service], axis=-1)
    return pick(with_other, np.maximum(node - num_rsus + 1, 0))


def _broadcast(
    state: State, action: Int[np.ndarray, "*batch clients"], exogenous: Exogenous
) -> tuple[State, Int[np.ndarray, "*batch clients"], Exogenous]:
    """Returns all arrays broadcast to the same batch axes, or unchanged if they have them already."""
    batch = action.shape[:-1]
    if state.waiting.shape[:-1] == batch == exogenous.arrives.shape[:-1]:
        return state, action, exogenous
    batch = np.broadcast_shapes(batch, state.waiting.shape[:-1], exogenous.arrives.shape[:-1])
    axes = len(exogenous.arrives.shape) - 1

    def wide(array: np.ndarray) -> np.ndarray:
        return np.broadcast_to(array, (*batch, *array.shape[axes:]))

    state = map_arrays(lambda a: np.broadcast_to(a, (*batch, *a.shape[-1:])), state)
    return state, np.broadcast_to(action, (*batch, action.shape[-1])), map_arrays(wide, exogenous)
