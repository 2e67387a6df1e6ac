"""The scenes of `MobileInference`: the street with its units and vehicles, work, energy queues, and tasks in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from vec_envs.mobility.traffic import TrafficBlock
from vec_envs.problems.mobile_inference.loads import loads
from vec_envs.problems.mobile_inference.records import Exogenous, Outcome, State
from vec_envs.problems.scenes import (
    RSU_Y_M,
    Decision,
    Numbers,
    PlayedSlot,
    SceneFrame,
    SceneNode,
    SceneQueue,
    Scenery,
    arrived_clients,
    arrived_services,
    clients_on_road,
    rounded,
    services_on_road,
    where_present,
)

if TYPE_CHECKING:
    from vec_envs.problems.mobile_inference.problem import MobileInference


def scenery_of(problem: MobileInference) -> Scenery:
    """Returns the nodes (clients, units, service vehicles) and their queues: work, and the clients' energy queues."""
    clients = [SceneNode(name=f"c{i}", kind="client") for i in range(problem.num_client_vehicles)]
    units = [SceneNode(name=f"RSU {unit}", kind="rsu") for unit in range(problem.num_rsus)]
    services = [SceneNode(name=f"s{j}", kind="service") for j in range(problem.num_service_vehicles)]
    return Scenery(
        slot_s=problem.slot_s,
        nodes=(*clients, *units, *services),
        queues=(SceneQueue(name="Work", unit="Gcycles"), SceneQueue(name="Energy queue", unit="J")),
    )


def scene_of(problem: MobileInference, played: PlayedSlot) -> SceneFrame:
    """Returns the scene of a slot: work and energy queues at its beginning, and a link for each task in flight.

    A task that runs on its client has a link to itself. Links show the tasks that are in flight after the starts of the
    slot, from the client to the server of a unit or to a service vehicle.
    """
    decision, units = played.decisions[0], problem.num_rsus
    exogenous: Exogenous = decision.exogenous
    client_x_m, client_y_m = clients_on_road(played.traffic, played.slot)
    service_x_m, service_y_m = services_on_road(played.traffic, played.slot)
    unit_x_m = rounded(np.asarray(exogenous.unit_position_m)[0], 1)
    return SceneFrame(
        x_m=(*client_x_m, *unit_x_m, *service_x_m),
        y_m=(*client_y_m, *(RSU_Y_M,) * units, *service_y_m),
        waits=_waits(problem, played.state, exogenous, played.traffic, played.slot),
        links=_links(problem, decision),
        caption=_caption(decision),
        arrived=_arrived(problem, played),
        cuts=_cuts(problem, decision),
    )


def _waits(problem: MobileInference, state: State, exogenous: Exogenous, traffic: TrafficBlock, slot: int) -> Numbers:
    """Returns the work of tasks in flight at each node, then the energy queue of each client."""
    held = (traffic.client_vehicle[slot] >= 0, traffic.service_vehicle[slot] >= 0)
    at_node = loads(state, exogenous.v2i_efficiency, problem.num_nodes).gcycles[0]
    units, services = at_node[: problem.num_rsus], at_node[problem.num_rsus :]
    local = where_present(rounded(state.local_gcycles[0], 3), held[0])
    energy = where_present(rounded(state.energy_queue_j[0], 3), held[0])
    work = (*local, *rounded(units, 3), *where_present(rounded(services, 3), held[1]))
    return (*work, *energy, *(None,) * problem.num_nodes)


def _links(problem: MobileInference, decision: Decision) -> tuple[tuple[int, int, str], ...]:
    """Returns a link for each client with a task in flight, with what is left of the task."""
    state, action = decision.state, decision.action
    flight, _ = problem.dynamics.start(state, action, decision.exogenous)
    left = (flight.local_gcycles[0], flight.send_mbit[0], flight.edge_gcycles[0])
    links: list[tuple[int, int, str]] = []
    for client in np.flatnonzero(flight.in_flight[0]).tolist():
        node = int(flight.node[0, client])
        end = client if node < 0 else problem.num_client_vehicles + node
        links.append((client, end, _left_words(client, *left)))
    return tuple(links)


def _cuts(problem: MobileInference, decision: Decision) -> tuple[tuple[int, int, int], ...]:
    """Returns the cuts of the tasks that start in this slot."""
    state: State = decision.state
    flight, _ = problem.dynamics.start(state, decision.action, decision.exogenous)
    cut, _ = problem.starts.cut_and_node(decision.action, state.waiting_type)
    layers = problem.starts.num_layers[state.waiting_type[0]]
    started = np.flatnonzero(flight.in_flight[0] & ~state.in_flight[0]).tolist()
    return tuple((client, int(cut[0, client]), int(layers[client])) for client in started)


def _left_words(
    client: int,
    local_gcycles: Float[np.ndarray, "clients"],
    send_mbit: Float[np.ndarray, "clients"],
    edge_gcycles: Float[np.ndarray, "clients"],
) -> str:
    amounts = ((local_gcycles, "Gcycles here"), (send_mbit, "Mbit to send"), (edge_gcycles, "Gcycles there"))
    parts = [f"{float(amount[client]):.1f} {what}" for amount, what in amounts if amount[client] > 0.0]
    return ", ".join(parts) + " left" if parts else "its result is left"


def _arrived(problem: MobileInference, played: PlayedSlot) -> tuple[int, ...]:
    first = problem.num_client_vehicles + problem.num_rsus
    services = arrived_services(played.traffic, played.slot)
    return (*arrived_clients(played.traffic, played.slot), *(first + seat for seat in services))


def _caption(decision: Decision) -> str:
    outcome: Outcome = decision.outcome
    before: State = decision.state
    flying, waiting = int(before.in_flight[0].sum()), int(before.waiting[0].sum())
    ends = ", ".join(f"{int(getattr(outcome, name)[0].sum())} {name}" for name in ("done", "missed", "withdrawn"))
    tasks = f"Tasks: {flying} in flight, {waiting} waiting"
    return f"{tasks}; in this slot {ends}; cost {float(np.sum(outcome.cost_s)):.1f} s"
