"""Positions and speeds of vehicles from their places: along the axis of a road, or in the plane of an area."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from vec_envs.mobility.axis import RoadAxis
from vec_envs.mobility.headings import directions
from vec_envs.mobility.traffic import Road, TrafficError, TrafficWindow

LEAST_M, LANE_M = 0.1, (2.0, 4.5)
"""A vehicle stands if it moves by less than `LEAST_M` in a slot. A change of lane moves it to the side by a distance in
`LANE_M`, in one step of SUMO."""
ROAD_M, NEAR_M = 15.0, 50.0
"""A vehicle farther from the axis is on another road, and one farther than `NEAR_M` is not near the road at all."""
BEND_M, LEAST_ALONG, FEW = 20.0, 0.5, 3
"""How far the position of a vehicle on the inner side of a bend may jump. Some vehicle must drive a share of
`LEAST_ALONG` of its way near the axis and along it; fewer than `FEW` vehicles may all be on other roads."""
AGAINST = 0.95
"""From this share of vehicles against the axis on, the axis may be in reverse order."""

Places = Float[np.ndarray, "slots vehicles 2"]
Numbers = Float[np.ndarray, "slots vehicles"]
Present = Bool[np.ndarray, "slots vehicles"]
Steps = Float[np.ndarray, "steps vehicles"]
Flags = Bool[np.ndarray, "steps vehicles"]


class Motion:
    """Computes positions and speeds on a road.

    With an axis, the position of a vehicle is that of the nearest point of the axis, and its speed is that along the
    axis. A vehicle that drives across the axis, or beyond its ends, has its speed in the plane instead, so that it does
    not seem to stand. Without an axis, see `Road`.

    Args:
        road: The road.
        top_speed_mps: The top speed of its vehicles; `None` where the axis was checked before.
    """

    def __init__(self, road: Road, top_speed_mps: float = math.inf) -> None:
        self._road, self._top_speed_mps = road, top_speed_mps
        self._axis = RoadAxis(road) if road.axis_xy_m else None
        self._unit_m = np.array(road.rsu_xyz_m[:2])

    def of_coming_and_going(self, xy_m: Places, present: Present, slot_s: float) -> tuple[Numbers, Numbers]:
        """Returns positions and speeds of vehicles that come and go, 0.0 where they are absent.

        The speed in a slot is that of the step from the previous slot; in a vehicle's first slot, of its first step.

        Raises `TrafficError` where positions jump along the axis.
        """
        stays = present[1:] & present[:-1]
        if self._axis is None:
            position_m, step_mps = self._in_plane(xy_m, stays, slot_s)
            return np.where(present, position_m, 0.0), _speeds_mps(step_mps, present)
        position_m = np.zeros(present.shape)
        # Stay by stay, in the order in which workers send a window.
        position_m.T[present.T] = self._axis.position_m(xy_m.swapaxes(0, 1)[present.T])
        return position_m, _speeds_mps(self._steps_mps(xy_m, position_m, stays, slot_s), present)

    def of_staying(
        self, xy_m: Places, first_speed_mps: Float[np.ndarray, " vehicles"], slot_s: float
    ) -> tuple[Numbers, Numbers]:
        """Returns positions and speeds of vehicles that are present in every slot.

        Raises `TrafficError` where positions jump along the axis.
        """
        stays = np.ones((xy_m.shape[0] - 1, xy_m.shape[1]), np.bool_)
        if self._axis is None:
            position_m, step_mps = self._in_plane(xy_m, stays, slot_s)
            return position_m, np.vstack((first_speed_mps, step_mps))
        position_m = self._axis.position_m(xy_m)
        speed_mps = np.vstack((first_speed_mps, self._steps_mps(xy_m, position_m, stays, slot_s)))
        if len(xy_m) > 1:
            # SUMO's own speed has no direction.
            np.copysign(speed_mps[0], speed_mps[1], out=speed_mps[0])
        return position_m, speed_mps

    def with_first_speeds(self, window: TrafficWindow, slot_s: float) -> TrafficWindow:
        """Returns a part of a longer window in which the vehicles of its first slot arrive in it."""
        stays = window.present[1:] & window.present[:-1]
        if self._axis is None:
            position_m, step_mps = self._in_plane(window.xy_m, stays, slot_s)
            position_m = np.where(window.present, position_m, 0.0)
            return replace(window, position_m=position_m, speed_mps=_speeds_mps(step_mps, window.present))
        few = slice(4)  # enough for the rule of `_steps_mps`
        steps_mps = self._steps_mps(window.xy_m[few], window.position_m[few], stays[: few.stop - 1], slot_s)
        first_mps = np.where(window.present[0], steps_mps[0], 0.0)
        return replace(window, speed_mps=np.vstack((first_mps, window.speed_mps[1:])))

    def check(self, window: TrafficWindow) -> None:
        """Raises `TrafficError` where no vehicle of a window is near the axis, or none drives along it."""
        if self._axis is None or not window.present.any():
            return
        beside_m = np.full(window.present.shape, np.inf)
        beside_m[window.present] = self._beside_m(window.xy_m[window.present])
        near = beside_m <= NEAR_M
        if not near.any():
            raise self._misses(
                f"the nearest of {window.present.sum()} places of vehicles is {beside_m.min():.0f} m beside it"
            )
        stays = (window.present[1:] & window.present[:-1])[..., None]
        moved_m = np.sqrt((np.where(stays, np.diff(window.xy_m, axis=0), 0.0) ** 2).sum(axis=-1)).sum(axis=0)
        follows = stays[..., 0] & near[1:] & near[:-1]
        along_m = np.abs(np.where(follows, np.diff(window.position_m, axis=0), 0.0)).sum(axis=0)
        drives = moved_m > NEAR_M
        if drives.sum() >= FEW and (along_m < LEAST_ALONG * moved_m)[drives].all():
            best = int(np.where(drives, along_m / np.maximum(moved_m, LEAST_M), -1.0).argmax())
            raise self._misses(
                f"the vehicle that follows it best drives {moved_m[best]:.0f} m, {along_m[best]:.0f} m of them along "
                f"it and at most {NEAR_M:g} m away"
            )

    def against(self, window: TrafficWindow) -> str:
        """Returns a warning where nearly all vehicles of a window drive against the axis; "" otherwise."""
        if self._axis is None:
            return ""
        stays = window.present[1:] & window.present[:-1]
        along_m = np.where(stays, np.diff(window.position_m, axis=0), 0.0)
        drive = np.abs(along_m).sum(axis=0) > NEAR_M
        share = float((along_m.sum(axis=0) < 0.0)[drive].mean()) if drive.sum() >= FEW else 0.0
        if share < AGAINST:
            return ""
        return (
            f"{100 * share:.0f} % of {drive.sum()} vehicles on {self._road.name!r} drive against its axis, so that "
            "their positions fall and their speeds are negative: list the points of axis_xy_m in scenario.toml in the "
            "order in which vehicles pass them, unless this direction is meant"
        )

    def _misses(self, why: str) -> TrafficError:
        return TrafficError(
            f"the axis of {self._road.name!r} misses the road in range: {why}; give axis_xy_m of scenario.toml along "
            "the road in metres, in the plane of the network, or leave it out"
        )

    def _steps_mps(self, xy_m: Places, position_m: Numbers, stays: Flags, slot_s: float) -> Steps:
        """Returns the speeds from each slot to the next one on a road with an axis, negative against it."""
        along_m = position_m[1:] - position_m[:-1]
        step_mps = along_m / slot_s
        step_m = xy_m[1:] - xy_m[:-1]
        moved_m: Steps = np.sqrt((step_m * step_m).sum(axis=-1))
        across = stays & (moved_m > 2.0 * np.abs(along_m) + LEAST_M)
        far_m = 2.0 * moved_m + BEND_M
        jumps = stays & (np.abs(along_m) > np.minimum(far_m, self._top_speed_mps * slot_s))
        if not (across.any() or jumps.any()):
            return step_mps
        beside_m = self._beside_m(xy_m)
        off_road = np.minimum(beside_m[1:], beside_m[:-1]) > ROAD_M
        self._check_jumps(xy_m, along_m, jumps & ~off_road & (np.abs(along_m) > far_m), slot_s)
        lanes_m = LANE_M[1] * max(math.ceil(slot_s), 1)
        across &= (moved_m < LANE_M[0]) | (moved_m > lanes_m) | off_road | _in_runs_of_three(across)
        against = (along_m < -LEAST_M * moved_m) & across
        return np.where(across | jumps, np.where(against, -moved_m, moved_m) / slot_s, step_mps)

    def _beside_m(self, xy_m: Float[np.ndarray, "*points 2"]) -> Float[np.ndarray, "*points"]:
        assert self._axis is not None
        return self._axis.nearest_m(xy_m)[1]

    def _check_jumps(self, xy_m: Places, along_m: Steps, jumps: Flags, slot_s: float) -> None:
        """Raises `TrafficError` for a vehicle on the road whose position jumps farther than it can drive."""
        far = jumps & (np.abs(along_m) > self._top_speed_mps * slot_s)
        if far.any():
            slot, vehicle = np.argwhere(far)[0]
            x, y = xy_m[slot, vehicle]
            raise TrafficError(
                f"the axis of {self._road.name!r} folds: near ({x:.0f}, {y:.0f}) the position of a vehicle jumps by "
                f"{abs(along_m[slot, vehicle]):.0f} m in a slot of {slot_s:g} s, but top_speed_mps = "
                f"{self._top_speed_mps:g}; give the points of axis_xy_m in scenario.toml in the order in which "
                "vehicles pass them, or leave it out"
            )

    def _in_plane(self, xy_m: Places, stays: Flags, slot_s: float) -> tuple[Numbers, Steps]:
        """Returns signed distances to the unit, and the speeds from each slot to the next one along the heading."""
        direction, offset_m = directions(xy_m, stays), xy_m - self._unit_m
        approaches = (offset_m * direction).sum(axis=-1) < 0.0
        distance_m: Numbers = np.sqrt((offset_m * offset_m).sum(axis=-1))
        along_m = ((xy_m[1:] - xy_m[:-1]) * direction[1:]).sum(axis=-1)
        return np.where(approaches, -distance_m, distance_m), np.maximum(along_m, 0.0) / slot_s


def _speeds_mps(step_mps: Steps, present: Present) -> Numbers:
    """Returns the speeds in each slot of vehicles that are present for two slots or more, 0.0 where they are absent.

    The speed in a slot is that of the step from the previous slot; in a vehicle's first slot, of its first step.
    """
    nothing = np.zeros((1, present.shape[1]))
    arrives = present.copy()
    arrives[1:] &= ~present[:-1]
    to_next, since_last = np.vstack((step_mps, nothing)), np.vstack((nothing, step_mps))
    return np.where(arrives, to_next, np.where(present, since_last, 0.0))


def _in_runs_of_three(across: Flags) -> Flags:
    """Returns which steps belong to at least three steps across in a row."""
    padded = np.pad(across, ((2, 2), (0, 0)))
    runs = padded[:-2] & padded[1:-1] & padded[2:]
    return runs[:-2] | runs[1:-1] | runs[2:]
