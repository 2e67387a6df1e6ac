"""What is decided and seen of a task, which options there are, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.made_up import LONG, SHORT
from tests.problems.task_diversion.one_task import INF, PROBLEM, task, with_queues
from vec_envs.dnn import DNNProfile
from vec_envs.problems.base import ContinuousActions, SequentialProblem
from vec_envs.problems.task_diversion.problem import Exogenous, State, TaskDiversion

# What is decided ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 1), st.integers(0, 3), st.floats(0.5, 3.0), st.floats(0.5, 7.0), st.integers(0, 1), st.booleans())
def test_decoding_inverts_encoding(
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
def test_action_bounds_map_to_decision_bounds(kind: type) -> None:
    state = PROBLEM.initial_state((1,))
    low, high = (PROBLEM.transition(state, np.full((1, 1, 3), n, dtype=kind), task())[1] for n in (-1, 1))
    assert (low.cut, low.vehicle_ghz, low.rsu_ghz) == ([0], [0.5], [0.5])
    assert (high.cut, high.vehicle_ghz, high.rsu_ghz) == ([2], [3.0], [7.0])


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.zeros((1, 1, 4)), r"3 numbers in one row, got shape \(1, 1, 4\)"),
        (np.array([[[0.0, np.nan, 0.0]]]), r"number 1 of the action must be in \[-1, 1\], got nan"),
        (np.array([[[0.0, 0.0, 1.0001]]]), r"number 2 of the action must be in \[-1, 1\], got 1.0001"),
        (np.array([[[-INF, 0.0, 0.0]]]), r"number 0 of the action must be in \[-1, 1\], got -inf"),
        (np.array([[[-2, 0, 0]]]), r"number 0 of the action must be in \[-1, 1\], got -2"),
        (np.zeros((1, 1, 3), dtype=bool), "an action must hold integers or floats, got dtype bool"),
        (np.zeros((1, 1, 3), dtype=complex), "an action must hold integers or floats, got dtype complex"),
    ],
    ids=str,
)
def test_a_wrong_action_is_refused(action: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PROBLEM.transition(PROBLEM.initial_state((1,)), action, task())


# What is seen ---------------------------------------------------------------------------------------------------------


def observation_of(problem: TaskDiversion, state: State, exogenous: Exogenous) -> list[float]:
    observation = problem.observe(state, exogenous)
    assert observation.shape == (1, 1, problem.observation_size)
    assert observation.dtype == np.float32
    return observation[0, 0].tolist()


BASIC = [0.1, -0.25, 1.0, 0.0, 0.5, 0.5, 0.3, 0.7]
EXTENDED = replace(PROBLEM, observation="extended")


def saves_s() -> float:
    """Returns the cost saved by running 4 Gcycles at an idle unit instead of on a vehicle with battery level 0.5."""
    own_ghz, unit_ghz = np.linspace(0.5, 3.0, 100_001), np.linspace(0.5, 7.0, 100_001)
    own_s, unit_s = (1.0 / ghz + weight * 0.01 * ghz**2 for ghz, weight in ((own_ghz, 2.0), (unit_ghz, 1.0)))
    return 4.0 * float(own_s.min() - unit_s.min())


def test_every_feature_has_its_place_and_scale() -> None:
    state = with_queues(PROBLEM, [9.0, 2.0, 1.0, 9.0])
    state.task_end_s[0, 1, -3:] = [10.0, 11.0, 12.0]
    of_unit = [1.0, 8.0 / 200.0, 0.2, 2.0 / 4.0]
    assert observation_of(PROBLEM, state, task(diversion_draw=0.0, deadline_s=5.0)) == pytest.approx([*BASIC, *of_unit])
    more_of_unit = [2.0 * 3.0 / 4.0, (saves_s() - 2.0 - 4.0 / 8.0) / 2.0, 1.0]
    more_of_task = [0.4, 0.4, 2.0, saves_s() / 2.0, 0.2, 0.1, 1.0]
    extended = observation_of(EXTENDED, state, task(diversion_draw=0.0, deadline_s=5.0))
    assert extended == pytest.approx([*BASIC, *of_unit, *more_of_unit, *more_of_task])
    of_unit = [1.0, 4.0 / 200.0, 0.1, 0.0]
    asked = task(diversion_draw=0.99, deadline_s=5.0)
    assert observation_of(PROBLEM, state, asked) == pytest.approx([*BASIC, *of_unit])


def test_the_share_of_the_work_that_is_done_while_waiting_is_bounded() -> None:
    for wait_s, share in ((0.0, 0.0), (1.0, 0.75), (8.0 / 3.0, 2.0), (1e4, 2.0)):
        observed = observation_of(EXTENDED, with_queues(PROBLEM, [9.0, wait_s, 1e4, 9.0]), task(diversion_draw=0.0))
        assert observed[8 + 4] == pytest.approx(share)


def test_the_layers_that_are_run_and_sent_while_waiting() -> None:
    # The first layer takes 1/3 s and its result 2/8 s to send; both take 4/3 s, and nothing is sent.
    for wait_s, layers in ((0.0, 0.0), (0.58, 0.0), (0.59, 0.5), (1.32, 0.5), (1.34, 1.0), (1e4, 1.0)):
        observed = observation_of(EXTENDED, with_queues(PROBLEM, [9.0, wait_s, 1e4, 9.0]), task(diversion_draw=0.0))
        assert observed[8 + 6] == layers


def test_both_units_are_observed_where_one_is_chosen() -> None:
    problem = replace(PROBLEM, diversion="chosen", observation="paper")
    state, both = with_queues(problem, [9.0, 2.0, 1.0, 9.0]), task(deadline_s=5.0)
    assert observation_of(problem, state, both) == pytest.approx([*BASIC, 1.0, 0.04, 0.2, 0.0, 1.0, 0.02, 0.1, 0.0])
    lone = task(deadline_s=5.0, rate_mbps=[8.0, 0.0])
    assert observation_of(problem, state, lone) == pytest.approx([*BASIC, 1.0, 0.04, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0])


def test_units_out_of_range_are_observed_as_zeros() -> None:
    state = with_queues(PROBLEM, [9.0, 2.0, 1.0, 9.0])
    nothing = observation_of(EXTENDED, state, task(rate_mbps=[0.0, 0.0], deadline_s=5.0))
    assert nothing == pytest.approx([*BASIC, *[0.0] * 7, 0.4, 0.4, 2.0, saves_s() / 2.0, 0.0, 0.0, 0.0])
    lone = observation_of(EXTENDED, state, task(rate_mbps=[8.0, 0.0], deadline_s=5.0))
    assert lone[8:12] == pytest.approx([1.0, 0.04, 0.2, 0.0])
    assert lone[15:] == pytest.approx([0.4, 0.4, 2.0, saves_s() / 2.0, 0.2, 0.0, 0.0])


@pytest.mark.parametrize("diversion", ["probability", "chosen"])
@pytest.mark.parametrize("observation", ["paper", "extended"])
@pytest.mark.parametrize("dnns", [(SHORT,), (SHORT, LONG), (SHORT, LONG, replace(SHORT, name="third"))])
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


# Options --------------------------------------------------------------------------------------------------------------


def test_agents_decide_one_at_a_time() -> None:
    assert isinstance(PROBLEM, SequentialProblem)
    assert PROBLEM.agent_names == ("vehicle_0", "vehicle_1", "vehicle_2")
    assert PROBLEM.actions == ContinuousActions(size=3)
    assert replace(PROBLEM, diversion="chosen").actions == ContinuousActions(size=4)


def test_the_defaults_are_the_papers() -> None:
    problem = TaskDiversion()
    assert [p.name for p in problem.profiles] == ["alexnet", "vgg16", "nin", "tinyyolov2"]
    names = ("num_client_vehicles", "vehicle_ghz", "rsu_ghz", "bandwidth_mhz", "rsu_range_m", "kappa_j_per_gcycle_ghz2")
    assert [getattr(problem, name) for name in names] == [15, 3.0, 7.0, 20.0, 500.0, 10.0]
    assert (problem.noise_w, problem.beta, problem.diversion) == (3e-13, 1e-3, "probability")


WRONG: list[tuple[dict[str, Any], str]] = [
    *(({name: 0}, f"{name} must be an integer of at least 1, got 0")
      for name in ("num_client_vehicles", "num_rsus", "broadcast_slots", "episode_slots")),
    *(({name: 1.5}, f"{name} must be an integer of at least 1, got 1.5")
      for name in ("num_client_vehicles", "broadcast_slots")),
    *(({name: value}, f"{name} must be a finite number above 0, got {value}")
      for name in ("rsu_spacing_m", "rsu_range_m", "slot_s", "release_rate_hz", "vehicle_ghz", "rsu_ghz", "min_ghz",
                   "kappa_j_per_gcycle_ghz2", "battery_capacity_kj", "bandwidth_mhz", "transmit_power_w", "noise_w")
      for value in (0.0, np.nan)),
    *(({name: value}, f"{name} must be a finite number of at least 0, got {value}")
      for name in ("beta", "deadline_penalty") for value in (-1.0, np.nan)),
    *(({"deadline_factor": value}, "deadline_factor must be a range") for value in ((0.0, 1.0), (3.0, 2.0), 2.0)),
    ({"battery": (0.0, 1.0)}, "battery must be a range"),
    ({"battery": (0.5, 1.1)}, r"battery levels must be in \(0, 1\], got battery=\(0.5, 1.1\)"),
    ({"battery_floor": 0.0}, "battery_floor must be .*, got 0.0"),
    ({"battery_floor": np.nan}, "battery_floor must be a finite number above 0, got nan"),
    ({"min_ghz": 3.0}, "min_ghz=3.0 must be below vehicle_ghz"),
    ({"release_rate_hz": 1.01}, "release_rate_hz=1.01 must be at most 1 / slot_s = 1"),
    ({"release_rate_hz": 0.6, "slot_s": 2.0}, "release_rate_hz=0.6 must be at most 1 / slot_s = 0.5"),
    ({"diversion": "random"}, "diversion must be one of 'probability', 'shortest', 'nearest', .*, got 'random'"),
    ({"on_leaving": "wait"}, "on_leaving must be one of 'finish', 'fail', got 'wait'"),
    ({"reward": "profit"}, "reward must be one of 'cost', 'excess', got 'profit'"),
    ({"observation": "all"}, "observation must be one of 'paper', 'extended', got 'all'"),
    ({"v2i_rate": 7.0}, "v2i_rate must be a function, got 7.0"),
    ({"dnns": ()}, "dnns is empty"),
    ({"dnns": "vgg16"}, "dnns must be a list .*, got 'vgg16'"),
    ({"dnns": ("lenet",)}, "must be one of 'alexnet', .*, got 'lenet'"),
    ({"workload": "guess"}, "workload must be one of .*'rtd', got 'guess'"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "message"), WRONG, ids=str)
def test_a_wrong_option_is_refused_with_its_value_and_bound(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TaskDiversion(**options)
