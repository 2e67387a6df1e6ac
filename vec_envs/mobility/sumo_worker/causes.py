"""Why a simulation has too few vehicles for an episode: one message for each cause, with what to change."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .departures import first_departure_s
from .survey import Place, Survey, Vehicle

MOST_NAMES = 12


class Misses:
    """What was there in the windows that had too few vehicles."""

    def __init__(self) -> None:
        self.windows = 0
        self.most = 0
        """The largest number of vehicles in a window that an episode could have used."""
        self.share = 0.0
        """The largest share of the needed vehicles in a window."""
        self.teleported = 0
        self.fastest_mps = 0.0
        self.surveys: list[Survey] = []

    def add(self, usable: int, share: float, survey: Survey) -> None:
        """Counts a window that had too few vehicles, with the survey after it."""
        self.windows += 1
        self.most, self.share = max(self.most, usable), max(self.share, share)
        self.surveys.append(survey)

    def leave_out(self, speed_mps: float) -> None:
        """Counts a vehicle that was left out because it seemed faster than `top_speed_mps`."""
        self.teleported += 1
        self.fastest_mps = max(self.fastest_mps, speed_mps)


def explained(misses: Misses, settings: dict[str, Any], tape: Any) -> str:
    """Returns the message of an error: what was there in the windows, what an episode needs, and what to change."""
    when, fewer = (
        ("in the first slot", "fewer") if tape.come_and_go else ("throughout", "fewer or for shorter episodes")
    )
    windows = "a window" if misses.windows == 1 else f"{misses.windows} windows"
    found = (
        f"{windows} of {tape.num_slots} slots in a row had at most {misses.most} vehicles in range {when}, but an "
        f"episode needs {tape.num_clients} clients and {tape.num_services} service vehicles"
    )
    ends_s = sorted({survey.time_s for survey in misses.surveys})
    times = f"simulated time {' to '.join(f'{end:g}' for end in (*ends_s[:1], *ends_s[1:][-1:]))} s"
    of_role = (("client_types", tape.num_clients), ("service_types", tape.num_services))
    said = (
        _not_begun(misses, settings)
        or _out_of_range(misses, settings)
        or _types(misses, settings, [role for role, needed in of_role if needed])
        or _top_speed(misses, settings)
        or _over(misses, settings)
    )
    if said is not None:
        return f"{found} ({times}): {said}"
    types = _counted(vehicle for survey in misses.surveys for vehicle in _in_range(survey, settings))
    return (
        f"{found}; ask for {fewer}, or use a scenario with denser traffic, a wider range or more types for the roles "
        f"({times}; in range were {types})"
    )


def _not_begun(misses: Misses, settings: dict[str, Any]) -> str | None:
    last_s = misses.surveys[-1].time_s
    if any(survey.vehicles for survey in misses.surveys):
        return None
    first_s = first_departure_s([*settings["route_files"], *settings["additional_files"]])
    if first_s is not None and first_s >= last_s:
        return (
            f"the demand has not begun, and no vehicle is on the road; the first one departs at {first_s:g} s: set "
            f"start_s = {first_s:g} in scenario.toml"
        )
    if first_s is None or misses.surveys[-1].expected > 0:
        departs = "no departure is in" if first_s is None else f"the first departure is at {first_s:g} s in"
        return (
            f"no vehicle was on the road; {departs} {_names(settings['route_files'])}: check the demand, or set "
            "start_s and end_s in scenario.toml to the hours of the demand"
        )
    return None


def _over(misses: Misses, settings: dict[str, Any]) -> str | None:
    last = misses.surveys[-1]
    if last.expected > 0:
        return None
    first_s = first_departure_s([*settings["route_files"], *settings["additional_files"]])
    begins = "" if first_s is None else f"it began at {first_s:g} s; "
    there = "no vehicle is on the road or still to depart"
    return (
        f"the demand is over at {last.time_s:g} s: {there}; {begins}add vehicles that depart later, or set start_s and "
        "end_s in scenario.toml to the hours of the demand, more than warm_up_s apart"
    )


def _out_of_range(misses: Misses, settings: dict[str, Any]) -> str | None:
    vehicles = [vehicle for survey in misses.surveys for vehicle in survey.vehicles]
    if not vehicles or any(_in_range(survey, settings) for survey in misses.surveys):
        return None
    x, y, z = settings["rsu_xyz_m"]
    (left, low), (right, high) = misses.surveys[-1].corners
    nearest = min(math.dist(vehicle.place, (x, y)) for vehicle in vehicles)
    most = max(len(survey.vehicles) for survey in misses.surveys)
    outside = "" if left <= x <= right and low <= y <= high else " and stands outside of the network"
    return (
        f"up to {most} vehicles were on the road, but none in range: the unit at rsu_xyz_m = [{x:g}, {y:g}, {z:g}] has "
        f"range_m = {settings['range_m']:g}, the nearest vehicle was {math.hypot(nearest, z):.0f} m away{outside}; the "
        f"network spans x from {left:.0f} to {right:.0f} and y from {low:.0f} to {high:.0f}: set rsu_xyz_m or range_m "
        "in scenario.toml, in metres of this plane"
    )


def _types(misses: Misses, settings: dict[str, Any], roles: list[str]) -> str | None:
    """Says which of `client_types` and `service_types` no vehicle in range has."""
    vehicles = [vehicle for survey in misses.surveys for vehicle in _in_range(survey, settings)]
    for role in roles:
        wanted: Sequence[str] | None = settings[role]
        if wanted is None or any(vehicle.type in wanted for vehicle in vehicles) or not vehicles:
            continue
        classes = sorted({vehicle.vehicle_class for vehicle in vehicles} & set(wanted))
        hint = ""
        if classes:
            of_class = sorted({vehicle.type for vehicle in vehicles if vehicle.vehicle_class in classes})
            hint = f"; {_names(classes)} is a vehicle class, and its types are {_names(of_class)}"
        return (
            f"no vehicle in range has a type of {role} = [{_names(wanted)}]; seen were {_counted(vehicles)}{hint}: "
            f"list SUMO vehicle types (the id of a vType) in {role} of scenario.toml, or leave it out for all"
        )
    return None


def _top_speed(misses: Misses, settings: dict[str, Any]) -> str | None:
    if misses.teleported <= misses.most * misses.windows:
        return None
    return (
        f"{misses.teleported} vehicles were left out because they seemed faster than top_speed_mps = "
        f"{settings['top_speed_mps']:g}, the fastest at {misses.fastest_mps:.1f} m/s: set top_speed_mps "
        "in scenario.toml above the speed at which vehicles drive"
    )


def _in_range(survey: Survey, settings: dict[str, Any]) -> list[Vehicle]:
    x, y, z = settings["rsu_xyz_m"]
    return [vehicle for vehicle in survey.vehicles if _distance_m(vehicle.place, (x, y), z) <= settings["range_m"]]


def _distance_m(place: Place, unit: Place, height_m: float) -> float:
    return math.hypot(math.dist(place, unit), height_m)


def _counted(vehicles: Iterable[Vehicle]) -> str:
    """Returns the types of vehicles, each with its count over all surveys, the most frequent first."""
    counts = Counter(vehicle.type for vehicle in vehicles).most_common()
    return _listed([f"{name} ({count})" for name, count in counts]) or "no vehicles"


def _names(names: Iterable[str]) -> str:
    return _listed([Path(name).name for name in names])


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
