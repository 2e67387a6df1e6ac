"""Checks of the options of `DNNPartition`: each names the option, the value given and what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vec_envs.problems.dnn_partition.dynamics import ALLOCATIONS
from vec_envs.problems.dnn_partition.objective import REWARDS
from vec_envs.problems.dnn_partition.observation import OBSERVATIONS
from vec_envs.problems.dnn_partition.radio import check_radio
from vec_envs.validation import (
    MOST_SLOTS,
    MOST_VEHICLES,
    check_at_most,
    check_bool,
    check_integer,
    check_name_or_function,
    check_one_of,
    check_positive,
    check_positive_range,
    check_product,
    shown,
)

if TYPE_CHECKING:
    from vec_envs.problems.dnn_partition.problem import DNNPartition

COUNTS = ("num_client_vehicles", "num_service_vehicles", "episode_slots")
"""Options that are integers."""
RANGES = ("client_ghz", "service_ghz")
"""Options that are pairs of a lower and an upper bound."""


def check_options(problem: DNNPartition) -> None:
    """Checks all options but `dnns`, `workload` and `processors`.

    Raises:
        ValueError: An option is wrong; the message gives its value and what is allowed.
    """
    check_integer(1, num_client_vehicles=problem.num_client_vehicles, episode_slots=problem.episode_slots)
    check_integer(0, num_service_vehicles=problem.num_service_vehicles)
    _check_sizes(problem)
    if problem.dnn_of_client is not None:
        _check_types(problem.dnn_of_client, problem)
    check_name_or_function(REWARDS, "terms", reward=problem.reward)
    check_one_of(ALLOCATIONS, allocation=problem.allocation)
    check_one_of(OBSERVATIONS, observation=problem.observation)
    check_positive(lyapunov_v=problem.lyapunov_v, slot_s=problem.slot_s, rsu_ghz=problem.rsu_ghz)
    check_positive_range(**{name: getattr(problem, name) for name in RANGES})
    check_bool(shared_band=problem.shared_band)
    check_radio(problem)


def _check_sizes(problem: DNNPartition) -> None:
    clients, services, slots = problem.num_client_vehicles, problem.num_service_vehicles, problem.episode_slots
    check_at_most(MOST_VEHICLES, num_client_vehicles=clients, num_service_vehicles=services)
    check_at_most(MOST_SLOTS, episode_slots=slots)
    check_product(episode_slots=slots, num_client_vehicles=clients, nodes=services + 1)


def _check_types(given: Any, problem: DNNPartition) -> None:
    """Checks the indices of the clients' DNN types."""
    if not np.iterable(given) or not all(isinstance(k, int | np.integer) for k in given):
        raise ValueError(f"dnn_of_client={shown(given)} must be a list of integers, one for each client")
    types = tuple(int(k) for k in given)
    if len(types) != problem.num_client_vehicles:
        raise ValueError(
            f"dnn_of_client must have one entry for each client, got {len(types)} entries "
            f"for num_client_vehicles={problem.num_client_vehicles}"
        )
    if any(not 0 <= k < len(problem.dnns) for k in types):
        raise ValueError(f"dnn_of_client={shown(types)} must index dnns, from 0 to {len(problem.dnns) - 1}")
