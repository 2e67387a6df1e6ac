"""The directions in which vehicles drive, from their places in the plane."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

STANDING_M = 0.05
"""The distance in a slot up to which a vehicle counts as standing; recordings round places to 1/64 m."""

Places = Float[np.ndarray, "*batch slots seats 2"]
Stays = Bool[np.ndarray, "*batch slots-1 seats"]
"""Whether the vehicle of a slot is still there in the next one."""
_Vectors = Float[np.ndarray, "*batch steps seats 2"]
_Flags = Bool[np.ndarray, "*batch steps seats"]
_Steps = Int[np.ndarray, "*batch steps seats"]


def kept_seats(vehicle: Int[np.ndarray, "*batch slots seats"]) -> Stays:
    """Returns which seats hold a vehicle that holds them in the next slot too."""
    return (vehicle[..., 1:, :] == vehicle[..., :-1, :]) & (vehicle[..., 1:, :] >= 0)


def headings_rad(xy_m: Places, stays: Stays) -> Float[np.ndarray, "*batch slots seats"]:
    """Returns the headings of vehicles, counter-clockwise from the x axis; 0 for those that never move.

    See `directions`, which returns unit vectors.
    """
    direction = directions(xy_m, stays)
    return np.arctan2(direction[..., 1], direction[..., 0])


def directions(xy_m: Places, stays: Stays) -> Places:
    """Returns the unit vectors in which vehicles drive: (1, 0) for those that never move.

    The direction in a slot is that of the step from the previous slot; in a vehicle's first slot, of its first step. A
    vehicle that stands, or only changes its lane, keeps its last direction. Before it drives for the first time, it has
    the direction of its first drive.
    """
    step_m = xy_m[..., 1:, :, :] - xy_m[..., :-1, :, :]
    length_m = np.sqrt((step_m**2).sum(axis=-1))
    unit = step_m / np.maximum(length_m, STANDING_M)[..., None]
    drives = stays & (length_m > STANDING_M)
    drives &= ~_changes_lane(unit, drives, stays)
    last, following = _last(drives, stays), _next(drives, stays)
    known = np.where(last >= 0, last, following)
    step = np.full(xy_m.shape[:-1], -1)
    step[..., 1:, :] = np.where(stays, known, -1)
    step[..., :-1, :] = np.where((step[..., :-1, :] < 0) & stays, following, step[..., :-1, :])
    return np.where((step >= 0)[..., None], _at(unit, step), (1.0, 0.0))


def _changes_lane(unit: _Vectors, drives: _Flags, stays: _Flags) -> _Flags:
    """Returns which steps go to the side, while the vehicle drives straight on before and after."""
    before, after = np.full(drives.shape, -1), np.full(drives.shape, -1)
    last, following = _last(drives, stays), _next(drives, stays)
    before[..., 1:, :] = np.where(stays[..., 1:, :] & stays[..., :-1, :], last[..., :-1, :], -1)
    after[..., :-1, :] = np.where(stays[..., 1:, :] & stays[..., :-1, :], following[..., 1:, :], -1)
    come, go = _at(unit, before), _at(unit, after)
    aside = ((unit * come).sum(axis=-1) < 0.5) & ((unit * go).sum(axis=-1) < 0.5)
    return drives & aside & ((come * go).sum(axis=-1) > 0.5) & (before >= 0) & (after >= 0)


def _last(drives: _Flags, stays: _Flags) -> _Steps:
    """Returns, for each step, the last step up to it in which the vehicle drove; -1 if its stay has none."""
    steps: int = drives.shape[-2]
    number = np.arange(steps)[:, None]
    begin = np.maximum.accumulate(np.where(stays, 0, number + 1), axis=-2)
    last = np.maximum.accumulate(np.where(drives, number, -1), axis=-2)
    return np.where(last >= begin, last, -1)


def _next(drives: _Flags, stays: _Flags) -> _Steps:
    """Returns, for each step, the first step from it on in which the vehicle drives; -1 if its stay has none."""
    backwards = _last(drives[..., ::-1, :], stays[..., ::-1, :])[..., ::-1, :]
    return np.where(backwards >= 0, drives.shape[-2] - 1 - backwards, -1)


def _at(
    unit: Float[np.ndarray, "*batch steps seats 2"], step: Int[np.ndarray, "*batch places seats"]
) -> Float[np.ndarray, "*batch places seats 2"]:
    """Returns the unit vectors of steps; (0, 0) for step -1 of a window of one slot."""
    if not unit.shape[-3]:
        return np.zeros((*step.shape, 2))
    return np.take_along_axis(unit, np.maximum(step, 0)[..., None], axis=-3)
