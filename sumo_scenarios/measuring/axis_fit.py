"""Checks the axis of a scenario against its measured traffic."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sumo_scenarios.measuring.trace import SLOT_S, Trace
from vec_envs.mobility import Scenario, TrafficError
from vec_envs.mobility.motion import Motion
from vec_envs.mobility.traffic import TrafficWindow

MOST_SLOTS = 300
"""The largest number of seconds that are checked, from the first vehicle in range on."""


@dataclass(frozen=True, kw_only=True)
class AxisFit:
    """How the axis of a scenario fits its traffic."""

    fault: str = ""
    """Why the axis is not that of the road, as environments say it; "" where it is."""
    warning: str = ""
    """A sentence where nearly all vehicles drive against the axis; "" otherwise."""


def axis_fit(scenario: Scenario, trace: Trace) -> AxisFit:
    """Returns how the axis of a scenario fits its measured traffic."""
    window = _window_in_range(scenario, trace)
    if window is None or not scenario.road.axis_xy_m:
        return AxisFit()
    motion = Motion(scenario.road, scenario.top_speed_mps)
    try:
        position_m, speed_mps = motion.of_coming_and_going(window.xy_m, window.present, SLOT_S)
        window = replace(window, position_m=position_m, speed_mps=speed_mps)
        motion.check(window)
    except TrafficError as error:
        return AxisFit(fault=str(error))
    return AxisFit(warning=motion.against(window))


def _window_in_range(scenario: Scenario, trace: Trace) -> TrafficWindow | None:
    """Returns the vehicles in range, with positions and speeds of zero; None where there are none."""
    near = np.flatnonzero(trace.in_range(scenario.road.rsu_xyz_m, scenario.road.range_m))
    if not len(near):
        return None
    slot = trace.slot[near] - trace.slot[near].min()
    near, slot = near[slot < MOST_SLOTS], slot[slot < MOST_SLOTS]
    vehicles, seat = np.unique(trace.vehicle[near], return_inverse=True)
    present = np.zeros((int(slot.max()) + 1, len(vehicles)), np.bool_)
    present[slot, seat] = True
    xy_m = np.zeros((*present.shape, 2))
    xy_m[slot, seat] = trace.xy_m[near]
    nothing, all_of_them = np.zeros(present.shape), np.ones(len(vehicles), np.bool_)
    return TrafficWindow(
        xy_m=xy_m,
        position_m=nothing,
        speed_mps=nothing,
        present=present,
        may_be_client=all_of_them,
        may_be_service=all_of_them,
    )
