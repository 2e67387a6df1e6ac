"""Options that would take more memory than a machine has are refused when the problem is made."""

from __future__ import annotations

from typing import Any

import pytest

from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.mobility import StillMobility, SumoMobility
from vec_envs.problems.cooperative_inference import CooperativeInference
from vec_envs.problems.dnn_partition import DNNPartition
from vec_envs.problems.mobile_inference import MobileInference
from vec_envs.problems.task_diversion import TaskDiversion
from vec_envs.validation import MOST_NUMBERS, check_at_most, check_positive, check_product

PROBLEMS: dict[str, Any] = {
    "dnn_partition": DNNPartition,
    "task_diversion": TaskDiversion,
    "cooperative_inference": CooperativeInference,
    "mobile_inference": MobileInference,
}


@pytest.mark.parametrize(
    ("name", "option", "largest", "others"),
    [
        ("dnn_partition", "num_client_vehicles", 10_000, {"num_service_vehicles": 0, "episode_slots": 1}),
        ("dnn_partition", "num_service_vehicles", 10_000, {"episode_slots": 1}),
        ("dnn_partition", "episode_slots", 100_000, {}),
        ("task_diversion", "num_client_vehicles", 10_000, {"episode_slots": 10}),
        ("task_diversion", "num_rsus", 10_000, {}),
        ("task_diversion", "episode_slots", 100_000, {}),
        ("task_diversion", "broadcast_slots", 100_000, {}),
        ("cooperative_inference", "episode_slots", 100_000, {}),
        ("mobile_inference", "num_client_vehicles", 10_000, {"episode_slots": 1}),
        ("mobile_inference", "num_service_vehicles", 10_000, {"episode_slots": 1}),
        ("mobile_inference", "num_rsus", 10_000, {"episode_slots": 1}),
        ("mobile_inference", "episode_slots", 100_000, {}),
    ],
)
def test_a_size_has_a_bound(name: str, option: str, largest: int, others: dict[str, Any]) -> None:
    assert getattr(PROBLEMS[name](**{option: largest}, **others), option) == largest
    for value in (largest + 1, 10**9, 10**400):
        with pytest.raises(ValueError, match=f"{option} must be at most {largest}, got {str(value)[:200]}"):
            PROBLEMS[name](**{option: value}, **others)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("dnn_partition", {"num_client_vehicles": 10**4, "episode_slots": 10**4}, "slots x num_client_vehicles x"),
        ("task_diversion", {"num_client_vehicles": 10**4, "episode_slots": 10**4}, "slots x num_client_vehicles x"),
        ("mobile_inference", {"num_rsus": 10**4, "num_client_vehicles": 10**4}, "num_client_vehicles x nodes must"),
        ("cooperative_inference", {"dnn_of_device": [0] * 10**4, "episode_slots": 10**5}, "episode_slots x devices"),
        ("cooperative_inference", {"dnn_of_device": [0] * 10**5}, "the length of dnn_of_device must be at most 10000"),
        ("cooperative_inference", {"arrival_profile_hz": [1.0] * 10**6}, "the length of arrival_profile_hz must be at"),
        *((name, {"dnns": ["alexnet"] * 101}, "the length of dnns must be at most 100, got 101") for name in PROBLEMS),
    ],
)  # fmt: skip
def test_a_product_and_a_list_have_bounds(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PROBLEMS[name](**options)


def test_environments_and_processes_have_bounds() -> None:
    with pytest.raises(ValueError, match="num_envs must be at most 100000, got 1000000000"):
        BatchVectorEnv(DNNPartition(), StillMobility(), num_envs=10**9)
    with pytest.raises(ValueError, match="num_workers must be at most 1000, got 1000000000"):
        SumoMobility(num_workers=10**9)


def test_numbers_beyond_a_float_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="slot_s must be a finite number above 0, got 1000"):
        check_positive(slot_s=10**400)
    check_at_most(3, n=3)
    check_product(a=MOST_NUMBERS, b=1)
    with pytest.raises(ValueError, match=f"a x b must be at most {MOST_NUMBERS}, got {MOST_NUMBERS + 1}"):
        check_product(a=MOST_NUMBERS + 1, b=1)
