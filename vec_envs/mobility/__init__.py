"""Sources of vehicle positions: live SUMO, recordings, traces, a straight road, or devices that stand still."""

from __future__ import annotations

from pathlib import Path

from vec_envs.importing import is_source
from vec_envs.mobility.axis import roadside_units, units_of_road
from vec_envs.mobility.own_mobility import check_mobility, imported_mobility
from vec_envs.mobility.replay import ReplayMobility
from vec_envs.mobility.scenario import Scenario, scenario_names
from vec_envs.mobility.selection import choose
from vec_envs.mobility.still import StillMobility
from vec_envs.mobility.straight import StraightMobility
from vec_envs.mobility.sumo import ANSWER_TIMEOUT_S, SumoBackend, SumoMobility, check_sumo_options
from vec_envs.mobility.trace import check_converted, trace_mobility
from vec_envs.mobility.traffic import (
    EpisodeShape,
    Mobility,
    Road,
    TrafficBlock,
    TrafficError,
    TrafficWindow,
)
from vec_envs.validation import check_path, did_you_mean

__all__ = [
    "EpisodeShape",
    "Mobility",
    "ReplayMobility",
    "Road",
    "Scenario",
    "StillMobility",
    "StraightMobility",
    "SumoBackend",
    "SumoMobility",
    "TrafficBlock",
    "TrafficError",
    "TrafficWindow",
    "choose",
    "make_mobility",
    "roadside_units",
    "scenario_names",
    "units_of_road",
]


DEFAULT_SCENARIO = "fdr-drive"
WITHOUT_SCENARIO = ("straight", "still")
"""Names of mobilities that have a road of their own, and take no scenario."""
NAMES = ("sumo", "replay", "trace", *WITHOUT_SCENARIO)
"""Names of mobilities."""


def make_mobility(
    mobility: str | Mobility,
    *,
    scenario: str | Path = DEFAULT_SCENARIO,
    sumo_backend: SumoBackend = "libsumo",
    num_workers: int = 1,
    gui_delay_ms: int = 100,
    answer_timeout_s: float = ANSWER_TIMEOUT_S,
) -> Mobility:
    """Returns the mobility of a name; returns a `Mobility` object unchanged.

    Args:
        mobility: `"sumo"` simulates the scenario live, `"replay"` draws episodes from its recording, `"trace"` from a
            trace that `python -m sumo_scenarios.convert` has converted, and `"straight"` and `"still"` need neither.
            `"package.module:factory"` calls a function of your own, with `scenario` if that is not the default.
        scenario: The name of a scenario, or a path: to its folder for `"sumo"`, to a recording for `"replay"`, to a
            converted trace for `"trace"`.
        sumo_backend: See `SumoMobility`. This option and those below are checked always, but only `"sumo"` uses them.
        num_workers: See `SumoMobility`.
        gui_delay_ms: See `SumoMobility`.
        answer_timeout_s: See `SumoMobility`.

    Raises:
        ValueError: The mobility, scenario or backend is unknown; the message lists those that exist. A scenario is
            given to `"straight"` or `"still"`, which take none. A mobility of your own cannot be imported, or lacks a
            member of `Mobility`.
    """
    check_sumo_options(
        sumo_backend=sumo_backend,
        num_workers=num_workers,
        gui_delay_ms=gui_delay_ms,
        answer_timeout_s=answer_timeout_s,
    )
    check_path(scenario=scenario)
    if not isinstance(mobility, str):
        check_mobility(mobility)
        return mobility
    if is_source(mobility):
        return imported_mobility(mobility, scenario=None if scenario == DEFAULT_SCENARIO else scenario)
    if mobility == "sumo":
        return SumoMobility(
            scenario,
            sumo_backend=sumo_backend,
            num_workers=num_workers,
            gui_delay_ms=gui_delay_ms,
            answer_timeout_s=answer_timeout_s,
        )
    if mobility == "replay":
        check_converted(scenario)
        return ReplayMobility(scenario)
    if mobility == "trace":
        return trace_mobility(scenario)
    if mobility in WITHOUT_SCENARIO:
        if scenario != DEFAULT_SCENARIO:
            Scenario.load(scenario)  # raises where there is no such scenario
            raise ValueError(
                f"scenario={str(scenario)!r} has no effect with mobility={mobility!r}, which has its own road: leave "
                "scenario out, or choose mobility='sumo' or 'replay'"
            )
        return StraightMobility() if mobility == "straight" else StillMobility()
    raise ValueError(
        "mobility must be one of 'sumo', 'replay', 'straight', 'still', 'trace', 'package.module:factory', or a "
        f"Mobility object, got {mobility!r}{did_you_mean(mobility, NAMES)}"
    )
