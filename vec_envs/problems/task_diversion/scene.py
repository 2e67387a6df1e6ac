"""The scenes of `TaskDiversion`: vehicles and roadside units along the road, how long they are busy, and sent tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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
from vec_envs.problems.task_diversion.records import Outcome, State

if TYPE_CHECKING:
    from vec_envs.problems.task_diversion.problem import TaskDiversion


def scenery_of(problem: TaskDiversion) -> Scenery:
    """Returns the nodes (roadside units, then seats of vehicles) and their queue: the time until they are idle."""
    units = [SceneNode(name=f"RSU {unit}", kind="rsu") for unit in range(problem.num_rsus)]
    seats = [SceneNode(name=f"vehicle {seat}", kind="vehicle") for seat in range(problem.num_client_vehicles)]
    return Scenery(slot_s=problem.slot_s, nodes=(*units, *seats), queues=(SceneQueue(name="Busy for", unit="s"),))


def scene_of(problem: TaskDiversion, played: PlayedSlot) -> SceneFrame:
    """Returns the scene of a slot: its beginning, and a link for each task that is released in it.

    A task that is not sent has a link from its vehicle to itself.
    """
    units = problem.num_rsus
    x_m, y_m = clients_on_road(played.traffic, played.slot)
    unit_m = (np.arange(units) - (units - 1) / 2.0) * problem.rsu_spacing_m
    return SceneFrame(
        x_m=(*rounded(unit_m, 1), *x_m),
        y_m=(*(RSU_Y_M,) * units, *y_m),
        waits=_busy_s(played, played.slot * problem.slot_s),
        links=_links(problem, played),
        caption=_caption([decision.outcome for decision in played.decisions]),
        arrived=tuple(units + seat for seat in arrived_clients(played.traffic, played.slot)),
        cuts=_cuts(problem, played),
    )


def _busy_s(played: PlayedSlot, now_s: float) -> Numbers:
    """Returns how long each unit and each vehicle still computes; None for a seat without a vehicle."""
    state: State = played.state
    vehicle = played.traffic.client_vehicle[played.slot]
    units_s = np.maximum(state.rsu_free_s[0] - now_s, 0.0)
    seats_s = np.where(state.holder[0] == vehicle, np.maximum(state.vehicle_free_s[0] - now_s, 0.0), 0.0)
    return (*rounded(units_s, 3), *where_present(rounded(seats_s, 3), vehicle >= 0))


def _links(problem: TaskDiversion, played: PlayedSlot) -> tuple[tuple[int, int, str], ...]:
    links: list[tuple[int, int, str]] = []
    for decision in played.decisions:
        outcome: Outcome = decision.outcome
        seat, profile = problem.num_rsus + int(decision.exogenous.seat[0]), problem.profiles[int(outcome.dnn[0])]
        if outcome.offloaded[0]:
            part = f"{profile.name} from {profile.layers[int(outcome.cut[0])].name}"
            links.append((seat, int(outcome.unit[0]), part))
        else:
            links.append((seat, seat, f"all of {profile.name}"))
    return tuple(links)


def _cuts(problem: TaskDiversion, played: PlayedSlot) -> tuple[tuple[int, int, int], ...]:
    decided = ((decision.exogenous, decision.outcome) for decision in played.decisions)
    return tuple(
        (problem.num_rsus + int(task.seat[0]), int(outcome.cut[0]), int(problem.num_layers[int(outcome.dnn[0])]))
        for task, outcome in decided
    )


def _caption(outcomes: list[Outcome]) -> str:
    if not outcomes:
        return "No task is released in this slot"
    tasks = len(outcomes)
    sent = sum(bool(outcome.offloaded[0]) for outcome in outcomes)
    late = sum(bool(outcome.task.missed[0] or outcome.failed[0]) for outcome in outcomes)
    mean_s = sum(float(outcome.task.time_s[0]) for outcome in outcomes) / tasks
    released = "1 task" if tasks == 1 else f"{tasks} tasks"
    return f"{released} released, {sent} sent to a roadside unit: {mean_s:.2f} s on average, {late} late"
