"""The windows of a recording, cut from the stays of vehicles in range."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from sumo_scenarios.traces.motion import Piece
from vec_envs.mobility.motion import Motion
from vec_envs.mobility.recording import ENTRY_BYTES, MOST_BYTES, MOST_WINDOWS
from vec_envs.mobility.traffic import Road, TrafficWindow


def window_starts(stays: Sequence[Piece], slots: int) -> tuple[list[int], int]:
    """Returns the first slots of the windows of a trace, and their length: `slots`, or that of a shorter trace.

    Windows follow one another; the last one ends with the trace.
    """
    first = min(stay.first_slot for stay in stays)
    last = max(stay.first_slot + len(stay.xy_m) for stay in stays)
    slots = min(slots, last - first)
    number = -(-(last - first) // slots)
    if number > MOST_WINDOWS:
        raise ValueError(
            f"a recording must have at most {MOST_WINDOWS} windows, got {number}: give more --slots, or take a part by "
            "--begin-s and --end-s"
        )
    return [min(first + n * slots, last - slots) for n in range(number)], slots


def windows_of(
    stays: Sequence[Piece],
    road: Road,
    *,
    slots: int,
    slot_s: float,
    may_be_client: Bool[np.ndarray, " vehicles"],
    may_be_service: Bool[np.ndarray, " vehicles"],
) -> list[TrafficWindow]:
    """Returns the windows of the stays, which are in order of arrival; windows without a vehicle are left out.

    Args:
        stays: The parts of vehicles' ways that are in range.
        road: The road or area.
        slots: The largest number of slots of a window.
        slot_s: The length of a slot.
        may_be_client: Whether a vehicle may be a client, for each vehicle of the trace.
        may_be_service: Whether it may be a service vehicle.

    Raises:
        ValueError: There are more windows, or larger ones, than a recording can hold.
    """
    stays = [stay for stay in stays if may_be_client[stay.vehicle] or may_be_service[stay.vehicle]]
    if not stays:
        raise ValueError("no vehicle in range may be a client or a service vehicle: give other types or a wider range")
    starts, slots = window_starts(stays, slots)
    first = np.array([stay.first_slot for stay in stays])
    stop = first + np.array([len(stay.xy_m) for stay in stays])
    inside = [np.flatnonzero(np.minimum(stop, start + slots) - np.maximum(first, start) >= 2) for start in starts]
    size = ENTRY_BYTES * slots * sum(map(len, inside))
    if size > MOST_BYTES:
        raise ValueError(
            f"a recording must have at most {MOST_BYTES} bytes, got {size}: take a part by --begin-s and --end-s, a "
            "smaller --range-m, a longer --slot-s or fewer --slots, and convert the rest to other files"
        )
    return [
        _window([stays[n] for n in of.tolist()], road, start, slots, slot_s, may_be_client, may_be_service)
        for start, of in zip(starts, inside, strict=True)
        if len(of)
    ]


def _window(
    stays: list[Piece],
    road: Road,
    start: int,
    slots: int,
    slot_s: float,
    may_be_client: Bool[np.ndarray, " vehicles"],
    may_be_service: Bool[np.ndarray, " vehicles"],
) -> TrafficWindow:
    xy_m, present = np.zeros((slots, len(stays), 2)), np.zeros((slots, len(stays)), dtype=np.bool_)
    for column, stay in enumerate(stays):
        begin = max(stay.first_slot, start)
        end = min(stay.first_slot + len(stay.xy_m), start + slots)
        xy_m[begin - start : end - start, column] = stay.xy_m[begin - stay.first_slot : end - stay.first_slot]
        present[begin - start : end - start, column] = True
    position_m, speed_mps = Motion(road).of_coming_and_going(xy_m, present, slot_s)
    vehicles = [stay.vehicle for stay in stays]
    return TrafficWindow(
        xy_m=xy_m,
        position_m=position_m,
        speed_mps=speed_mps,
        present=present,
        may_be_client=may_be_client[vehicles],
        may_be_service=may_be_service[vehicles],
    )
