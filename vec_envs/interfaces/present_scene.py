"""The present scene of an environment: present places and queues, and the data that the last decision sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from vec_envs.core.batch import EnvironmentBatch
from vec_envs.interfaces.spaces import least_action
from vec_envs.mobility.axis import RoadAxis
from vec_envs.mobility.traffic import Road, TrafficBlock
from vec_envs.problems.base import SequentialProblem, action_shape
from vec_envs.problems.scenes import Decision, PlayedSlot, SceneFrame, SceneNode, Scenery
from vec_envs.records import row_of

SEATS = {"client": "client", "vehicle": "client", "device": "client", "service": "service"}
"""Kind of a node -> role of its seat in the traffic. Nodes of a role stand in the order of its seats."""
_SAME_PLACE_M, _LEAST_MOVE_M = 1.0, 0.1
"""Units closer than the first are the same unit. A vehicle that moves less than the second stands."""

Place = tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class PresentScene:
    """The present scene of one environment, with the places of its nodes in the plane of the road."""

    scenery: Scenery
    frame: SceneFrame
    """The present places and queues, with links, cuts and caption of the last decision."""
    places: tuple[Place, ...]
    """East and north [m], by node; None for a node that is absent."""
    headings: tuple[float | None, ...]
    """The direction of each node [rad], counted from east to north; None for a node that stands or is absent."""
    road: Road
    slot: int
    num_slots: int
    deciding: tuple[int, ...]
    """The nodes whose turn it is; empty where all agents decide together."""


def present_scene(batch: EnvironmentBatch, row: int) -> PresentScene:
    """Returns the present scene of one environment of a batch whose problem has scenes (`HasScenes`)."""
    problem: Any = batch.problem
    scenery: Scenery = problem.scenery()
    present = _present(batch, row)
    now: SceneFrame = problem.scene(present)
    last = batch.last_decision(row)
    if last is None:
        frame = replace(now, links=(), cuts=(), caption="No decision yet")
    else:
        then: SceneFrame = problem.scene(_played(batch, row, last))
        here = {node for node, x in enumerate(now.x_m) if x is not None} - set(now.arrived)
        links = tuple(link for link in then.links if here.issuperset(link[:2]))
        cuts = tuple(cut for cut in then.cuts if cut[0] in here)
        frame = replace(now, links=links, cuts=cuts, caption=f"Last {_epoch_word(batch)}: {then.caption}")
    return PresentScene(
        scenery=scenery,
        frame=frame,
        places=places_of(scenery.nodes, frame, present.traffic, present.road, present.slot),
        headings=_headings(scenery.nodes, present.traffic, present.slot),
        road=present.road,
        slot=present.slot,
        num_slots=getattr(problem, "episode_slots", problem.traffic_shape.num_slots),
        deciding=_deciding(batch, row, scenery.nodes),
    )


def _epoch_word(batch: EnvironmentBatch) -> str:
    return "decision" if isinstance(batch.problem, SequentialProblem) else "slot"


def _present(batch: EnvironmentBatch, row: int) -> PlayedSlot:
    """Returns the present slot. Where all agents decide together, its decision is the first action of each agent.

    Scenes show the state before the decision, so that this decision affects links, cuts and the caption alone.
    """
    only = slice(row, row + 1)
    state, exogenous = row_of(batch.state, only), row_of(batch.exogenous, only)
    if isinstance(batch.problem, SequentialProblem):
        slot = int(batch.problem.turn(exogenous)[0][0])
        return _slot_of(batch, row, slot, state, ())
    action = np.full((1, *action_shape(batch.problem)), least_action(batch.problem))
    next_state, outcome = batch.problem.transition(state, action, exogenous)
    decision = Decision(state=state, action=action, exogenous=exogenous, outcome=outcome, next_state=next_state)
    return _slot_of(batch, row, int(batch.epoch[row]), state, (decision,))


def _played(batch: EnvironmentBatch, row: int, last: Decision) -> PlayedSlot:
    """Returns the slot of the last decision, with this decision alone."""
    if isinstance(batch.problem, SequentialProblem):
        slot = int(batch.problem.turn(last.exogenous)[0][0])
    else:
        slot = int(batch.epoch[row]) - 1
    return _slot_of(batch, row, slot, last.state, (last,))


def _slot_of(batch: EnvironmentBatch, row: int, slot: int, state: Any, decisions: tuple[Decision, ...]) -> PlayedSlot:
    traffic = batch.traffic(row)
    known = min(slot, len(traffic.client_vehicle) - 1)  # no slot follows the last one
    return PlayedSlot(slot=known, state=state, decisions=decisions, traffic=traffic, road=batch.mobility.road)


def _deciding(batch: EnvironmentBatch, row: int, nodes: tuple[SceneNode, ...]) -> tuple[int, ...]:
    if not isinstance(batch.problem, SequentialProblem) or batch.ended[row]:
        return ()
    agent = int(batch.problem.turn(row_of(batch.exogenous, slice(row, row + 1)))[1][0])
    agents = [node for node, of in enumerate(nodes) if SEATS.get(of.kind) == "client"]
    return (agents[agent],) if agent < len(agents) else ()


# Places in the plane ----------------------------------------------------------------------------------------------


def places_of(
    nodes: tuple[SceneNode, ...], frame: SceneFrame, traffic: TrafficBlock, road: Road, slot: int
) -> tuple[Place, ...]:
    """Returns the places of nodes: vehicles as in the traffic, units as on the road, others as in the scene."""
    held = {"client": iter(traffic.client_xy_m[slot]), "service": iter(traffic.service_xy_m[slot])}
    on_road = _OnRoad(road)
    places = list[Place]()
    for node, x_m, y_m in zip(nodes, frame.x_m, frame.y_m, strict=True):
        xy_m = next(held[SEATS[node.kind]], None) if node.kind in SEATS else None
        if x_m is None or y_m is None:
            places.append(None)
        elif xy_m is not None:
            places.append((float(xy_m[0]), float(xy_m[1])))
        else:
            places.append(on_road.place(x_m, y_m, stands=node.kind in ("rsu", "server")))
    return tuple(places)


def _headings(nodes: tuple[SceneNode, ...], traffic: TrafficBlock, slot: int) -> tuple[float | None, ...]:
    """Returns the direction in which each vehicle moves, from this slot to the next one or from the one before."""
    after = min(slot + 1, len(traffic.client_vehicle) - 1)
    held = {role: iter(_moves(traffic, role, max(after - 1, 0), after)) for role in ("client", "service")}
    return tuple(next(held[SEATS[node.kind]], None) if node.kind in SEATS else None for node in nodes)


def _moves(traffic: TrafficBlock, role: str, before: int, after: int) -> list[float | None]:
    vehicle, xy_m = getattr(traffic, f"{role}_vehicle"), getattr(traffic, f"{role}_xy_m")
    moved_m = xy_m[after] - xy_m[before]
    drives = (vehicle[after] == vehicle[before]) & (np.hypot(*moved_m.T) > _LEAST_MOVE_M)
    angles = np.arctan2(moved_m[:, 1], moved_m[:, 0]).tolist()
    return [angle if of else None for angle, of in zip(angles, drives.tolist(), strict=True)]


class _OnRoad:
    """Finds places in the plane by their positions along a road, or to the east of the unit where it has no axis."""

    def __init__(self, road: Road) -> None:
        self._axis = RoadAxis(road)
        self._units = [unit[:2] for unit in road.units_xyz_m or (road.rsu_xyz_m,)]
        self._own = np.array(road.rsu_xyz_m[:2])

    def place(self, x_m: float, y_m: float, *, stands: bool) -> tuple[float, float]:
        """Returns the place of a position along and across the road.

        A unit that stands at the position of one that the road lists has that unit's place. Other units are as far
        beside the axis as the road's own.
        """
        if stands and self._units:
            distance_m = np.abs(self._axis.position_m(np.array(self._units)) - x_m)
            if float(distance_m.min()) < _SAME_PLACE_M:
                return self._units.pop(int(distance_m.argmin()))
        middle, _, left = self._axis.frame(np.array([x_m]))
        aside_m = self._own_aside_m() if stands else y_m
        x, y = (middle[0] + aside_m * left[0]).tolist()
        return x, y

    def _own_aside_m(self) -> float:
        middle, _, left = self._axis.frame(np.zeros(1))
        offset: Float[np.ndarray, "2"] = self._own - middle[0]
        return float(offset @ left[0])
