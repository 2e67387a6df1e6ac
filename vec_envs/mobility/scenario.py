"""Reader of scenarios: folders with the SUMO files of a road and a `scenario.toml` that describes it."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from vec_envs.mobility.traffic import Road


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
        with (folder / "scenario.toml").open("rb") as file:
            try:
                table = tomllib.load(file)
            except tomllib.TOMLDecodeError as error:
                raise ValueError(f"{file.name} is not TOML: {error}") from error
        top = _Table(file=folder / "scenario.toml", name="", entries=table)
        road = top.table("road")
        loaded = cls(
            road=Road(
                name=top.string("name", default=folder.resolve().name),
                rsu_xyz_m=cast(tuple[float, float, float], road.numbers("rsu_xyz_m", count=3)),
                range_m=road.positive("range_m"),
                speed_limit_mps=road.positive("speed_limit_mps"),
                axis_xy_m=road.points("axis_xy_m"),
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
        return loaded


def scenario_names() -> list[str]:
    """Returns the names of the shipped scenarios."""
    return sorted(path.parent.name for root in _package_folders() for path in root.glob("*/scenario.toml"))


def _package_folders() -> list[Path]:
    spec = find_spec("sumo_scenarios")
    return [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []


def _folder(scenario: str | Path) -> Path:
    candidates = [*(root / scenario for root in _package_folders() if isinstance(scenario, str)), Path(scenario)]
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
            raise ValueError(f"{self.file}: {self.name}{key} must be {rule}, got {value!r}")
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
        values = self.get(key, "at least two points [x, y], each different from the one before", _is_polyline)
        return tuple((float(x), float(y)) for x, y in values)

    def existing_file(self, name: str) -> Path:
        path = self.file.parent / name
        if not path.is_file():
            raise ValueError(f"{self.file} names {name!r}, but the file {path} does not exist")
        return path

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
            known = {"rsu_xyz_m", "range_m", "speed_limit_mps", "axis_xy_m"}
        for key in self.entries.keys() - known:
            raise ValueError(
                f"{self.file}: {self.name}{key} is an unknown key; the known ones are {', '.join(sorted(known))}"
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_number_list(value: Any, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(cast(list[Any], value)) == count
        and all(map(_is_number, cast(list[Any], value)))
    )


def _is_string_list(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(item, str) for item in cast(list[Any], value))


def _is_polyline(value: Any) -> bool:
    if not isinstance(value, list) or not all(_is_number_list(point, 2) for point in cast(list[Any], value)):
        return False
    points = cast(list[list[float]], value)
    return len(points) >= 2 and all(a != b for a, b in pairwise(points))
