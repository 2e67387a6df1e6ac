"""Every field of every problem refuses what is of another kind, in words that name it."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest

from vec_envs.problems.cooperative_inference import CooperativeInference
from vec_envs.problems.dnn_partition import DNNPartition
from vec_envs.problems.task_diversion import TaskDiversion

PROBLEMS: tuple[type[Any], ...] = (DNNPartition, TaskDiversion, CooperativeInference)
WRONG = (None, math.nan, "x", [[1]], {}, -1j, object(), True)
SOUND = {("dnn_of_client", None), ("overlap", True), ("battery_factor", True)}


@pytest.mark.parametrize(
    ("problem", "name"), [(problem, field.name) for problem in PROBLEMS for field in fields(problem)]
)
def test_what_is_of_another_kind_is_refused_by_name(problem: type[Any], name: str) -> None:
    for value in WRONG:
        if any(name == field and value is sound for field, sound in SOUND):
            problem(**{name: value})
            continue
        with pytest.raises(ValueError, match=name):
            problem(**{name: value})
