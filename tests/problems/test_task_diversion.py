"""A task by itself: what it costs, whom it asks, what is seen and decided of it, and what is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vec_envs.dnn import DNNProfile, Layer
from vec_envs.problems.problem import Numbers, TurnProblem
from vec_envs.problems.task_diversion import Exogenous, Outcome, State, TaskDiversion, TaskOutcome
from vec_envs.records import map_arrays

INF = np.inf


def profile(name: str, gflops: tuple[float, ...], mbit: tuple[float, ...]) -> DNNProfile:
    layers = tuple(
        Layer(name=f"layer{n}", gflops=work, gmacs=work / 2, output_mbit=size, parameter_mbyte=0.0)
        for n, (work, size) in enumerate(zip(gflops, mbit[1:], strict=True), start=1)
    )
    return DNNProfile(name=name, input_mbit=mbit[0], layers=layers)


SHORT = profile("short", (1.0, 3.0), (4.0, 2.0, 0.5))
LONG = profile("long", (2.0, 0.0, 5.0), (8.0, 6.0, 3.0, 0.1))
PROBLEM = TaskDiversion(dnns=(SHORT, LONG), num_client_vehicles=3, num_rsus=4)
TASK: dict[str, Any] = {
    "dnn": 0, "cut": 1, "vehicle_ghz": 2.0, "rsu_ghz": 4.0, "rate_mbps": 8.0, "queue_s": 0.0, "battery": 0.5
}  # fmt: skip
common = settings(max_examples=40)


def assert_same(one: Any, other: Any) -> None:
    for f in fields(one):
        a, b = getattr(one, f.name), getattr(other, f.name)
        if f.name == "task":
            assert_same(a, b)
        else:
            np.testing.assert_array_equal(a, b, err_msg=f.name)


# What a task costs ----------------------------------------------------------------------------------------------------


def test_a_task_by_hand() -> None:
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
    for rsu_ghz, rate_mbps, queue_s in ((0.1, 8.0, 0.0), (4.0, 0.0, 0.0), (4.0, 1e9, 0.0), (4.0, 8.0, 1e6)):
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
def test_many_tasks_are_each_of_them(seed: int) -> None:
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
        ({"dnn": "lenet"}, "dnn='lenet' is unknown; there are 'short', 'long'"),
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


# Whom it asks ---------------------------------------------------------------------------------------------------------


def task(lanes: int = 1, **other: Any) -> Exogenous:
    """Returns tasks of seat 0, released at 10 s between two units, but for what is given otherwise."""
    values: dict[str, Any] = {
        "slot": 10, "release_s": 10.0, "seat": 0, "vehicle": 0, "dnn": 0, "deadline_s": 1e9, "battery": 0.5,
        "position_m": 100.0, "speed_mps": -5.0, "unit": [1, 2], "rate_mbps": [8.0, 4.0], "luck": 0.5, "leave_s": INF,
    } | other  # fmt: skip
    wide = {name: np.asarray(value) for name, value in values.items()}
    row = {"unit": (2,), "rate_mbps": (2,)}
    return Exogenous(**{
        name: np.ascontiguousarray(np.broadcast_to(value, (lanes, *row.get(name, ())))) for name, value in wide.items()
    })  # fmt: skip


def with_queues(problem: TaskDiversion, wait_s: list[float], lanes: int = 1) -> State:
    """Returns units that are busy for so long from 10 s on."""
    return replace(problem.initial_state((lanes,)), rsu_free_s=np.tile(10.0 + np.array(wait_s), (lanes, 1)))


@pytest.mark.parametrize(
    ("diversion", "rates", "wait_s", "first"),
    [
        ("probability", [8.0, 4.0], [9.0, 0.0, 0.0, 9.0], 1.0 / 1.5),
        ("probability", [8.0, 4.0], [9.0, 3.5, 1.0, 9.0], 2.0 / 6.0),
        ("probability", [8.0, 0.0], [0.0, 50.0, 0.0, 0.0], 1.0),
        ("probability", [0.0, 4.0], [0.0, 0.0, 50.0, 0.0], 0.0),
        ("shortest", [8.0, 4.0], [9.0, 0.6, 0.0, 9.0], 0.0),
        ("shortest", [8.0, 4.0], [9.0, 0.4, 0.0, 9.0], 1.0),
        ("nearest", [8.0, 4.0], [9.0, 50.0, 0.0, 9.0], 1.0),
    ],
)
def test_the_unit_that_is_asked(diversion: str, rates: list[float], wait_s: list[float], first: float) -> None:
    problem, lanes = replace(PROBLEM, diversion=diversion), 1000
    luck = (np.arange(lanes) + 0.5) / lanes
    request = problem.request(with_queues(problem, wait_s, lanes), task(lanes, rate_mbps=rates, luck=luck))
    assert (request.unit == 1).mean() == pytest.approx(first, abs=1e-3)
    assert set(request.unit.tolist()) <= {1, 2}
    np.testing.assert_array_equal(request.rate_mbps, np.where(request.unit == 1, *rates))
    np.testing.assert_allclose(request.queue_s, np.where(request.unit == 1, *wait_s[1:3]), atol=1e-12)


def test_drawn_luck_asks_the_first_unit_as_often_as_the_papers_probability() -> None:
    lanes = 20_000
    luck = np.random.default_rng(0).random(lanes)
    request = PROBLEM.request(with_queues(PROBLEM, [0.0, 3.5, 1.0, 0.0], lanes), task(lanes, luck=luck))
    expected = float(PROBLEM.request_probabilities(np.array([4.0 / 8.0 + 3.5, 4.0 / 4.0 + 1.0]))[0])
    assert expected == pytest.approx(1.0 / 3.0)
    assert (request.asked == 0).mean() == pytest.approx(expected, abs=4.0 * np.sqrt(expected * (1 - expected) / lanes))


def test_the_largest_tensor_counts_the_raw_input_and_not_the_result() -> None:
    result = profile("result", (1.0, 1.0), (6.0, 2.0, 99.0))
    problem = TaskDiversion(dnns=(result,), diversion="shortest", num_rsus=4)
    for queue_s, unit in ((0.74, 1), (0.76, 2)):  # 6 Mbit take 0.75 s longer to unit 2
        assert problem.request(with_queues(problem, [0.0, queue_s, 0.0, 0.0]), task()).unit == [unit]


def test_out_of_range_there_is_no_unit_no_queue_and_all_is_local() -> None:
    for diversion in ("probability", "shortest", "nearest", "chosen"):
        problem = replace(PROBLEM, diversion=diversion)
        state, exogenous = with_queues(problem, [5.0] * 4), task(rate_mbps=[0.0, 0.0])
        request = problem.request(state, exogenous)
        assert [getattr(request, f.name).tolist() for f in fields(request)] == [[-1], [-1], [0.0], [0.0], [0], [0.5]]
        following, outcome = problem.transition(state, -np.ones((1, 1, problem.actions.size)), exogenous)
        assert (outcome.cut.tolist(), outcome.unit.tolist(), outcome.offloaded.tolist()) == ([2], [-1], [False])
        assert outcome.task.time_s == [4.0 / 0.5]
        np.testing.assert_array_equal(following.rsu_free_s, state.rsu_free_s)


def test_the_request_probabilities_are_those_of_the_diversion() -> None:
    waits = np.array([[1.0, 3.0], [INF, 2.0], [INF, INF]])
    assert PROBLEM.request_probabilities(waits).tolist() == [[0.75, 0.25], [0.0, 1.0], [0.0, 0.0]]
    assert PROBLEM.request_probabilities(np.array([1, 3])).tolist() == [0.75, 0.25]
    with pytest.raises(ValueError, match="at least 0"):
        PROBLEM.request_probabilities(-waits)


@pytest.mark.parametrize(("wish", "unit"), [(-1.0, 1), (-1e-9, 1), (0.0, 2), (1.0, 2)])
def test_a_chosen_unit_is_the_one_the_action_names(wish: float, unit: int) -> None:
    problem = replace(PROBLEM, diversion="chosen")
    action = np.array([[[-1.0, 1.0, 1.0, wish]]])
    state = with_queues(problem, [0.0, 1.0, 2.0, 0.0])
    assert problem.transition(state, action, task())[1].unit == [unit]
    for rates, only in (([8.0, 0.0], 1), ([0.0, 4.0], 2)):
        assert problem.transition(state, action, task(rate_mbps=rates))[1].unit == [only]


# What is decided ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 1), st.integers(0, 3), st.floats(0.5, 3.0), st.floats(0.5, 7.0), st.integers(0, 1), st.booleans())
def test_what_is_encoded_is_decoded(
    dnn: int, cut: int, vehicle_ghz: float, rsu_ghz: float, second: int, chosen: bool
) -> None:
    problem = replace(PROBLEM, diversion="chosen" if chosen else "probability")
    cut = min(cut, int(problem.num_layers[dnn]))
    action = problem.action.encode(dnn=dnn, cut=cut, vehicle_ghz=vehicle_ghz, rsu_ghz=rsu_ghz, second=second)
    assert action.shape == (3 + chosen,)
    for kind in (np.float64, np.float32):
        given = action.astype(kind)
        assert (np.abs(given) <= 1.0).all()
        decoded = problem.action.decode(given[None], np.array([dnn]))
        assert decoded[0] == [cut]
        assert decoded[1:] == (pytest.approx([vehicle_ghz], rel=1e-6), pytest.approx([rsu_ghz], rel=1e-6))
    assert not chosen or (action[3] >= 0.0) == second


def test_the_cut_is_the_nearest_and_its_range_affine() -> None:
    numbers = np.zeros((7, 3))
    numbers[:, 0] = [-1.0, -0.67, -0.66, 0.1, 0.66, 0.67, 1.0]  # thirds of [-1, 1] are 2/3 wide
    assert PROBLEM.action.decode(numbers, np.ones(7, dtype=int))[0].tolist() == [0, 0, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, np.int8])
def test_the_borders_of_the_action_are_the_borders_of_what_is_decided(kind: type) -> None:
    state = PROBLEM.initial_state((1,))
    low, high = (PROBLEM.transition(state, np.full((1, 1, 3), n, dtype=kind), task())[1] for n in (-1, 1))
    assert (low.cut, low.vehicle_ghz, low.rsu_ghz) == ([0], [0.5], [0.5])
    assert (high.cut, high.vehicle_ghz, high.rsu_ghz) == ([2], [3.0], [7.0])


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.zeros((1, 1, 4)), r"3 numbers in one row, got shape \(1, 1, 4\)"),
        (np.array([[[0.0, np.nan, 0.0]]]), r"number 1 of the action, nan, is outside \[-1, 1\]"),
        (np.array([[[0.0, 0.0, 1.0001]]]), r"number 2 of the action, 1.0001, is outside \[-1, 1\]"),
        (np.array([[[-INF, 0.0, 0.0]]]), r"number 0 of the action, -inf, is outside"),
        (np.array([[[-2, 0, 0]]]), r"number 0 of the action, -2, is outside"),
        (np.zeros((1, 1, 3), dtype=bool), "actions are numbers, got dtype bool"),
        (np.zeros((1, 1, 3), dtype=complex), "actions are numbers, got dtype complex"),
    ],
    ids=str,
)
def test_a_wrong_action_is_refused(action: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PROBLEM.transition(PROBLEM.initial_state((1,)), action, task())


# What is seen ---------------------------------------------------------------------------------------------------------


def seen(problem: TaskDiversion, state: State, exogenous: Exogenous) -> list[float]:
    observation = problem.observe(state, exogenous)
    assert observation.shape == (1, 1, problem.observation_size)
    assert observation.dtype == np.float32
    return observation[0, 0].tolist()


BASIC = [0.1, -0.25, 1.0, 0.0, 0.5, 0.5, 0.3, 0.7]
EXTENDED = replace(PROBLEM, observation="extended")


def saves_s() -> float:
    """Returns what 4 Gcycles cost less at an idle unit than at a vehicle whose battery is at a half."""
    own_ghz, unit_ghz = np.linspace(0.5, 3.0, 100_001), np.linspace(0.5, 7.0, 100_001)
    own_s, unit_s = (1.0 / ghz + weight * 0.01 * ghz**2 for ghz, weight in ((own_ghz, 2.0), (unit_ghz, 1.0)))
    return 4.0 * float(own_s.min() - unit_s.min())


def test_every_feature_in_its_scale() -> None:
    state = with_queues(PROBLEM, [9.0, 2.0, 1.0, 9.0])
    state.task_end_s[0, 1, -3:] = [10.0, 11.0, 12.0]
    of_unit = [1.0, 8.0 / 200.0, 0.2, 2.0 / 4.0]
    assert seen(PROBLEM, state, task(luck=0.0, deadline_s=5.0)) == pytest.approx([*BASIC, *of_unit])
    more_of_unit = [2.0 * 3.0 / 4.0, (saves_s() - 2.0 - 4.0 / 8.0) / 2.0, 1.0]
    more_of_task = [0.4, 0.4, 2.0, saves_s() / 2.0, 0.2, 0.1, 1.0]
    extended = seen(EXTENDED, state, task(luck=0.0, deadline_s=5.0))
    assert extended == pytest.approx([*BASIC, *of_unit, *more_of_unit, *more_of_task])
    of_unit = [1.0, 4.0 / 200.0, 0.1, 0.0]
    assert seen(PROBLEM, state, task(luck=0.99, deadline_s=5.0)) == pytest.approx([*BASIC, *of_unit])


def test_the_share_of_the_work_that_is_done_while_waiting_is_bounded() -> None:
    for wait_s, share in ((0.0, 0.0), (1.0, 0.75), (8.0 / 3.0, 2.0), (1e4, 2.0)):
        observed = seen(EXTENDED, with_queues(PROBLEM, [9.0, wait_s, 1e4, 9.0]), task(luck=0.0))
        assert observed[8 + 4] == pytest.approx(share)


def test_the_layers_that_are_run_and_sent_while_waiting() -> None:
    # The first layer takes 1/3 s and its result 2/8 s to send; both take 4/3 s, and nothing is sent.
    for wait_s, layers in ((0.0, 0.0), (0.58, 0.0), (0.59, 0.5), (1.32, 0.5), (1.34, 1.0), (1e4, 1.0)):
        observed = seen(EXTENDED, with_queues(PROBLEM, [9.0, wait_s, 1e4, 9.0]), task(luck=0.0))
        assert observed[8 + 6] == layers


def test_both_units_are_seen_where_one_is_chosen() -> None:
    problem = replace(PROBLEM, diversion="chosen", observation="paper")
    state, both = with_queues(problem, [9.0, 2.0, 1.0, 9.0]), task(deadline_s=5.0)
    assert seen(problem, state, both) == pytest.approx([*BASIC, 1.0, 0.04, 0.2, 0.0, 1.0, 0.02, 0.1, 0.0])
    lone = task(deadline_s=5.0, rate_mbps=[8.0, 0.0])
    assert seen(problem, state, lone) == pytest.approx([*BASIC, 1.0, 0.04, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0])


def test_units_out_of_range_are_seen_as_zeros() -> None:
    state = with_queues(PROBLEM, [9.0, 2.0, 1.0, 9.0])
    nothing = seen(EXTENDED, state, task(rate_mbps=[0.0, 0.0], deadline_s=5.0))
    assert nothing == pytest.approx([*BASIC, *[0.0] * 7, 0.4, 0.4, 2.0, saves_s() / 2.0, 0.0, 0.0, 0.0])
    lone = seen(EXTENDED, state, task(rate_mbps=[8.0, 0.0], deadline_s=5.0))
    assert lone[8:12] == pytest.approx([1.0, 0.04, 0.2, 0.0])
    assert lone[15:] == pytest.approx([0.4, 0.4, 2.0, saves_s() / 2.0, 0.2, 0.0, 0.0])


@pytest.mark.parametrize("diversion", ["probability", "chosen"])
@pytest.mark.parametrize("observation", ["paper", "extended"])
@pytest.mark.parametrize("dnns", [(SHORT,), (SHORT, LONG), (SHORT, LONG, SHORT)])
def test_the_size_of_an_observation(diversion: str, observation: str, dnns: tuple[DNNProfile, ...]) -> None:
    problem = TaskDiversion(dnns=dnns, diversion=diversion, observation=observation)
    units = 2 if diversion == "chosen" else 1
    of_task, of_unit = {"paper": (6, 4), "extended": (13, 7)}[observation]
    assert problem.observation_size == of_task + len(dnns) + of_unit * units
    for dnn in range(len(dnns)):
        observed = problem.observe(problem.initial_state((1,)), task(dnn=dnn))
        assert observed.shape == (1, 1, problem.observation_size)
        assert problem.features.dnn_of(observed[:, 0]) == [dnn]


def test_the_battery_is_the_one_the_vehicle_brings_until_its_seat_knows_it() -> None:
    state = replace(PROBLEM.initial_state((1,)), holder=np.array([[7, 3, -1]]), battery=np.array([[0.9, 0.8, 0.7]]))
    for seat, vehicle, level in ((0, 7, 0.9), (0, 8, 0.5), (1, 3, 0.8), (1, 7, 0.5), (2, 0, 0.5)):
        exogenous = task(seat=seat, vehicle=vehicle)
        assert PROBLEM.request(state, exogenous).battery == [level]
        assert PROBLEM.transition(state, np.zeros((1, 1, 3)), exogenous)[1].battery == [level]


# A transition ---------------------------------------------------------------------------------------------------------


def test_leaving_before_the_result_fails_only_what_is_offloaded_and_only_where_said() -> None:
    offloads, local = PROBLEM.action.encode(dnn=0, cut=np.array([0, 2]), vehicle_ghz=1.0, rsu_ghz=1.0)[:, None, None]
    for on_leaving in ("finish", "fail"):
        problem = replace(PROBLEM, on_leaving=on_leaving, diversion="nearest", deadline_penalty=3.0)
        for action, leave_s, lost in (
            (offloads, 14.4, True), (offloads, 14.5, False), (offloads, INF, False), (local, 10.1, False)
        ):  # fmt: skip
            state = problem.initial_state((1,))
            following, outcome = problem.transition(state, action, task(leave_s=leave_s))
            assert outcome.failed == [lost and on_leaving == "fail"]
            assert outcome.reward == pytest.approx(-outcome.task.cost - 3.0 * outcome.failed)
            stays = problem.transition(state, action, task())[0]
            assert_same(following, stays)


def test_a_penalty_is_taken_once_and_is_not_part_of_the_cost() -> None:
    problem = replace(PROBLEM, on_leaving="fail", deadline_penalty=2.5)
    action = problem.action.encode(dnn=np.array([[0]]), cut=0, vehicle_ghz=1.0, rsu_ghz=1.0)
    fine, late = (problem.transition(problem.initial_state((1,)), action, task(deadline_s=d))[1] for d in (99.0, 0.1))
    gone = problem.transition(problem.initial_state((1,)), action, task(deadline_s=0.1, leave_s=11.0))[1]
    assert late.task.missed.all()
    assert gone.failed.all()
    assert fine.reward == -fine.task.cost
    assert fine.task.cost == late.task.cost == gone.task.cost
    assert late.reward == gone.reward == fine.reward - 2.5


@common
@given(st.integers(0, 2**32 - 1))
def test_the_excess_and_the_cost_differ_by_what_no_decision_changes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state, exogenous, _ = random_point(rng, 6)
    excess = replace(PROBLEM, reward="excess")
    for action in rng.uniform(-1.0, 1.0, (3, 6, 1, 3)):
        (following, plain), (same, outcome) = (p.transition(state, action, exogenous) for p in (PROBLEM, excess))
        assert_same(following, same)
        assert_same(plain.task, outcome.task)
        alone, idle = (
            PROBLEM.task_outcome(
                dnn=exogenous.dnn[:, None], cut=cut, vehicle_ghz=np.linspace(0.5, 3.0, 5001),
                rsu_ghz=np.linspace(0.5, 7.0, 5001), rate_mbps=1e12, queue_s=0.0, battery=exogenous.battery[:, None],
            ).cost.min(axis=1)
            for cut in (PROBLEM.num_layers[exogenous.dnn][:, None], 0)
        )  # fmt: skip
        np.testing.assert_allclose(outcome.reward - plain.reward, np.minimum(alone, idle), rtol=1e-6)


@common
@given(st.integers(0, 2**32 - 1))
def test_lanes_do_not_touch_each_other_in_any_number_of_axes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state, exogenous, action = random_point(rng, 6)
    shaped = [map_arrays(lambda a: a.reshape((2, 3, *a.shape[1:])), record) for record in (state, exogenous)]
    following, outcome = PROBLEM.transition(state, action, exogenous)
    deep, deep_outcome = PROBLEM.transition(shaped[0], action.reshape(2, 3, 1, 3), shaped[1])
    np.testing.assert_array_equal(
        PROBLEM.observe(shaped[0], shaped[1]).reshape(6, -1), PROBLEM.observe(state, exogenous)[:, 0]
    )
    assert_same(map_arrays(lambda a: a.reshape((6, *a.shape[2:])), deep), following)
    for lane in range(6):
        alone = [map_arrays(lambda a, b=lane: a[b : b + 1], record) for record in (state, exogenous)]
        own, own_outcome = PROBLEM.transition(alone[0], action[lane : lane + 1], alone[1])
        assert_same(own, map_arrays(lambda a, b=lane: a[b : b + 1], following))
        assert own_outcome.reward[0] == outcome.reward[lane] == deep_outcome.reward[np.unravel_index(lane, (2, 3))]


def random_point(rng: np.random.Generator, lanes: int) -> tuple[State, Exogenous, np.ndarray]:
    state = replace(
        PROBLEM.initial_state((lanes,)),
        rsu_free_s=rng.uniform(0.0, 20.0, (lanes, 4)),
        holder=rng.integers(-1, 3, (lanes, 3)),
        battery=rng.uniform(0.1, 1.0, (lanes, 3)),
    )
    exogenous = task(
        lanes,
        dnn=rng.integers(0, 2, lanes),
        seat=rng.integers(0, 3, lanes),
        vehicle=rng.integers(0, 3, lanes),
        rate_mbps=rng.uniform(1.0, 100.0, (lanes, 2)) * (rng.random((lanes, 2)) > 0.2),
        luck=rng.random(lanes),
    )
    return state, exogenous, rng.uniform(-1.0, 1.0, (lanes, 1, 3))


def test_a_transition_is_pure() -> None:
    state, exogenous, action = random_point(np.random.default_rng(0), 6)
    given = [*vars(state).values(), *vars(exogenous).values(), action]
    before = [array.copy() for array in given]
    first, again = (PROBLEM.transition(state, action, exogenous) for _ in range(2))
    PROBLEM.observe(state, exogenous)
    assert all(np.array_equal(a, b) for a, b in zip(given, before, strict=True))
    assert_same(first[0], again[0])
    assert_same(first[1], again[1])
    kept = [array for array in vars(first[0]).values() for other in given if np.shares_memory(array, other)]
    assert kept == []


def test_figures_are_those_of_the_outcome() -> None:
    state, exogenous, action = random_point(np.random.default_rng(1), 50)
    exogenous = replace(exogenous, battery=np.linspace(0.1, 0.6, 50))
    following, outcome = PROBLEM.transition(state, action, exogenous)
    figures = PROBLEM.figures(following, outcome)
    assert {figure.name for figure in PROBLEM.reported} <= figures.keys() | {"return"}
    for name in ("cost", "time_s", "energy_j", "vehicle_energy_j", "missed"):
        np.testing.assert_array_equal(figures[name], getattr(outcome.task, name))
    for name in ("failed", "offloaded", "queue_s", "cut", "battery"):
        np.testing.assert_array_equal(figures[name], getattr(outcome, name))
    low = outcome.battery <= 1.0 / 3.0
    assert 0 < low.sum() < 50
    np.testing.assert_array_equal(figures["low_battery"], low)
    np.testing.assert_array_equal(figures["low_battery_energy_j"], outcome.task.vehicle_energy_j * low)


def test_an_outcome_has_what_its_record_says() -> None:
    outcome = PROBLEM.transition(*[random_point(np.random.default_rng(2), 3)[k] for k in (0, 2, 1)])[1]
    assert isinstance(outcome, Outcome)
    assert all(getattr(outcome, f.name).shape == (3,) for f in fields(outcome) if f.name != "task")


# Options --------------------------------------------------------------------------------------------------------------


def test_it_is_a_problem_of_turns() -> None:
    assert isinstance(PROBLEM, TurnProblem)
    assert PROBLEM.agent_names == ("vehicle_0", "vehicle_1", "vehicle_2")
    assert PROBLEM.actions == Numbers(size=3)
    assert replace(PROBLEM, diversion="chosen").actions == Numbers(size=4)


def test_the_defaults_are_the_papers() -> None:
    problem = TaskDiversion()
    assert [p.name for p in problem.profiles] == ["alexnet", "vgg16", "nin", "tinyyolov2"]
    names = ("num_client_vehicles", "vehicle_ghz", "rsu_ghz", "bandwidth_mhz", "rsu_range_m", "kappa_j_per_gcycle_ghz2")
    assert [getattr(problem, name) for name in names] == [15, 3.0, 7.0, 20.0, 500.0, 10.0]
    assert (problem.noise_w, problem.beta, problem.diversion) == (3e-13, 1e-3, "probability")


WRONG: list[tuple[dict[str, Any], str]] = [
    *(({name: 0}, f"{name}=0 must be an integer of at least 1")
      for name in ("num_client_vehicles", "num_rsus", "broadcast_slots", "episode_slots")),
    *(({name: 1.5}, f"{name}=1.5 must be an integer") for name in ("num_client_vehicles", "broadcast_slots")),
    *(({name: value}, f"{name}={value} must be a finite number above 0")
      for name in ("rsu_spacing_m", "rsu_range_m", "slot_s", "release_rate_hz", "vehicle_ghz", "rsu_ghz", "min_ghz",
                   "kappa_j_per_gcycle_ghz2", "battery_capacity_kj", "bandwidth_mhz", "transmit_power_w", "noise_w")
      for value in (0.0, np.nan)),
    *(({name: value}, f"{name}={value} must be a finite number of at least 0")
      for name in ("beta", "deadline_penalty") for value in (-1.0, np.nan)),
    *(({"deadline_factor": value}, "deadline_factor=.* must be a range") for value in ((0.0, 1.0), (3.0, 2.0), 2.0)),
    ({"battery": (0.0, 1.0)}, "battery=.* must be a range"),
    ({"battery": (0.5, 1.1)}, r"battery levels are in \(0, 1\], got battery=\(0.5, 1.1\)"),
    ({"battery_floor": 0.0}, "battery_floor=0.0"),
    ({"battery_floor": np.nan}, "battery_floor=nan"),
    ({"min_ghz": 3.0}, "min_ghz=3.0 must be below vehicle_ghz"),
    ({"release_rate_hz": 1.01}, "release_rate_hz=1.01 must be at most 1 / slot_s = 1"),
    ({"release_rate_hz": 0.6, "slot_s": 2.0}, "release_rate_hz=0.6 must be at most 1 / slot_s = 0.5"),
    ({"diversion": "random"}, "diversion='random' is unknown; there are 'probability', 'shortest', 'nearest', 'chos"),
    ({"on_leaving": "wait"}, "on_leaving='wait' is unknown; there are 'finish', 'fail'"),
    ({"reward": "profit"}, "reward='profit' is unknown; there are 'cost', 'excess'"),
    ({"observation": "all"}, "observation='all' is unknown; there are 'paper', 'extended'"),
    ({"v2i_rate": 7.0}, "v2i_rate=7.0 must be a function"),
    ({"dnns": ()}, "dnns is empty"),
    ({"dnns": "vgg16"}, "dnns='vgg16' must be a list"),
    ({"dnns": ("lenet",)}, "'lenet' .* alexnet"),
    ({"workload": "guess"}, "'guess' .* rtd"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "message"), WRONG, ids=str)
def test_a_wrong_option_is_refused_with_its_value_and_bound(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TaskDiversion(**options)
