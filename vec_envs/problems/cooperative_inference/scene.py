"""The scenes of `CooperativeInference`: devices around the server or on a road, virtual queues, and sent work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vec_envs.mobility.traffic import Road, TrafficBlock
from vec_envs.problems.cooperative_inference.records import Outcome, State
from vec_envs.problems.scenes import (
    RSU_Y_M,
    Numbers,
    PlayedSlot,
    SceneFrame,
    SceneNode,
    SceneQueue,
    Scenery,
    arrived_clients,
    clients_on_road,
    rounded,
    where_present,
)

if TYPE_CHECKING:
    from vec_envs.problems.cooperative_inference.problem import CooperativeInference


def scenery_of(problem: CooperativeInference) -> Scenery:
    """Returns the nodes (devices, then the server) and the two virtual queues of each device."""
    devices = [SceneNode(name=f"d{n}", kind="device") for n in range(problem.num_devices)]
    return Scenery(
        slot_s=problem.slot_s,
        nodes=(*devices, SceneNode(name="server", kind="server")),
        queues=(SceneQueue(name="Energy queue"), SceneQueue(name="Memory queue")),
    )


def scene_of(problem: CooperativeInference, played: PlayedSlot) -> SceneFrame:
    """Returns the scene of a slot: the virtual queues before the decision, and a link for each device with tasks.

    A device that runs all layers itself has a link to itself.
    """
    state: State = played.state
    outcome: Outcome = played.decisions[0].outcome
    x_m, y_m = _places(played.traffic, played.road, played.slot)
    energy, memory = (rounded(queue[0], 3) for queue in (state.energy_queue, state.memory_queue))
    return SceneFrame(
        x_m=x_m,
        y_m=y_m,
        waits=(*energy, None, *memory, None),
        links=_links(problem, outcome),
        caption=_caption(problem, outcome),
        arrived=arrived_clients(played.traffic, played.slot),
        cuts=tuple(
            (device, int(outcome.cut[0, device]), int(problem.num_layers[device]))
            for device in np.flatnonzero(outcome.has_tasks[0]).tolist()
        ),
    )


def _places(traffic: TrafficBlock, road: Road, slot: int) -> tuple[Numbers, Numbers]:
    """Returns the places of the devices and of the server: along the road where devices drive, else in the plane.

    Devices that stand still are on a circle around the server, unless their traffic is of another kind.
    """
    if traffic.client_speed_mps.any():
        x_m, y_m = clients_on_road(traffic, slot)
        return (*x_m, 0.0), (*y_m, RSU_Y_M)
    present = traffic.client_vehicle[slot] >= 0
    offset_m = traffic.client_xy_m[slot] - np.array(road.rsu_xyz_m[:2])
    x_m, y_m = (where_present(rounded(offset_m[:, axis], 1), present) for axis in (0, 1))
    return (*x_m, 0.0), (*y_m, 0.0)


def _links(problem: CooperativeInference, outcome: Outcome) -> tuple[tuple[int, int, str], ...]:
    links: list[tuple[int, int, str]] = []
    for device in np.flatnonzero(outcome.has_tasks[0]).tolist():
        profile, cut = problem.profiles[int(problem.device_types[device])], int(outcome.cut[0, device])
        if cut < profile.num_layers:
            links.append((device, problem.num_devices, f"{profile.name} from {profile.layers[cut].name}"))
        else:
            links.append((device, device, f"all of {profile.name}"))
    return tuple(links)


def _caption(problem: CooperativeInference, outcome: Outcome) -> str:
    with_tasks = int(outcome.has_tasks[0].sum())
    if not with_tasks:
        return "No device has tasks in this slot"
    sending = int((outcome.has_tasks[0] & (outcome.cut[0] < problem.num_layers)).sum())
    mean_s = float(outcome.delay_s[0].sum()) / with_tasks
    return f"{sending} of {with_tasks} devices send work to the server; a task takes {mean_s:.3f} s on average"
