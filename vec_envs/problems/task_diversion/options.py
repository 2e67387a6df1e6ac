"""Validation of the options of `TaskDiversion`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vec_envs.physics.channel import RATE_ARGUMENTS, RATE_KEYWORDS
from vec_envs.problems.task_diversion.observation import OBSERVATIONS
from vec_envs.problems.task_diversion.request import DIVERSIONS
from vec_envs.validation import (
    MOST_SLOTS,
    MOST_VEHICLES,
    check_at_most,
    check_bool,
    check_callable,
    check_integer,
    check_not_negative,
    check_one_of,
    check_positive,
    check_positive_range,
    check_product,
    check_takes,
)

if TYPE_CHECKING:
    from vec_envs.problems.task_diversion.problem import TaskDiversion

REWARDS = ("cost", "excess")
ON_LEAVING = ("finish", "fail")
COUNTS = ("num_client_vehicles", "num_rsus", "broadcast_slots", "episode_slots")
"""Options that are integers of at least 1."""
RANGES = ("deadline_factor", "battery")
"""Options that are pairs of a lower and an upper bound."""
_POSITIVE = (
    "rsu_spacing_m",
    "rsu_range_m",
    "slot_s",
    "release_rate_hz",
    "vehicle_ghz",
    "rsu_ghz",
    "min_ghz",
    "kappa_j_per_gcycle_ghz2",
    "battery_capacity_kj",
    "battery_floor",
    "bandwidth_mhz",
    "transmit_power_w",
    "noise_w",
)


def check_options(problem: TaskDiversion) -> None:
    """Checks every option but the DNNs.

    Raises:
        ValueError: With the value and what is allowed, for the first option that is wrong.
    """
    check_integer(1, **{name: getattr(problem, name) for name in COUNTS})
    _check_sizes(problem)
    check_one_of(DIVERSIONS, diversion=problem.diversion)
    check_one_of(ON_LEAVING, on_leaving=problem.on_leaving)
    check_one_of(REWARDS, reward=problem.reward)
    check_one_of(OBSERVATIONS, observation=problem.observation)
    check_positive(**{name: getattr(problem, name) for name in _POSITIVE})
    check_bool(overlap=problem.overlap, battery_factor=problem.battery_factor)
    check_not_negative(beta=problem.beta, deadline_penalty=problem.deadline_penalty)
    check_positive_range(deadline_factor=problem.deadline_factor, battery=problem.battery)
    _check_bounds(problem)
    check_callable(v2i_rate=problem.v2i_rate)
    check_takes(*RATE_ARGUMENTS, keywords=RATE_KEYWORDS, v2i_rate=problem.v2i_rate)


def _check_sizes(problem: TaskDiversion) -> None:
    slots, clients, rsus = problem.episode_slots, problem.num_client_vehicles, problem.num_rsus
    check_at_most(MOST_VEHICLES, num_client_vehicles=clients, num_rsus=rsus)
    check_at_most(MOST_SLOTS, episode_slots=slots, broadcast_slots=problem.broadcast_slots)
    check_product(episode_slots=slots, num_client_vehicles=clients, num_rsus=rsus)


def _check_bounds(problem: TaskDiversion) -> None:
    """Checks the options whose bounds depend on other options, and the battery levels."""
    if problem.battery[1] > 1.0 or problem.battery_floor > 1.0:
        raise ValueError(
            "battery levels must be in (0, 1], "
            f"got battery={tuple(problem.battery)} and battery_floor={problem.battery_floor}"
        )
    if not problem.min_ghz < min(problem.vehicle_ghz, problem.rsu_ghz):
        raise ValueError(
            f"min_ghz={problem.min_ghz} must be below vehicle_ghz and rsu_ghz, "
            f"got vehicle_ghz={problem.vehicle_ghz} and rsu_ghz={problem.rsu_ghz}"
        )
    if problem.release_rate_hz * problem.slot_s > 1.0:
        raise ValueError(
            f"release_rate_hz={problem.release_rate_hz} must be at most 1 / slot_s = {1.0 / problem.slot_s:g}: "
            "a vehicle releases at most one task a slot"
        )
