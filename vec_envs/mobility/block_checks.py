"""Checks the traffic of a user's own mobility where it enters an environment.

Without these checks, a mistake such as degrees in place of metres would spoil a training unnoticed. The mobilities of
this package check their own traffic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from vec_envs.mobility.axis import RoadAxis
from vec_envs.mobility.traffic import EpisodeShape, Mobility, Road, TrafficBlock, TrafficError

FASTEST_MPS = 50.0
"""The largest plausible speed, where twice the speed limit of the road is not more."""
RANGE_SLACK_M = 0.5
"""How far beyond the range a vehicle may be, for rounded places."""
SMALLEST_M, SMALLEST_OF_MANY_M, MANY = 1.0, 4.0, 4
"""Places are taken for degrees or kilometres if all of them lie within `SMALLEST_M` of each other; with `MANY` vehicles
or more, within `SMALLEST_OF_MANY_M`, which is about the length of one vehicle."""
LEAST_STEP_M, MOST_AGAINST = 0.5, 0.25
"""Steps from this length on are compared with positions, and this share of them may have the other sign."""
_PACKAGE = __name__.partition(".")[0]
_MEASURED = {"xy_m": (2,), "position_m": (), "speed_mps": ()}


def is_own(mobility: Mobility) -> bool:
    """Whether a mobility is of this package, which checks its traffic itself."""
    return type(mobility).__module__.partition(".")[0] == _PACKAGE


def checked_blocks(mobility: Mobility, seed: int, shape: EpisodeShape, *, start: int) -> Iterator[TrafficBlock]:
    """Yields the blocks of a mobility. Raises `TrafficError` for one that is not as its documentation says."""
    blocks: Any = mobility.blocks(seed, shape, start=start)
    try:
        stream: Iterator[Any] = iter(blocks)
    except TypeError:
        raise TrafficError(
            f"blocks of a mobility must return an iterator of TrafficBlock, got {type(blocks).__name__}"
        ) from None
    road = mobility.road
    for block in stream:
        check_block(block, road, shape)
        yield block


def check_block(block: Any, road: Road, shape: EpisodeShape) -> None:
    """Raises `TrafficError` where the traffic of an episode is not what `TrafficBlock` says, or not plausible."""
    if not isinstance(block, TrafficBlock):
        names = ", ".join(f.name for f in fields(TrafficBlock))
        raise TrafficError(
            f"a mobility must give objects of vec_envs.mobility.TrafficBlock, with the arrays {names}; got "
            f"{type(block).__name__}"
        )
    seats = {"client": shape.num_client_vehicles, "service": shape.num_service_vehicles}
    for role, number in seats.items():
        for name, tail in _MEASURED.items():
            _check_array(block, f"{role}_{name}", (shape.num_slots, number, *tail), "fiu", "numbers")
        _check_array(block, f"{role}_vehicle", (shape.num_slots, number), "iu", "integers")
    _Seats(block, road, shape).check()


def _check_array(block: TrafficBlock, name: str, expected: tuple[int, ...], kinds: str, what: str) -> None:
    """Raises `TrafficError` unless an array of the block has this shape and kind, and finite values."""
    values: np.ndarray[Any, np.dtype[Any]] = getattr(block, name)
    if not isinstance(values, np.ndarray):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TrafficError(f"{name} of a traffic block must be a NumPy array, got {type(values).__name__}")
    if values.shape != expected:
        raise TrafficError(f"{name} of a traffic block must have shape {expected}, got {values.shape}")
    if values.dtype.kind not in kinds:
        raise TrafficError(f"{name} of a traffic block must hold {what}, got the type {values.dtype}")
    if not np.isfinite(values).all():
        raise TrafficError(f"{name} of a traffic block holds values that are not finite")


class _Seats:
    """The seats of a block, clients before service vehicles."""

    def __init__(self, block: TrafficBlock, road: Road, shape: EpisodeShape) -> None:
        self._road, self._shape = road, shape
        self._vehicle: Int[np.ndarray, "slots seats"] = _of_seats(block, "vehicle")
        self._xy_m: Float[np.ndarray, "slots seats 2"] = _of_seats(block, "xy_m").astype(np.float64)
        self._position_m: Float[np.ndarray, "slots seats"] = _of_seats(block, "position_m").astype(np.float64)
        self._speed_mps: Float[np.ndarray, "slots seats"] = _of_seats(block, "speed_mps").astype(np.float64)
        self._held: Bool[np.ndarray, "slots seats"] = self._vehicle >= 0
        self._stays = self._held[1:] & (self._vehicle[1:] == self._vehicle[:-1])
        self._moved_m = np.hypot(*np.moveaxis(np.diff(self._xy_m, axis=0), -1, 0))
        self._fastest_mps = max(FASTEST_MPS, 2.0 * road.speed_limit_mps)

    def check(self) -> None:
        """Raises `TrafficError` for the first mistake that is found."""
        if not self._held.any():
            return  # seats of the first slot are checked with the batch
        self._check_numbers()
        self._check_unit_of_length()
        self._check_range()
        self._check_speeds()
        self._check_jumps(self._moved_m, "xy_m")
        if self._road.axis_xy_m:  # in an area, the position of a vehicle that passes the unit changes its sign
            self._check_jumps(np.abs(np.diff(self._position_m, axis=0)), "position_m")
            self._check_positions()

    def _check_numbers(self) -> None:
        """Checks that a vehicle's number stands in one seat only."""
        below = self._vehicle.size
        if self._vehicle.min() < -1 or self._vehicle.max() >= below:
            raise TrafficError(
                f"vehicles of a traffic block must be numbered from 0 to {below - 1} in order of first holding a seat, "
                f"with -1 for an empty seat; got {self._vehicle.min()} to {self._vehicle.max()}"
            )
        seat_of: dict[int, tuple[int, int]] = {}
        begins = self._held.copy()
        begins[1:] &= ~self._stays
        for slot, seat in np.argwhere(begins).tolist():
            number = int(self._vehicle[slot, seat])
            before, other = seat_of.setdefault(number, (slot, seat))
            if other != seat:
                raise TrafficError(
                    f"vehicle {number} holds the seat of {self._seat(other)} in slot {before} and that of "
                    f"{self._seat(seat)} in slot {slot}: a vehicle holds one seat, and has a new number when it comes "
                    "back"
                )

    def _check_unit_of_length(self) -> None:
        """Checks that places are not degrees or kilometres: all of them next to each other."""
        places = self._xy_m[self._held]
        extent_m = float(np.ptp(places, axis=0).max())
        vehicles = len(np.unique(self._vehicle[self._held]))
        always_moves = bool(self._stays.any() and (self._moved_m[self._stays] > 0.0).all())
        smallest_m = SMALLEST_OF_MANY_M if vehicles >= MANY else SMALLEST_M
        if 0.0 < extent_m < smallest_m and (vehicles > 1 or always_moves):
            x, y = places[0]
            raise TrafficError(
                f"all vehicles of a traffic block are within {extent_m:.2g} m of each other, at about x={x:.6g}, "
                f"y={y:.6g}: xy_m must be metres, and these look like degrees or kilometres; project them first"
            )

    def _check_range(self) -> None:
        """Checks that vehicles with a seat are in range of the roadside unit."""
        x, y, z = self._road.rsu_xyz_m
        distance_m = np.where(self._held, np.sqrt(((self._xy_m - (x, y)) ** 2).sum(axis=-1) + z**2), 0.0)
        slot, seat = np.unravel_index(int(distance_m.argmax()), distance_m.shape)
        if distance_m[slot, seat] > self._road.range_m + RANGE_SLACK_M:
            raise TrafficError(
                f"{self._seat(int(seat))} is {distance_m[slot, seat]:.4g} m from the roadside unit in slot {slot}, but "
                f"range_m of the road is {self._road.range_m:g}: a vehicle that holds a seat must be in range; choose "
                "other vehicles, let them come and go, or give the road a wider range"
            )

    def _check_speeds(self) -> None:
        """Checks speeds by themselves, and against the distances that the places say."""
        fastest = np.where(self._held, np.abs(self._speed_mps), 0.0)
        slot, seat = np.unravel_index(int(fastest.argmax()), fastest.shape)
        if fastest[slot, seat] > self._fastest_mps:
            raise TrafficError(
                f"speed_mps of {self._seat(int(seat))} in slot {slot} must be at most {self._fastest_mps:g} m/s, got "
                f"{fastest[slot, seat]:.4g}: give m/s, or raise speed_limit_mps of the road, now "
                f"{self._road.speed_limit_mps:g}"
            )
        if not self._stays.any():
            return
        said_m = float(fastest[1:][self._stays].mean()) * self._shape.slot_s
        moved_m = float(self._moved_m[self._stays].mean())
        if said_m > 2.0 * moved_m + 1.0:
            raise TrafficError(
                f"vehicles of a traffic block drive {said_m:.4g} m in a slot by their speed_mps, but {moved_m:.4g} m "
                "by their xy_m: one of the two has another unit, such as km/h, km or degrees"
            )

    def _check_positions(self) -> None:
        """Checks that positions change as places move along the axis, and that speeds have their sign."""
        along_m = np.diff(RoadAxis(self._road).position_m(self._xy_m), axis=0)
        step_m, moves = np.diff(self._position_m, axis=0), self._stays & (np.abs(along_m) > LEAST_STEP_M)
        if not moves.any():
            return
        said_m, moved_m = float(np.abs(step_m[moves]).mean()), float(np.abs(along_m[moves]).mean())
        if not moved_m / 2.0 - 1.0 <= said_m <= 2.0 * moved_m + 1.0:
            raise TrafficError(
                f"vehicles of a traffic block drive {said_m:.4g} m in a slot by their position_m, but {moved_m:.4g} m "
                f"along axis_xy_m by their xy_m, {said_m / moved_m:.3g} times as much: one of the two has another "
                "unit, such as feet"
            )
        for name, of in (("position_m", step_m), ("speed_mps", self._speed_mps[1:])):
            wrong = float((of * along_m < 0.0)[moves].mean())
            if wrong > MOST_AGAINST:
                raise TrafficError(
                    f"{100 * wrong:.0f} % of the steps of a traffic block go one way along axis_xy_m by xy_m and the "
                    f"other way by {name}: position_m must grow, and speed_mps be positive, in the axis's direction"
                )

    def _check_jumps(self, moved_m: Float[np.ndarray, "steps seats"], name: str) -> None:
        """Checks that no vehicle moves faster than is plausible."""
        moved_m = np.where(self._stays, moved_m, 0.0)
        if not moved_m.size or moved_m.max() <= self._fastest_mps * self._shape.slot_s:
            return
        slot, seat = np.unravel_index(int(moved_m.argmax()), moved_m.shape)
        raise TrafficError(
            f"{self._seat(int(seat))} jumps {moved_m[slot, seat]:.4g} m by {name} between the slots {slot} and "
            f"{slot + 1}, which is faster than {self._fastest_mps:g} m/s: give the vehicle a new number where it left "
            f"and came back, or raise speed_limit_mps of the road, now {self._road.speed_limit_mps:g}"
        )

    def _seat(self, seat: int) -> str:
        """Returns the words for a seat."""
        clients = self._shape.num_client_vehicles
        return f"client {seat}" if seat < clients else f"service vehicle {seat - clients}"


def _of_seats(block: TrafficBlock, name: str) -> np.ndarray[Any, np.dtype[Any]]:
    """Returns an array of all seats, those of the clients first."""
    return np.concatenate((getattr(block, f"client_{name}"), getattr(block, f"service_{name}")), axis=1)
