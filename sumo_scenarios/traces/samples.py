"""The samples of a trace: which vehicle was where at which time, collected within bounds."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

MOST_SAMPLES = 20_000_000
"""The largest number of samples of a trace: 600 MB."""
MOST_VEHICLES = 1_000_000
"""The largest number of vehicles of a trace."""
MOST_TYPES = 1000
"""The largest number of vehicle types of a trace."""
MOST_CHARACTERS = 200
"""The largest length of the name of a vehicle or type."""
LARGEST_S, LARGEST_M = 1e12, 1e9
"""The largest absolute time and coordinate."""


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The samples of a trace, in any order. `vehicle` and `kind` are indices into the names."""

    vehicle: Int[np.ndarray, " samples"]
    time_s: Float[np.ndarray, " samples"]
    x: Float[np.ndarray, " samples"]
    y: Float[np.ndarray, " samples"]
    kind_of_vehicle: Int[np.ndarray, " vehicles"]
    kinds: tuple[str, ...]
    incomplete: int
    """The number of rows that were left out, because a value was missing."""


@dataclass(kw_only=True)
class Collector:
    """Collects samples one by one. Raises `ValueError` for the first one that is out of bounds."""

    incomplete: int = 0
    _vehicles: dict[str, int] = field(default_factory=dict[str, int])
    _kinds: dict[str, int] = field(default_factory=dict[str, int])
    _kind_of_vehicle: array[int] = field(default_factory=lambda: array("i"))
    _vehicle: array[int] = field(default_factory=lambda: array("i"))
    _numbers: tuple[array[float], array[float], array[float]] = field(
        default_factory=lambda: (array("d"), array("d"), array("d"))
    )

    def add(self, vehicle: str, time_s: float, x: float, y: float, kind: str) -> None:
        """Adds a sample."""
        if not (abs(time_s) <= LARGEST_S and abs(x) <= LARGEST_M and abs(y) <= LARGEST_M):
            raise ValueError(
                f"a sample must have a time of at most {LARGEST_S:g} s and a place of at most {LARGEST_M:g} m, got "
                f"{time_s:g} s and ({x:g}, {y:g}): check --length-unit and --time-unit, which is ms, us or ns for such "
                "times since 1970"
            )
        number = self._vehicles.get(vehicle)
        if number is None:
            number = self._new_vehicle(vehicle, kind)
        if len(self._vehicle) >= MOST_SAMPLES:
            raise ValueError(
                f"a trace must have at most {MOST_SAMPLES} samples: cut the file into parts, and convert each of them"
            )
        self._vehicle.append(number)
        for numbers, value in zip(self._numbers, (time_s, x, y), strict=True):
            numbers.append(value)

    def _new_vehicle(self, vehicle: str, kind: str) -> int:
        for name in (vehicle, kind):
            if len(name) > MOST_CHARACTERS:
                raise ValueError(
                    f"the name of a vehicle or type must have at most {MOST_CHARACTERS} characters, got {name[:9]!r}..."
                )
        if len(self._vehicles) >= MOST_VEHICLES:
            raise ValueError(f"a trace must have at most {MOST_VEHICLES} vehicles: is the column of their ids right?")
        of_kind = self._kinds.setdefault(kind, len(self._kinds))
        if len(self._kinds) > MOST_TYPES:
            raise ValueError(f"a trace must have at most {MOST_TYPES} vehicle types: is the column of types right?")
        self._kind_of_vehicle.append(of_kind)
        return self._vehicles.setdefault(vehicle, len(self._vehicles))

    def samples(self, begin_s: float = 0.0, end_s: float = math.inf) -> Samples:
        """Returns the samples of a part of the trace, whose times are counted from its first sample.

        Raises `ValueError` where there are fewer than two.
        """
        time_s, x, y = (np.array(numbers, dtype=np.float64) for numbers in self._numbers)
        vehicle, since_s = np.array(self._vehicle, dtype=np.int64), time_s - time_s.min(initial=math.inf)
        part = (begin_s <= since_s) & (since_s < end_s)
        if part.sum() < 2:
            until = "" if math.isinf(end_s) else f" and before {end_s:g} s"
            where = "" if part.all() else f" from {begin_s:g} s on{until}, counted from its first one"
            raise ValueError(f"a trace must have at least two samples{where}, got {part.sum()}")
        return Samples(
            vehicle=vehicle[part],
            time_s=time_s[part],
            x=x[part],
            y=y[part],
            kind_of_vehicle=np.array(self._kind_of_vehicle, dtype=np.int64),
            kinds=tuple(self._kinds),
            incomplete=self.incomplete,
        )
