"""Where vehicles are: live SUMO, recordings, a straight road, or standing still."""

from __future__ import annotations

from pathlib import Path

from vec_envs.mobility.axis import roadside_units
from vec_envs.mobility.replay import ReplayMobility
from vec_envs.mobility.scenario import Scenario, scenario_names
from vec_envs.mobility.selection import choose
from vec_envs.mobility.still import StillMobility
from vec_envs.mobility.straight import StraightMobility
from vec_envs.mobility.sumo import SumoBackend, SumoMobility, check_sumo_options
from vec_envs.mobility.traffic import (
    EpisodeShape,
    Mobility,
    Road,
    TrafficBlock,
    TrafficError,
    TrafficWindow,
)
from vec_envs.validation import a_path

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
]


DEFAULT_SCENARIO = "fdr-drive"


def make_mobility(
    mobility: str | Mobility,
    *,
    scenario: str | Path = DEFAULT_SCENARIO,
    sumo_backend: SumoBackend = "libsumo",
    num_workers: int = 1,
    gui_delay_ms: int = 100,
) -> Mobility:
    """The mobility of that name, or the object itself.

    `"sumo"` simulates the scenario live, `"replay"` draws from its recording (`scenario` may be the path of one),
    `"straight"` and `"still"` need neither. The remaining arguments are those of `SumoMobility`; they concern
    `"sumo"` only, and are checked for all.

    Raises `ValueError` for an unknown mobility, scenario or backend, with a list of what exists.
    """
    check_sumo_options(sumo_backend=sumo_backend, num_workers=num_workers, gui_delay_ms=gui_delay_ms)
    a_path(scenario=scenario)
    if isinstance(mobility, Mobility):
        if isinstance(mobility, type):
            raise ValueError(f"mobility={mobility.__name__} is a class: give an object, {mobility.__name__}(...)")
        return mobility
    if mobility == "sumo":
        return SumoMobility(scenario, sumo_backend=sumo_backend, num_workers=num_workers, gui_delay_ms=gui_delay_ms)
    if mobility == "replay":
        return ReplayMobility(scenario)
    if mobility in ("straight", "still"):
        if scenario != DEFAULT_SCENARIO:
            Scenario.load(scenario)  # not used, but one that does not exist is a mistake here too
        return StraightMobility() if mobility == "straight" else StillMobility()
    raise ValueError(
        f'mobility must be "sumo", "replay", "straight" or "still", or a Mobility object, got {mobility!r}'
    )
