"""The motion of the vehicles of a trace: samples resampled to slots, cut at gaps and at impossible speeds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from sumo_scenarios.traces.samples import Samples

MOST_PLACES = 20_000_000
"""The largest number of places after resampling, of all vehicles."""
LARGEST_SHARE = 0.2
"""The largest share of steps between samples that may be faster than possible."""
DEGREES = (180.0, 90.0)
"""The largest longitude and latitude. Coordinates within them are not metres, unless they are close together."""
MOVES_MPS = 0.5
"""The speed from which on a vehicle counts as moving, in the report."""


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """How a trace is resampled."""

    slot_s: float
    max_gap_s: float
    """The longest time between two samples of a vehicle that is bridged, on a straight line."""
    top_speed_mps: float
    """The speed above which a step between two samples is an error of the trace."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a vehicle's way without a gap, slot by slot from `first_slot` on."""

    vehicle: int
    first_slot: int
    xy_m: Float[np.ndarray, "slots 2"]


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The samples in order of vehicle and time, and the steps from each sample to the next one of its vehicle."""

    vehicle: Int[np.ndarray, " samples"]
    time_s: Float[np.ndarray, " samples"]
    xy_m: Float[np.ndarray, "samples 2"]
    repeated: int
    """The number of samples that were left out, because the vehicle has another one at this time."""
    elsewhere: int
    """The number of repeated samples at another place, more than a metre away."""

    @cached_property
    def same(self) -> Bool[np.ndarray, " steps"]:
        """Whether a step is one of a single vehicle."""
        return self.vehicle[1:] == self.vehicle[:-1]

    @cached_property
    def gap_s(self) -> Float[np.ndarray, " steps"]:
        """The time of each step."""
        return np.diff(self.time_s)

    @cached_property
    def speed_mps(self) -> Float[np.ndarray, " steps"]:
        """The mean speed of each step; 0.0 where the next sample is of another vehicle."""
        moved_m = np.hypot(*np.diff(self.xy_m, axis=0).T)
        return np.divide(moved_m, self.gap_s, out=np.zeros(len(moved_m)), where=self.same)


def steps_of(samples: Samples, xy_m: Float[np.ndarray, "samples 2"]) -> Steps:
    """Returns the samples in order. Raises `ValueError` where many vehicles are at two places at one time."""
    order = np.lexsort((samples.time_s, samples.vehicle))
    vehicle, time_s, places_m = samples.vehicle[order], samples.time_s[order], xy_m[order]
    repeats = np.zeros(len(order), dtype=np.bool_)
    repeats[1:] = (vehicle[1:] == vehicle[:-1]) & (time_s[1:] == time_s[:-1])
    away_m = np.hypot(*np.diff(places_m, axis=0).T)
    elsewhere = int(np.count_nonzero(repeats[1:] & (away_m > 1.0)))
    if elsewhere > LARGEST_SHARE * len(order):
        raise ValueError(
            f"a vehicle must be at one place at a time, but {elsewhere} of {len(order)} samples have a second place of "
            "the same vehicle at the same time: check that ids are those of vehicles, and that times are not rounded"
        )
    return Steps(
        vehicle=vehicle[~repeats],
        time_s=time_s[~repeats],
        xy_m=places_m[~repeats],
        repeated=int(np.count_nonzero(repeats)),
        elsewhere=elsewhere,
    )


def check_metres(xy: Float[np.ndarray, "samples 2"], how: str) -> None:
    """Raises `ValueError` where coordinates look like degrees; `how` says by which option degrees are given."""
    if (np.abs(xy) <= DEGREES).all() and (np.ptp(xy, axis=0) < 5.0).all() and (np.ptp(xy, axis=0) > 0.0).any():
        (x, y), (width, height) = xy[0], np.ptp(xy, axis=0)
        raise ValueError(
            f"x and y must be metres, but all samples are within {width:.3g} x {height:.3g} of each other, at about "
            f"{x:.6g}, {y:.6g}: these look like degrees or kilometres. Give {how}, or --length-unit km"
        )


def pieces_of(steps: Steps, cutting: Cutting, origin_s: float) -> list[Piece]:
    """Returns the resampled ways of all vehicles, of two slots or more; slot 0 is at `origin_s`.

    Places between two samples lie on the straight line that joins them. Raises `ValueError` for too many places.
    """
    bridged = steps.same & (steps.gap_s <= cutting.max_gap_s) & (steps.speed_mps <= cutting.top_speed_mps)
    starts = np.concatenate(([0], np.flatnonzero(~bridged) + 1))
    stops = np.concatenate((starts[1:], [len(steps.time_s)]))
    slot = (steps.time_s - origin_s) / cutting.slot_s
    first = np.ceil(slot[starts] - 1e-9)
    last = np.floor(slot[stops - 1] + 1e-9)
    number = np.maximum(last - first + 1.0, 0.0)
    if number.sum() > MOST_PLACES:
        raise ValueError(
            f"a trace must have at most {MOST_PLACES} places after resampling, got {number.sum():.0f}: take a part by "
            "--begin-s and --end-s, or a longer --slot-s"
        )
    pieces: list[Piece] = []
    for n in np.flatnonzero(number >= 2).tolist():
        part, at = slice(starts[n], stops[n]), first[n] + np.arange(int(number[n]))
        xy_m = np.empty((len(at), 2))
        for axis in (0, 1):
            xy_m[:, axis] = np.interp(at, slot[part], steps.xy_m[part, axis])
        pieces.append(Piece(vehicle=int(steps.vehicle[starts[n]]), first_slot=int(first[n]), xy_m=xy_m))
    if not pieces:
        raise ValueError(
            f"no vehicle is there for two slots of {cutting.slot_s:g} s: give a shorter --slot-s, or a longer "
            "--max-gap-s"
        )
    return pieces


def speeds_mps(stays: Iterable[Piece], cutting: Cutting) -> list[Float[np.ndarray, " slots"]]:
    """Returns the speeds of each piece from slot to slot."""
    return [np.hypot(*np.diff(stay.xy_m, axis=0).T) / cutting.slot_s for stay in stays]


def in_range(pieces: list[Piece], rsu_xyz_m: tuple[float, float, float], range_m: float) -> list[Piece]:
    """Returns the parts of the pieces that are in range of a unit, of two slots or more, in order of arrival."""
    x, y, z = rsu_xyz_m
    reach = range_m**2 - z**2
    stays: list[Piece] = []
    for piece in pieces:
        near = np.zeros(len(piece.xy_m) + 2, dtype=np.int8)
        near[1:-1] = ((piece.xy_m - (x, y)) ** 2).sum(axis=-1) <= reach
        for start, stop in zip(np.flatnonzero(np.diff(near) > 0), np.flatnonzero(np.diff(near) < 0), strict=True):
            if stop - start >= 2:
                first_slot = piece.first_slot + int(start)
                stays.append(Piece(vehicle=piece.vehicle, first_slot=first_slot, xy_m=piece.xy_m[start:stop]))
    return sorted(stays, key=lambda stay: stay.first_slot)
