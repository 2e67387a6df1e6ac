"""Every field of every problem refuses what is of another kind, in words that name it."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from vec_envs.dnn import DNNProfile
from vec_envs.problems.cooperative_inference.problem import CooperativeInference
from vec_envs.problems.dnn_partition.problem import DNNPartition
from vec_envs.problems.mobile_inference.problem import MobileInference
from vec_envs.problems.task_diversion.problem import TaskDiversion

PROBLEMS: tuple[type[Any], ...] = (DNNPartition, TaskDiversion, CooperativeInference, MobileInference)
WRONG = (None, math.nan, "x", [[1]], {}, -1j, object(), True)
SOUND = {
    *((DNNPartition, name, None) for name in ("dnn_of_client", "noise_figure_db", "v2v_range_m")),
    (DNNPartition, "shared_band", True),
    *((TaskDiversion, name, True) for name in ("overlap", "battery_factor")),
    (MobileInference, "shadowing", True),
}
"""Values that only look wrong, by problem and field."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem", "name"), [(problem, field.name) for problem in PROBLEMS for field in fields(problem)]
)
def test_values_of_a_wrong_type_are_refused_by_name(problem: type[Any], name: str) -> None:
    for value in WRONG:
        if any(problem is of and name == field and value is sound for of, field, sound in SOUND):
            problem(**{name: value})
            continue
        with pytest.raises(ValueError, match=name):
            problem(**{name: value})


@pytest.mark.parametrize("problem", PROBLEMS)
def test_arrays_and_nested_ranges_are_refused_by_name(problem: type[Any]) -> None:
    ranges = {field.name for field in fields(problem) if isinstance(field.default, tuple) and len(field.default) == 2}
    for field in fields(problem):
        if isinstance(field.default, str):
            with pytest.raises(ValueError, match=field.name):
                problem(**{field.name: np.array([1.0, 2.0])})
        elif field.name in ranges & {"client_ghz", "service_ghz", "battery", "deadline_factor", "arrival_rate_hz"}:
            with pytest.raises(ValueError, match=rf"{field.name} must be a range \(low, high\) .*, got "):
                problem(**{field.name: (1, (2, 3))})


def test_a_workload_is_refused_also_where_no_name_needs_it() -> None:
    profile = DNNProfile.load("alexnet")
    for problem in (DNNPartition, TaskDiversion, MobileInference):
        with pytest.raises(ValueError, match=r"workload must be one of 'mad2rl', .*, got 'bogus'"):
            problem(dnns=(profile,), workload="bogus")


@pytest.mark.parametrize(
    ("problem", "name"),
    [(DNNPartition, "transmit_power_dbm"), (DNNPartition, "noise_dbm"), (CooperativeInference, "noise_dbm_per_hz")],
)
def test_too_large_powers_are_refused(problem: type[Any], name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be a finite number from -1000 to 1000, got 100000\.0"):
        problem(**{name: 1e5})
