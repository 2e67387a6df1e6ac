"""The cost of a single task, and the arguments that are refused."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.made_up import assert_same
from tests.problems.task_diversion.one_task import INF, PROBLEM
from vec_envs.problems.task_diversion.problem import TaskOutcome
from vec_envs.records import map_arrays

TASK: dict[str, Any] = {
    "dnn": 0, "cut": 1, "vehicle_ghz": 2.0, "rsu_ghz": 4.0, "rate_mbps": 8.0, "queue_s": 0.0, "battery": 0.5
}  # fmt: skip
common = settings(max_examples=40)


def test_a_task_matches_hand_computed_values() -> None:
    outcome = PROBLEM.task_outcome(**TASK)
    assert outcome.local_s == 0.5
    assert outcome.transmit_s == 0.25
    assert outcome.start_s == 0.75
    assert outcome.rsu_service_s == 0.75
    assert outcome.time_s == 1.5
    assert outcome.vehicle_energy_j == pytest.approx(10.0 * 1.0 * 2.0**2 + 0.25 * 0.2)
    assert outcome.rsu_energy_j == pytest.approx(10.0 * 3.0 * 4.0**2)
    assert outcome.energy_j == pytest.approx(2.0 * 40.05 + 480.0)
    assert outcome.cost == pytest.approx(1.5 + 1e-3 * 560.1)
    assert not outcome.missed


def test_a_queue_delays_the_part_of_it_that_the_vehicles_own_work_does_not_hide() -> None:
    waits = PROBLEM.task_outcome(**TASK | {"queue_s": np.array([0.0, 0.75, 2.0])})
    assert waits.start_s.tolist() == [0.75, 0.75, 2.0]
    assert waits.time_s.tolist() == [1.5, 1.5, 2.75]
    assert waits.energy_j.tolist() == [waits.energy_j[0]] * 3


@pytest.mark.parametrize(("deadline_s", "missed"), [(1.499, True), (1.5, False), (1.501, False), (INF, False)])
def test_a_deadline_is_missed_by_what_takes_longer(deadline_s: float, missed: bool) -> None:
    assert PROBLEM.task_outcome(**TASK, deadline_s=deadline_s).missed == missed


def test_all_local_costs_its_own_time_and_energy_alone() -> None:
    here = {"dnn": 0, "cut": 2, "vehicle_ghz": 2.0, "battery": 0.5}
    outcome = PROBLEM.task_outcome(**here, rsu_ghz=4.0, rate_mbps=8.0, queue_s=0.0)
    assert (outcome.time_s, outcome.energy_j) == (2.0, pytest.approx(2.0 * 10.0 * 4.0 * 4.0))
    assert outcome.transmit_s == outcome.rsu_service_s == outcome.rsu_energy_j == 0.0
    for rsu_ghz, rate_mbps, queue_s in (
        (0.0, 8.0, 0.0),
        (0.1, 8.0, 0.0),
        (4.0, 0.0, 0.0),
        (4.0, 1e9, 0.0),
        (4.0, 8.0, 1e6),
    ):
        assert_same(PROBLEM.task_outcome(**here, rsu_ghz=rsu_ghz, rate_mbps=rate_mbps, queue_s=queue_s), outcome)


def test_the_battery_weighs_the_vehicles_energy_and_not_the_units() -> None:
    battery = np.array([1.0, 0.5, 1.0 / 3.0, 0.05])
    weighted = PROBLEM.task_outcome(**TASK | {"battery": battery})
    np.testing.assert_allclose(weighted.energy_j - weighted.rsu_energy_j, 40.05 * np.array([1.0, 2.0, 3.0, 3.0]))
    plain = replace(PROBLEM, battery_factor=False).task_outcome(**TASK | {"battery": battery})
    np.testing.assert_allclose(plain.energy_j, 520.05)
    np.testing.assert_array_equal(plain.vehicle_energy_j, weighted.vehicle_energy_j)


def random_tasks(seed: int, shape: tuple[int, ...]) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    dnn = rng.integers(0, 2, shape)
    return {
        "dnn": dnn,
        "cut": rng.integers(0, PROBLEM.num_layers[dnn] + 1),
        "vehicle_ghz": rng.uniform(0.5, 3.0, shape),
        "rsu_ghz": rng.uniform(0.5, 7.0, shape),
        "rate_mbps": rng.uniform(1.0, 200.0, shape),
        "queue_s": rng.exponential(2.0, shape) * (rng.random(shape) > 0.3),
        "battery": rng.uniform(0.01, 1.0, shape),
        "deadline_s": rng.uniform(0.1, 10.0, shape),
    }


@common
@given(st.integers(0, 2**32 - 1))
def test_a_batch_of_tasks_equals_single_tasks(seed: int) -> None:
    tasks = random_tasks(seed, (2, 3))
    together = PROBLEM.task_outcome(**tasks)
    for place in np.ndindex(2, 3):
        alone = PROBLEM.task_outcome(**{name: values[place].item() for name, values in tasks.items()})
        assert_same(alone, map_arrays(lambda a, at=place: np.asarray(a[at]), together))


def test_arguments_broadcast_in_the_common_shape() -> None:
    given = TASK | {"cut": np.array([[0], [1], [2]]), "queue_s": np.linspace(0.0, 3.0, 5), "battery": 1, "rsu_ghz": 4}
    outcome = PROBLEM.task_outcome(**given)
    for f in fields(TaskOutcome):
        assert getattr(outcome, f.name).shape == (3, 5), f.name
    row = PROBLEM.task_outcome(**given | {"cut": 1})
    assert_same(row, map_arrays(lambda a: a[1], outcome))


def test_single_numbers_give_arrays_without_axes_and_integers_are_numbers() -> None:
    outcome = PROBLEM.task_outcome(dnn="short", cut=1, vehicle_ghz=2, rsu_ghz=4, rate_mbps=8, queue_s=0, battery=1)
    assert all(getattr(outcome, f.name).shape == () for f in fields(TaskOutcome))
    assert outcome.time_s == 1.5


@common
@given(st.integers(0, 2**32 - 1), st.floats(1.0, 10.0))
def test_a_faster_link_or_unit_never_takes_longer_and_a_longer_queue_never_less(seed: int, factor: float) -> None:
    tasks = random_tasks(seed, (20,))
    time_s = PROBLEM.task_outcome(**tasks).time_s
    for name, sign in (("rate_mbps", -1), ("rsu_ghz", -1), ("vehicle_ghz", -1), ("queue_s", 1)):
        other = PROBLEM.task_outcome(**tasks | {name: tasks[name] * factor}).time_s
        assert (sign * (other - time_s) >= -1e-12).all(), name


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cut": 3}, r"cut=.* must be integers from 0 to the DNN's layers"),
        ({"cut": -1}, "cut=.* must be integers"),
        ({"cut": 1.0}, "cut=.* must be integers"),
        ({"dnn": 2}, "dnn=.* must be integers from 0 to 1"),
        ({"dnn": -1}, "dnn=.* must be integers from 0 to 1"),
        ({"dnn": 0.0}, "dnn=.* must be integers from 0 to 1"),
        ({"dnn": "lenet"}, "dnn must be one of 'short', 'long', got 'lenet'"),
        ({"dnn": np.array([0, 1, 0]), "cut": 3}, "cut="),
        *(({"vehicle_ghz": v}, f"vehicle_ghz={v} must be finite and above 0") for v in (0.0, -1.0, np.nan, INF)),
        *(({"rsu_ghz": v}, f"rsu_ghz={v} must be finite and above 0") for v in (0.0, -1.0, np.nan, INF)),
        *(({"queue_s": v}, f"queue_s={v} must be finite and at least 0") for v in (-0.1, np.nan, INF)),
        *(({"battery": v}, rf"battery={v} must be in \(0, 1\]") for v in (0.0, -0.5, 1.001, np.nan)),
        *(({"deadline_s": v}, f"deadline_s={v} must be above 0") for v in (0.0, -1.0, np.nan)),
        *(({"rate_mbps": v}, f"rate_mbps={v} must be above 0 where something is sent") for v in (0.0, -1.0, np.nan)),
        ({"cut": np.array([2, 1]), "rate_mbps": 0.0}, "rate_mbps=0.0 must be above 0"),
    ],
    ids=str,
)
def test_a_task_that_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PROBLEM.task_outcome(**TASK | wrong)
