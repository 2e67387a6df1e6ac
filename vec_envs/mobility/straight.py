"""A straight road where every vehicle keeps its speed. Needs no simulator: for tests and for fast episodes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from jaxtyping import Float

from vec_envs.mobility.selection import EpisodeRandom, split, staying_vehicles, vehicle_numbers
from vec_envs.mobility.traffic import EpisodeShape, Road, TrafficBlock, TrafficError
from vec_envs.validation import check_integer, check_not_negative, check_positive

STANDING_MPS = 1e-9
"""The speed up to which a vehicle counts as standing. A standing vehicle does not leave the road."""


@dataclass(frozen=True, kw_only=True)
class StraightMobility:
    """Vehicles in random lanes at random places, each with a constant speed and in range for the whole episode.

    Where vehicles come and go, the road has the same number of lanes in the other direction, on the other side of the
    centre line. Each seat is then a stationary renewal process: a vehicle drives through in a random lane of either
    direction, and when it leaves at one end, the next one enters at the start of its own lane. All vehicles on the road
    hold a seat, so no seat is ever empty. The observed stretch is the part of the road in range from every lane.

    Raises:
        ValueError: A number is out of bounds.
        TrafficError: Raised by `blocks` if the range is too short for an episode or, where vehicles come and go, for a
            slot.
    """

    speed_mps: float = 17.9
    """The mean speed; the default is the speed limit of the shipped city road."""
    speed_spread: float = 0.1
    """Speeds are uniform in `speed_mps * (1 - speed_spread, 1 + speed_spread)`."""
    lanes: int = 3
    """The number of lanes in each direction."""
    lane_width_m: float = 3.35
    rsu_offset_m: float = 15.0
    """Distance from the centre line to the roadside unit."""
    rsu_height_m: float = 8.0
    range_m: float = 750.0

    def __post_init__(self) -> None:
        for name in ("speed_mps", "rsu_offset_m", "rsu_height_m"):
            check_not_negative(**{name: getattr(self, name)})
        check_not_negative(speed_spread=self.speed_spread)
        if not self.speed_spread < 1.0:
            raise ValueError(f"speed_spread must be at least 0 and below 1, got {self.speed_spread}")
        check_integer(1, lanes=self.lanes)
        check_positive(lane_width_m=self.lane_width_m, range_m=self.range_m)
        farthest_m = math.hypot(self.rsu_offset_m + self.lanes * self.lane_width_m / 2.0, self.rsu_height_m)
        if not farthest_m < self.range_m:
            raise ValueError(
                f"range_m must be above {farthest_m:.1f}, the distance to the far lane, got {self.range_m}"
            )

    @property
    def road(self) -> Road:
        """The road along the x axis, with the roadside unit beside its middle."""
        return Road(
            name="straight",
            rsu_xyz_m=(0.0, -self.rsu_offset_m, self.rsu_height_m),
            range_m=self.range_m,
            speed_limit_mps=self.speed_mps,
            axis_xy_m=((-self.range_m, 0.0), (self.range_m, 0.0)),
        )

    def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficBlock]:
        """Yields a block for each episode. Raises `TrafficError` if a vehicle cannot stay in range long enough."""
        if start < 0:
            raise ValueError(f"start must be at least 0, got {start}")
        if shape.come_and_go:
            return self._two_way_stream(EpisodeRandom(seed), shape, start, self._half_m(2 * self.lanes, shape.slot_s))
        duration_s = (shape.num_slots - 1) * shape.slot_s
        fastest_m = self.speed_mps * (1.0 + self.speed_spread) * duration_s
        farthest_y_m = self.rsu_offset_m + (self.lanes - 1) / 2.0 * self.lane_width_m
        shortest_m = 2.0 * math.sqrt(self.range_m**2 - farthest_y_m**2 - self.rsu_height_m**2)
        if fastest_m > shortest_m:
            raise TrafficError(
                f"a vehicle drives {fastest_m:.0f} m in {shape.num_slots} slots of {shape.slot_s:g} s, but only "
                f"{shortest_m:.0f} m of the road are in range; use a wider range_m, a lower speed or a shorter episode"
            )
        return self._stream(EpisodeRandom(seed), shape, start)

    def close(self) -> None:
        """Does nothing: no process or file is open."""

    def _stream(self, random: EpisodeRandom, shape: EpisodeShape, start: int) -> Iterator[TrafficBlock]:
        """Yields the blocks of vehicles that stay in range."""
        time_s = np.arange(shape.num_slots)[:, None] * shape.slot_s
        vehicles = shape.num_client_vehicles + shape.num_service_vehicles
        lane_y_m = (np.arange(self.lanes) - (self.lanes - 1) / 2.0) * self.lane_width_m
        lane_half_m = np.sqrt(self.range_m**2 - (lane_y_m + self.rsu_offset_m) ** 2 - self.rsu_height_m**2)
        for episode in count(start):
            lane, speed, place = random.at(episode).random((3, vehicles))
            lane = (lane * self.lanes).astype(np.intp)
            speed_mps = self.speed_mps * (1.0 - self.speed_spread) + 2.0 * self.speed_mps * self.speed_spread * speed
            half_m = lane_half_m[lane]
            position_m = speed_mps * time_s
            position_m += place * (2.0 * half_m - position_m[-1]) - half_m
            xy_m = np.empty((shape.num_slots, vehicles, 2))
            xy_m[..., 0] = position_m
            xy_m[..., 1] = lane_y_m[lane]
            speeds_mps = np.empty((shape.num_slots, vehicles))
            speeds_mps[:] = speed_mps
            yield split(shape.num_client_vehicles, xy_m, position_m, speeds_mps, staying_vehicles(shape))

    def _half_m(self, lanes: int, slot_s: float) -> float:
        """Returns half the length of the stretch that is in range from all lanes."""
        farthest_y_m = self.rsu_offset_m + (lanes - 1) / 2.0 * self.lane_width_m
        square = self.range_m**2 - farthest_y_m**2 - self.rsu_height_m**2
        fastest_m = self.speed_mps * (1.0 + self.speed_spread) * slot_s
        if square <= 0.0 or fastest_m > 2.0 * math.sqrt(square):
            raise TrafficError(
                f"a vehicle drives {fastest_m:.0f} m in a slot of {slot_s:g} s, but only "
                f"{2.0 * math.sqrt(max(square, 0.0)):.0f} m of a road with {lanes} lanes are in range; use a wider "
                "range_m, a lower speed, fewer lanes or a shorter slot"
            )
        return math.sqrt(square)

    def _two_way_stream(
        self, random: EpisodeRandom, shape: EpisodeShape, start: int, half_m: float
    ) -> Iterator[TrafficBlock]:
        """Yields the blocks of vehicles that come and go."""
        time_s = np.arange(shape.num_slots)[:, None] * shape.slot_s
        seats = shape.num_client_vehicles + shape.num_service_vehicles
        # The largest number of later vehicles on a seat; none on a road where nothing moves.
        fastest_mps = self.speed_mps * (1.0 + self.speed_spread)
        followers = int(time_s[-1, 0] * fastest_mps / (2.0 * half_m)) + 1 if self.speed_mps > STANDING_MPS else 0
        lane_y_m = (np.arange(2 * self.lanes) - (2 * self.lanes - 1) / 2.0) * self.lane_width_m
        for episode in count(start):
            lane, speed, place = random.at(episode).random((3, followers + 1, seats))
            lane = (lane * 2 * self.lanes).astype(np.intp)
            speed_mps = self._renewed_speeds_mps(speed)
            ahead_m = np.full((followers + 1, seats), 2.0 * half_m)
            ahead_m[0] *= place[0]
            enters_s = np.cumsum(ahead_m[:-1] / speed_mps[:-1], axis=0)
            turn = np.count_nonzero(enters_s[:, None] <= time_s, axis=0)
            holder = turn * seats + np.arange(seats)
            # The distance of each vehicle from the end of its lane, extrapolated to time 0 at its speed.
            ahead_m[1:] += speed_mps[1:] * enters_s
            ahead_m = np.maximum(ahead_m.take(holder) - speed_mps.take(holder) * time_s, 0.0)
            direction = np.where(lane.take(holder) < self.lanes, 1.0, -1.0)
            position_m = direction * (half_m - ahead_m)
            xy_m = np.stack((position_m, lane_y_m[lane.take(holder)]), axis=-1)
            signed_mps = direction * speed_mps.take(holder)
            yield split(shape.num_client_vehicles, xy_m, position_m, signed_mps, vehicle_numbers(holder))

    def _renewed_speeds_mps(self, uniform: Float[np.ndarray, "turns seats"]) -> Float[np.ndarray, "turns seats"]:
        """Returns speeds [m/s] from uniform numbers in [0, 1).

        Vehicles that enter later have uniform speeds. Those on the road at time 0 are more often slow, since a slow
        vehicle stays longer: their density is proportional to 1 / speed.
        """
        slowest_mps, fastest_mps = (self.speed_mps * (1.0 + sign * self.speed_spread) for sign in (-1.0, 1.0))
        speed_mps = slowest_mps + (fastest_mps - slowest_mps) * uniform
        speed_mps[0] = slowest_mps * ((1.0 + self.speed_spread) / (1.0 - self.speed_spread)) ** uniform[0]
        return speed_mps
