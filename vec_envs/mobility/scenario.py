"""Scenarios: folders with the SUMO files of a road or an area, and a `scenario.toml` that describes it."""

from __future__ import annotations

import gzip
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from vec_envs.mobility.axis import check_axis, check_units
from vec_envs.mobility.scenario_table import Table, read_toml
from vec_envs.mobility.traffic import Road
from vec_envs.validation import did_you_mean

SHIPPED = Path(__file__).parents[2] / "sumo_scenarios"
"""The folder of the shipped scenarios. It is found by its place beside `vec_envs`, in a wheel as in a clone, because a
folder of yours named `sumo_scenarios` can hide the package."""
OUTSIDE_M, LONGER = 100.0, 1.5
"""An end of an axis may be so far outside of the network, unless the axis is this many times as long as the network."""
SUMO_OPTIONS = (
    "collision.action",
    "collision.mingap-factor",
    "default.action-step-length",
    "default.carfollowmodel",
    "default.emergencydecel",
    "default.speeddev",
    "device.rerouting.adaptation-interval",
    "device.rerouting.adaptation-steps",
    "device.rerouting.deterministic",
    "device.rerouting.period",
    "device.rerouting.pre-period",
    "device.rerouting.probability",
    "eager-insert",
    "extrapolate-departpos",
    "ignore-accidents",
    "ignore-junction-blocker",
    "ignore-route-errors",
    "junction-taz",
    "lanechange.duration",
    "lanechange.overtake-right",
    "lateral-resolution",
    "max-depart-delay",
    "no-internal-links",
    "pedestrian.model",
    "pedestrian.striping.dawdling",
    "pedestrian.striping.stripe-width",
    "random-depart-offset",
    "routing-algorithm",
    "scale",
    "step-method.ballistic",
    "time-to-impatience",
    "time-to-teleport",
    "time-to-teleport.disconnected",
    "time-to-teleport.highways",
    "time-to-teleport.remove",
    "time-to-teleport.ride",
    "tls.all-off",
    "weights.minor-penalty",
    "weights.random-factor",
)
"""The options of SUMO's command line that a scenario may set: those that change how vehicles drive. This package sets
the others itself, and lets no scenario write files."""
MOST_WARM_UP_S = 86_400.0
"""The longest warm-up. It is simulated before each stream of traffic, whereas hours before `start_s` are skipped."""
_HEAD_BYTES = 2**16
_BOUNDARY = re.compile(rb'<location\b[^>]*\bconvBoundary="([^"]*)"')
"""The extent of a network, which its file says at its beginning."""
_ROAD_KEYS = ("rsu_xyz_m", "range_m", "speed_limit_mps", "axis_xy_m", "units_xyz_m")
_TOP_KEYS = (
    "name",
    "net_file",
    "route_files",
    "additional_files",
    "warm_up_s",
    "start_s",
    "end_s",
    "top_speed_mps",
    "client_types",
    "service_types",
    "sumo",
    "road",
)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A road or an area, the SUMO files of its network and traffic, and the vehicle types of each role.

    The fields are the keys of `scenario.toml`; those of `road` are in its table `[road]`. Files are given relative to
    the folder.
    """

    road: Road
    net_file: Path
    route_files: tuple[Path, ...]
    warm_up_s: float
    """The time that a simulation runs before its first window."""
    top_speed_mps: float
    """A vehicle that seems faster was teleported by SUMO, and is left out."""
    client_types: tuple[str, ...] | None = None
    """The SUMO vehicle types that may be clients; `None`: all types."""
    service_types: tuple[str, ...] | None = None
    additional_files: tuple[Path, ...] = ()
    """SUMO's additional files: bus stops, vehicle types, signal programs."""
    start_s: float | None = None
    """The simulated time at which the demand begins. Simulations begin at this time or later."""
    end_s: float | None = None
    """The simulated time at which windows of traffic end. With it, each simulation begins at a time that is drawn
    between `start_s` (0 by default) and `end_s`, so that different seeds have different traffic."""
    sumo: tuple[tuple[str, str], ...] = ()
    """Options of SUMO by name, from the table `[sumo]`; `SUMO_OPTIONS` lists those that are accepted."""

    @classmethod
    def load(cls, scenario: str | Path) -> Scenario:
        """Returns a scenario, given by the name of a shipped one or by its folder.

        Raises `ValueError` for an unknown scenario, and for a key that is missing, unknown or out of bounds.
        """
        folder = _folder(scenario)
        file = folder / "scenario.toml"
        top = Table(file=file, name="", entries=read_toml(file))
        road = top.table("road")
        loaded = cls(
            road=Road(
                name=top.string("name", default=folder.resolve().name),
                rsu_xyz_m=cast(tuple[float, float, float], road.numbers("rsu_xyz_m", count=3)),
                range_m=road.positive("range_m"),
                speed_limit_mps=road.positive("speed_limit_mps"),
                axis_xy_m=road.optional_points("axis_xy_m"),
                units_xyz_m=road.optional_places("units_xyz_m"),
            ),
            net_file=top.existing_file(top.string("net_file")),
            route_files=tuple(top.existing_file(name) for name in top.strings("route_files")),
            warm_up_s=top.number("warm_up_s", least=0.0, most=MOST_WARM_UP_S),
            top_speed_mps=top.positive("top_speed_mps"),
            client_types=top.optional_strings("client_types"),
            service_types=top.optional_strings("service_types"),
            additional_files=tuple(map(top.existing_file, top.optional_strings("additional_files") or ())),
            start_s=top.optional_number("start_s", least=0.0),
            end_s=top.optional_number("end_s", least=0.0),
            sumo=top.optional_options("sumo", SUMO_OPTIONS),
        )
        top.reject_unknown_keys(_TOP_KEYS)
        road.reject_unknown_keys(_ROAD_KEYS)
        _check(loaded, file)
        return loaded


def _check(loaded: Scenario, file: Path) -> None:
    """Raises `ValueError` for keys that contradict each other."""
    road = loaded.road
    if road.range_m <= road.rsu_xyz_m[2]:
        raise ValueError(
            f"{file}: road.range_m must be above the height of the roadside unit, {road.rsu_xyz_m[2]:g}, got "
            f"{road.range_m:g}"
        )
    if loaded.top_speed_mps < road.speed_limit_mps:
        raise ValueError(
            f"{file}: top_speed_mps must be at least road.speed_limit_mps, {road.speed_limit_mps:g}, got "
            f"{loaded.top_speed_mps:g}: faster vehicles count as teleported by SUMO, and are left out"
        )
    first_s = (loaded.start_s or 0.0) + loaded.warm_up_s
    if loaded.end_s is not None and loaded.end_s <= first_s:
        raise ValueError(
            f"{file}: end_s must be above start_s + warm_up_s = {first_s:g}, got {loaded.end_s:g}: no time is left for "
            "episodes"
        )
    _check_place(loaded, file)
    try:
        check_axis(road)
        check_units(road)
    except ValueError as error:
        raise ValueError(f"{file}: road.{error}") from error
    _check_axis_in_network(loaded, file)


def _check_place(loaded: Scenario, file: Path) -> None:
    """Raises `ValueError` for a unit that does not reach the network."""
    corners = _corners_m(loaded.net_file)
    if corners is None:
        return
    left, low, right, high = corners
    units = {loaded.road.rsu_xyz_m: "rsu_xyz_m"}
    units |= {unit: "units_xyz_m" for unit in loaded.road.units_xyz_m if unit not in units}
    for (x, y, z), key in units.items():
        away_m = math.hypot(max(left - x, x - right, 0.0), max(low - y, y - high, 0.0), z)
        if away_m <= loaded.road.range_m:
            continue
        raise ValueError(
            f"{file}: road.{key} must be in range of the network, which spans x from {left:.0f} to {right:.0f} and "
            f"y from {low:.0f} to {high:.0f}, got [{x:g}, {y:g}, {z:g}], {away_m:.0f} m away, with range_m = "
            f"{loaded.road.range_m:g}: give units in metres, in the plane of the network"
        )


def _check_axis_in_network(loaded: Scenario, file: Path) -> None:
    """Raises `ValueError` for an axis that reaches far beyond the network, as one in feet does on a straight road."""
    corners, axis = _corners_m(loaded.net_file), loaded.road.axis_xy_m
    if corners is None or not axis:
        return
    left, low, right, high = corners
    spans_m, network_m = math.dist(axis[0], axis[-1]), math.dist((left, low), (right, high))
    for x, y in (axis[0], axis[-1]):
        away_m = math.hypot(max(left - x, x - right, 0.0), max(low - y, y - high, 0.0))
        if away_m > OUTSIDE_M and spans_m > LONGER * network_m:
            raise ValueError(
                f"{file}: road.axis_xy_m must lie in the network, which spans x from {left:.0f} to {right:.0f} and y "
                f"from {low:.0f} to {high:.0f}, got an end at [{x:g}, {y:g}], {away_m:.0f} m outside, and a length of "
                f"{spans_m / network_m:.1f} times the network: give points in metres; those in feet need a factor of "
                "0.3048"
            )


def _corners_m(net_file: Path) -> tuple[float, float, float, float] | None:
    """Returns the least x and y and the largest of a network, as its file says; `None` where it does not."""
    try:
        with gzip.open(net_file) if net_file.suffix == ".gz" else net_file.open("rb") as file:
            found = _BOUNDARY.search(file.read(_HEAD_BYTES))
        left, low, right, high = map(float, found[1].decode().split(",") if found else ())
    except (OSError, EOFError, ValueError):
        return None
    return left, low, right, high


def scenario_names() -> list[str]:
    """Returns the names of the shipped scenarios."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/scenario.toml"))


def located(scenario: str) -> str:
    """Returns the name of a shipped scenario or recording as it is, and the path of another one as an absolute path.

    A path that does not exist is returned as it is, too.
    """
    path = Path(scenario)
    shipped = (SHIPPED / scenario / "scenario.toml").is_file() or not path.exists()
    return scenario if shipped else str(path.absolute())


def _folder(scenario: str | Path) -> Path:
    if not isinstance(scenario, str | Path):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"scenario must be a name or a path, got {scenario!r}")
    candidates = [SHIPPED / scenario, Path(scenario)] if isinstance(scenario, str) else [scenario]
    for folder in candidates:
        if (folder / "scenario.toml").is_file():
            return folder
    found = f", which is {'a folder without one' if Path(scenario).is_dir() else 'a file'}"
    near = found if Path(scenario).exists() else did_you_mean(str(scenario), scenario_names())
    raise ValueError(
        f"scenario must be one of {', '.join(scenario_names())}, or a path to a folder with a scenario.toml, "
        f"got {str(scenario)!r}{near}"
    )
