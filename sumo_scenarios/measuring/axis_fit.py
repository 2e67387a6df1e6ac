"""Checks the axis of a scenario against its measured traffic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sumo_scenarios.measuring.trace import SLOT_S, Trace
from vec_envs.mobility import Scenario, TrafficError
from vec_envs.mobility.motion import Motion
from vec_envs.mobility.traffic import TrafficWindow

MOST_SLOTS = 300
"""The largest number of seconds that are checked, from the first vehicle in range on."""


def axis_fault(scenario: Scenario, trace: Trace) -> str | None:
    """Returns why the axis of a scenario is not that of its road, as environments say it; None where it is.

    Args:
        scenario: The scenario.
        trace: Its traffic.
    """
    window = _window_in_range(scenario, trace)
    if window is None or not scenario.road.axis_xy_m:
        return None
    motion = Motion(scenario.road, scenario.top_speed_mps)
    try:
        position_m, speed_mps = motion.of_coming_and_going(window.xy_m, window.present, SLOT_S)
        motion.check(replace(window, position_m=position_m, speed_mps=speed_mps))
    except TrafficError as error:
        return str(error)
    return None


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
