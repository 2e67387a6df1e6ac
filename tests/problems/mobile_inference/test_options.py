"""Options that are wrong are refused in one clear sentence; unusual ones that make sense work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.made_up import SHORT, profile
from tests.problems.mobile_inference.street_slots import random_exogenous
from vec_envs.problems.mobile_inference import MobileInference

SILENT = profile("silent", (1.0, 2.0), (4.0, 0.0, 0.1))
MANY = profile("many", (1.0,) * 9_000, (1.0,) * 9_001)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_rsus": 0}, "num_rsus must be an integer of at least 1, got 0"),
        ({"num_rsus": 2.0}, "num_rsus must be an integer of at least 1, got 2.0"),
        ({"num_service_vehicles": -1}, "num_service_vehicles must be an integer of at least 0, got -1"),
        ({"deadline_s": 10.2}, "deadline_s must be a whole number of slots of slot_s=0.5, got 10.2"),
        ({"deadline_s": 0.1}, "deadline_s must be a whole number of slots of slot_s=0.5, got 0.1"),
        ({"arrival_rate_hz": 2.1}, "arrival_rate_hz must be at most 1 / slot_s = 2, got 2.1"),
        ({"dnns": (SILENT,)}, "dnns must send data at every cut but the last one, got 0 Mbit at cut 1 of 'silent'"),
        ({"dnns": (MANY,), "num_client_vehicles": 5000}, "clients x nodes|x cuts must be at most 100000000, got"),
        ({"client_ghz": (2.0, 1.0)}, "client_ghz must be a range"),
        ({"carrier_ghz": 0.1}, "carrier_ghz must be a number from 0.5 to 100, for which 3GPP"),
        ({"reward": "drift_bound"}, "reward must be one of 'drift', 'delay', got 'drift_bound'"),
        ({"observation": "paper"}, "observation must be 'local', got 'paper'"),
        ({"efficiency": 3}, "efficiency must be a function, got 3"),
        ({"shadowing": 1}, "shadowing must be True or False, got 1"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MobileInference(**options)


@pytest.mark.parametrize("slot_s", [0.1, 0.3, 1.0 / 3.0, 0.7])
def test_a_deadline_of_whole_slots_is_accepted_as_floats_give_it(slot_s: float) -> None:
    assert MobileInference(slot_s=slot_s, deadline_s=30 * slot_s).deadline_s == 30 * slot_s


@pytest.mark.parametrize("sizes", [(1, 0), (1, 2), (3, 0)])
def test_one_unit_and_no_service_vehicles_work(sizes: tuple[int, int]) -> None:
    units, services = sizes
    problem = MobileInference(dnns=(SHORT,), num_rsus=units, num_service_vehicles=services, num_client_vehicles=2)
    rng = np.random.default_rng(0)
    state, done = problem.initial_state((4,)), 0
    for _ in range(12):
        now = random_exogenous(problem, rng, (4,), leaving=0.0)
        mask = problem.action_mask(state, now)
        assert mask.shape == (4, 2, 1 + 3 * (units + services))
        action = mask.shape[-1] - 1 - mask[..., ::-1].argmax(axis=-1)
        observation = problem.observe(state, now)
        assert observation.shape == (4, 2, problem.observation_size)
        assert problem.global_state(state, now).shape == (4, problem.global_state_size)
        state, outcome = problem.transition(state, action, now)
        done += int(outcome.done.sum())
    assert done > 0


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(ValueError, match="objective must be one of 'drift', 'delay', got 'x'"):
        MobileInference().objective("x")
