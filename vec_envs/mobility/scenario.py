"""Reader of scenarios: folders with the SUMO files of a road and a `scenario.toml` that describes it."""

from __future__ import annotations

import contextlib
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from vec_envs.files import read_text, shortened
from vec_envs.mobility.axis import MOST_UNITS, check_units
from vec_envs.mobility.traffic import Road

SHIPPED = Path(__file__).parents[2] / "sumo_scenarios"
"""The folder of the shipped scenarios. It is found by its place beside `vec_envs`, in a wheel as in a clone, because a
folder of yours named `sumo_scenarios` can hide the package."""
MOST_BYTES = 2**18
"""The largest size of a `scenario.toml`."""
MOST_CHARACTERS = 1000
"""The largest length of a line in it: the time for a key with many dots grows with the square of its length."""
MOST_POINTS = 10_000
"""The largest number of points of a road's axis."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A road, the SUMO files of its network and traffic, and the vehicle types of each role (`None`: all types)."""

    road: Road
    net_file: Path
    route_files: tuple[Path, ...]
    warm_up_s: float
    top_speed_mps: float
    client_types: tuple[str, ...] | None = None
    service_types: tuple[str, ...] | None = None

    @classmethod
    def load(cls, scenario: str | Path) -> Scenario:
        """Returns a scenario, given by the name of a shipped one or by its folder.

        Raises `ValueError` for an unknown scenario, and for a key that is missing, unknown or out of bounds.
        """
        folder = _folder(scenario)
        file = folder / "scenario.toml"
        top = _Table(file=file, name="", entries=_toml(file))
        road = top.table("road")
        loaded = cls(
            road=Road(
                name=top.string("name", default=folder.resolve().name),
                rsu_xyz_m=cast(tuple[float, float, float], road.numbers("rsu_xyz_m", count=3)),
                range_m=road.positive("range_m"),
                speed_limit_mps=road.positive("speed_limit_mps"),
                axis_xy_m=road.points("axis_xy_m"),
                units_xyz_m=road.optional_places("units_xyz_m"),
            ),
            net_file=top.existing_file(top.string("net_file")),
            route_files=tuple(top.existing_file(name) for name in top.strings("route_files")),
            warm_up_s=top.number("warm_up_s", least=0.0),
            top_speed_mps=top.positive("top_speed_mps"),
            client_types=top.optional_strings("client_types"),
            service_types=top.optional_strings("service_types"),
        )
        top.reject_unknown_keys()
        road.reject_unknown_keys()
        if loaded.road.range_m <= loaded.road.rsu_xyz_m[2]:
            raise ValueError(
                f"{top.file}: road.range_m must be above the height of the roadside unit, "
                f"{loaded.road.rsu_xyz_m[2]:g}, got {loaded.road.range_m:g}"
            )
        try:
            check_units(loaded.road)
        except ValueError as error:
            raise ValueError(f"{top.file}: road.{error}") from error
        return loaded


def _toml(file: Path) -> dict[str, Any]:
    """Returns the content of a TOML file. Raises `ValueError` where it is not TOML, or is too large."""
    text = read_text(file, most_bytes=MOST_BYTES)
    longest = max(map(len, text.splitlines()), default=0)
    if longest > MOST_CHARACTERS:
        raise ValueError(
            f"{file} must have at most {MOST_CHARACTERS} characters in a line, got {longest}: begin a line for each "
            "point"
        )
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is not TOML: {shortened(error)}") from error


def scenario_names() -> list[str]:
    """Returns the names of the shipped scenarios."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/scenario.toml"))


def _folder(scenario: str | Path) -> Path:
    candidates = [SHIPPED / scenario, Path(scenario)] if isinstance(scenario, str) else [scenario]
    for folder in candidates:
        if (folder / "scenario.toml").is_file():
            return folder
    raise ValueError(
        f"scenario must be one of {', '.join(scenario_names())}, or a path to a folder with a scenario.toml, "
        f"got {str(scenario)!r}"
    )


@dataclass(frozen=True, kw_only=True)
class _Table:
    """A table of the file. Each getter raises `ValueError` with the file, the key, the rule and the value."""

    file: Path
    name: str
    entries: dict[str, Any]

    def get(self, key: str, rule: str, accept: Callable[[Any], bool]) -> Any:
        if key not in self.entries:
            raise ValueError(f"{self.file}: {self.name}{key} is missing; it must be {rule}")
        value = self.entries[key]
        if not accept(value):
            raise ValueError(f"{self.file}: {self.name}{key} must be {rule}, got {shortened(repr(value))}")
        return value

    def table(self, key: str) -> _Table:
        entries = self.get(key, "a table", lambda value: isinstance(value, dict))
        return _Table(file=self.file, name=f"{key}.", entries=entries)

    def string(self, key: str, *, default: str | None = None) -> str:
        if default is not None and key not in self.entries:
            return default
        return self.get(key, "a string that is not empty", lambda value: isinstance(value, str) and value != "")

    def strings(self, key: str) -> tuple[str, ...]:
        return tuple(self.get(key, "a list of at least one string", _is_string_list))

    def optional_strings(self, key: str) -> tuple[str, ...] | None:
        return self.strings(key) if key in self.entries else None

    def number(self, key: str, *, least: float) -> float:
        return float(
            self.get(key, f"a number of at least {least:g}", lambda value: _is_number(value) and value >= least)
        )

    def positive(self, key: str) -> float:
        return float(self.get(key, "a number above 0", lambda value: _is_number(value) and value > 0.0))

    def numbers(self, key: str, *, count: int) -> tuple[float, ...]:
        values = self.get(key, f"{count} finite numbers", lambda value: _is_number_list(value, count))
        return tuple(map(float, values))

    def points(self, key: str) -> tuple[tuple[float, float], ...]:
        rule = f"two to {MOST_POINTS} points [x, y], each different from the one before"
        values = self.get(key, rule, _is_polyline)
        return tuple((float(x), float(y)) for x, y in values)

    def optional_places(self, key: str) -> tuple[tuple[float, float, float], ...]:
        if key not in self.entries:
            return ()
        rule = f"one to {MOST_UNITS} places [x, y, z]"
        values = self.get(key, rule, _is_list_of_places)
        return tuple((float(x), float(y), float(z)) for x, y, z in values)

    def existing_file(self, name: str) -> Path:
        path = self.file.parent / name
        with contextlib.suppress(OSError):  # a name may be longer than a file's name can be
            if path.is_file():
                return path
        raise ValueError(f"{self.file} names {shortened(repr(name))}, but the file does not exist")

    def reject_unknown_keys(self) -> None:
        known = {
            "name",
            "net_file",
            "route_files",
            "warm_up_s",
            "top_speed_mps",
            "client_types",
            "service_types",
            "road",
        }
        if self.name:
            known = {"rsu_xyz_m", "range_m", "speed_limit_mps", "axis_xy_m", "units_xyz_m"}
        for key in self.entries.keys() - known:
            raise ValueError(
                f"{self.file}: {self.name}{shortened(key)} is an unknown key; "
                f"the known ones are {', '.join(sorted(known))}"
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_number_list(value: Any, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(cast(list[Any], value)) == count
        and all(map(_is_number, cast(list[Any], value)))
    )


def _is_string_list(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(item, str) for item in cast(list[Any], value))


def _is_list_of_places(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    places = cast(list[Any], value)
    return 1 <= len(places) <= MOST_UNITS and all(_is_number_list(place, 3) for place in places)


def _is_polyline(value: Any) -> bool:
    if not isinstance(value, list) or not all(_is_number_list(point, 2) for point in cast(list[Any], value)):
        return False
    points = cast(list[list[float]], value)
    return 2 <= len(points) <= MOST_POINTS and all(a != b for a, b in pairwise(points))
