"""The scenes of `DNNPartition`: vehicles along the road, their backlogs, and the work that they send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from vec_envs.problems.dnn_partition.records import Exogenous, State
from vec_envs.problems.scenes import (
    RSU_Y_M,
    Decision,
    SceneFrame,
    SceneNode,
    SceneQueue,
    Scenery,
    rounded,
    strip_y_m,
)

if TYPE_CHECKING:
    from vec_envs.problems.dnn_partition.problem import DNNPartition

_SERVICE_STRIP = 2
"""The strip of the first service vehicle, so that it is apart from the first client."""


def scenery_of(problem: DNNPartition) -> Scenery:
    """Returns the nodes (clients, service vehicles, roadside unit) and their queue, the backlog."""
    clients = [SceneNode(name=f"c{i}", kind="client") for i in range(problem.num_client_vehicles)]
    services = [SceneNode(name=f"s{j}", kind="service") for j in range(problem.num_service_vehicles)]
    return Scenery(
        slot_s=problem.slot_s,
        nodes=(*clients, *services, SceneNode(name="RSU", kind="rsu")),
        queues=(SceneQueue(unit="Gcycles"),),
    )


def scene_of(problem: DNNPartition, decision: Decision) -> SceneFrame:
    """Returns the scene of a slot: the backlogs before the decision, and a link for each task that is sent."""
    exogenous: Exogenous = decision.exogenous
    waits, took_s = _waits(decision.state), float(decision.outcome.delay_s.sum())
    x_m, y_m = _places(exogenous)
    return SceneFrame(
        x_m=x_m,
        y_m=y_m,
        waits=waits,
        links=_links(problem, problem.as_played(decision.action, exogenous)[0]),
        caption=f"{sum(waits):.1f} Gcycles wait; this slot's tasks take {took_s:.2f} s in all",
        cuts=_cuts(problem, problem.as_played(decision.action, exogenous)[0]),
    )


def _places(exogenous: Exogenous) -> tuple[tuple[float, ...], tuple[float, ...]]:
    clients, services = exogenous.client_position_m[0], exogenous.service_position_m[0]
    strips = [*range(len(clients)), *(j + _SERVICE_STRIP for j in range(len(services)))]
    return (*rounded(clients, 1), *rounded(services, 1), 0.0), (*(strip_y_m(strip) for strip in strips), RSU_Y_M)


def _waits(state: State) -> tuple[float, ...]:
    """Returns the backlog of each node; the roadside unit has the sum over its queues of the DNN types."""
    rsu = np.array([state.rsu_backlog_gcycles[0].sum()])
    backlogs: tuple[Any, ...] = (state.client_backlog_gcycles[0], state.service_backlog_gcycles[0], rsu)
    return tuple(value for row in backlogs for value in rounded(row, 3))


def _links(problem: DNNPartition, action: Int[np.ndarray, " clients"]) -> tuple[tuple[int, int, str], ...]:
    links: list[tuple[int, int, str]] = []
    for client, (cut, node) in enumerate(divmod(int(a), problem.num_nodes) for a in action):
        profile = problem.profiles[int(problem.client_types[client])]
        if cut < profile.num_layers:
            to = problem.num_client_vehicles + (node - 1 if node else problem.num_service_vehicles)
            links.append((client, to, f"{profile.name} from {profile.layers[cut].name}"))
    return tuple(links)


def _cuts(problem: DNNPartition, action: Int[np.ndarray, " clients"]) -> tuple[tuple[int, int, int], ...]:
    cuts = (action // problem.num_nodes).tolist()
    layers = [problem.profiles[int(kind)].num_layers for kind in problem.client_types]
    return tuple((client, cut, most) for client, (cut, most) in enumerate(zip(cuts, layers, strict=True)))
