"""Checks of the options of `MobileInference`: each names the option, the value given and what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vec_envs.physics.channel import EFFICIENCY_KEYWORDS, check_carrier
from vec_envs.problems.mobile_inference.objective import REWARDS
from vec_envs.problems.mobile_inference.observation import OBSERVATIONS
from vec_envs.validation import (
    MOST_SLOTS,
    MOST_VEHICLES,
    check_at_most,
    check_bool,
    check_callable,
    check_decibels,
    check_integer,
    check_name_or_function,
    check_not_negative,
    check_one_of,
    check_positive,
    check_positive_range,
    check_product,
    check_takes,
)

if TYPE_CHECKING:
    from vec_envs.problems.mobile_inference.problem import MobileInference

COUNTS = ("num_rsus", "num_client_vehicles", "frames_per_task", "episode_slots")
"""Options that are integers of at least 1."""
RANGES = ("client_ghz", "service_ghz")
"""Options that are pairs of a lower and an upper bound."""
POSITIVE = (
    "rsu_spacing_m",
    "slot_s",
    "arrival_rate_hz",
    "deadline_s",
    "rsu_ghz",
    "rsu_bandwidth_mhz",
    "v2v_bandwidth_mhz",
    "carrier_ghz",
    "backhaul_mbps",
    "kappa_j_per_gcycle_ghz2",
    "energy_budget_w",
    "lyapunov_v",
)
NOT_NEGATIVE = ("hop_s", "miss_penalty_s", "transmit_power_w")


def check_options(problem: MobileInference) -> None:
    """Checks every option but the names of the DNNs.

    Raises:
        ValueError: An option is wrong; the message gives its value and what is allowed.
    """
    check_integer(1, **{name: getattr(problem, name) for name in COUNTS})
    check_integer(0, num_service_vehicles=problem.num_service_vehicles)
    check_positive(**{name: getattr(problem, name) for name in POSITIVE})
    check_not_negative(**{name: getattr(problem, name) for name in NOT_NEGATIVE})
    check_positive_range(**{name: getattr(problem, name) for name in RANGES})
    check_decibels(transmit_power_dbm=problem.transmit_power_dbm, noise_figure_db=problem.noise_figure_db)
    check_bool(shadowing=problem.shadowing)
    check_callable(efficiency=problem.efficiency)
    check_takes("distance_m", "z1", "z2", keywords=EFFICIENCY_KEYWORDS, efficiency=problem.efficiency)
    check_one_of(OBSERVATIONS, observation=problem.observation)
    check_name_or_function(REWARDS, "terms", reward=problem.reward)
    _check_sizes(problem)
    _check_times(problem)
    check_carrier(carrier_ghz=problem.carrier_ghz)
    _check_data(problem)


def _check_sizes(problem: MobileInference) -> None:
    clients, services = problem.num_client_vehicles, problem.num_service_vehicles
    check_at_most(MOST_VEHICLES, num_rsus=problem.num_rsus, num_client_vehicles=clients, num_service_vehicles=services)
    check_at_most(MOST_SLOTS, episode_slots=problem.episode_slots)
    nodes = problem.num_rsus + services
    check_product(episode_slots=problem.episode_slots, num_client_vehicles=clients, nodes=nodes)
    cuts = max(profile.num_layers for profile in problem.profiles) + 1
    check_product(num_client_vehicles=clients, nodes=nodes, cuts=cuts)


def _check_times(problem: MobileInference) -> None:
    """Checks the options whose bounds depend on the length of a slot."""
    slots = problem.deadline_s / problem.slot_s
    if abs(slots - round(slots)) > 1e-9 * max(slots, 1.0) or slots < 0.5:
        raise ValueError(
            f"deadline_s must be a whole number of slots of slot_s={problem.slot_s:g}, got {problem.deadline_s!r}"
        )
    if problem.arrival_rate_hz * problem.slot_s > 1.0:
        raise ValueError(
            f"arrival_rate_hz must be at most 1 / slot_s = {1.0 / problem.slot_s:g}, got {problem.arrival_rate_hz!r}: "
            "at most one task a slot arrives at a client"
        )


def _check_data(problem: MobileInference) -> None:
    for profile in problem.profiles:
        for cut, mbit in enumerate(profile.cut_mbit[:-1].tolist()):
            if not mbit > 0.0:
                raise ValueError(
                    f"dnns must send data at every cut but the last one, got {mbit:g} Mbit at cut {cut} of "
                    f"{profile.name!r}: give the layer before the cut an output"
                )
