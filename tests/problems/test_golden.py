"""The worked cases of an independent scalar program."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vec_envs.dnn import DNNProfile, Layer
from vec_envs.problems.cooperative_inference.problem import CooperativeInference
from vec_envs.problems.cooperative_inference.problem import Exogenous as Channels
from vec_envs.problems.cooperative_inference.problem import State as Budgets
from vec_envs.problems.dnn_partition.problem import DNNPartition, Exogenous, State
from vec_envs.problems.task_diversion.problem import Exogenous as Task
from vec_envs.problems.task_diversion.problem import TaskDiversion

OWN = Path(__file__).parent.parent / "golden"
SHARED = Path(__file__).parents[3] / "shared" / "golden"


def cases_of(name: str) -> list[dict[str, Any]]:
    folder = SHARED if (SHARED / name).exists() else OWN
    return json.loads((folder / name).read_text())


CASES = cases_of("dnn_partition.json")
TASKS = cases_of("task_diversion.json")
INFERENCE = cases_of("cooperative_inference.json")


def profile(name: str, table: dict[str, list[float]]) -> DNNProfile:
    layers = tuple(
        Layer(name=f"layer{n}", gflops=gflops, gmacs=gflops / 2, output_mbit=mbit, parameter_mbyte=0.0)
        for n, (gflops, mbit) in enumerate(zip(table["gflops"], table["cut_mbit"][1:], strict=True))
    )
    return DNNProfile(name=name, input_mbit=table["cut_mbit"][0], layers=layers)


def problem_of(case: dict[str, Any], reward: str) -> DNNPartition:
    return DNNPartition(
        dnns=tuple(profile(f"dnn{k}", table) for k, table in enumerate(case["profiles"])),
        dnn_of_client=tuple(case["dnn_of_client"]),
        num_client_vehicles=len(case["dnn_of_client"]),
        num_service_vehicles=len(case["service_ghz"]),
        lyapunov_v=case["lyapunov_v"],
        slot_s=case["slot_s"],
        rsu_ghz=case["rsu_ghz"],
        reward=reward,
    )


def inputs_of(case: dict[str, Any]) -> tuple[State, np.ndarray, Exogenous]:
    array = {name: np.array(value, dtype=float) for name, value in case.items() if name != "profiles"}
    state = State(
        client_backlog_gcycles=array["client_backlog_gcycles"],
        rsu_backlog_gcycles=array["rsu_backlog_gcycles"],
        service_backlog_gcycles=array["service_backlog_gcycles"],
    )
    exogenous = Exogenous(
        client_position_m=np.zeros(len(array["client_ghz"])),
        service_position_m=np.zeros(len(array["service_ghz"])),
        v2i_mbps=array["v2i_mbps"],
        v2v_mbps=array["v2v_mbps"],
        client_ghz=array["client_ghz"],
        service_ghz=array["service_ghz"],
    )
    return state, np.array(case["action"]), exogenous


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
@pytest.mark.parametrize("reward", ["drift_bound", "drift"])
def test_transition_agrees_with_the_worked_case(case: dict[str, Any], reward: str) -> None:
    problem, expected = problem_of(case["input"], reward), case["expected"]
    following, outcome = problem.transition(*inputs_of(case["input"]))
    for name in ("delay_s", "drift", "drift_bound"):
        np.testing.assert_allclose(getattr(outcome, name), expected[name], rtol=1e-6, atol=1e-9, err_msg=name)
    for name in ("client_backlog_gcycles", "rsu_backlog_gcycles", "service_backlog_gcycles"):
        np.testing.assert_allclose(getattr(following, name), expected[name], rtol=1e-6, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(outcome.rsu_allocation_ghz, expected["rsu_allocation_ghz"], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(outcome.reward, expected[f"reward_{reward}"], rtol=1e-6)


def task_of(case: dict[str, Any]) -> tuple[TaskDiversion, dict[str, Any]]:
    """Returns the problem of a case and the arguments of its task."""
    of_problem = ("beta", "transmit_power_w", "kappa_j_per_gcycle_ghz2")
    options = {name: case[name] for name in of_problem}
    of_task = {name: value for name, value in case.items() if name not in (*of_problem, "profile")}
    return TaskDiversion(dnns=(profile("dnn", case["profile"]),), **options), of_task


@pytest.mark.parametrize("case", TASKS, ids=range(len(TASKS)))
def test_a_task_agrees_with_the_worked_case(case: dict[str, Any]) -> None:
    problem, task = task_of(case["input"])
    for dnn in (0, "dnn"):
        outcome = problem.task_outcome(dnn=dnn, **task)
        for name, value in case["expected"].items():
            np.testing.assert_allclose(getattr(outcome, name), value, rtol=1e-6, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("case", TASKS, ids=range(len(TASKS)))
def test_a_task_in_the_environment_agrees_with_the_worked_case(case: dict[str, Any]) -> None:
    plain, task = task_of(case["input"])
    problem = replace(plain, vehicle_ghz=task["vehicle_ghz"], rsu_ghz=task["rsu_ghz"], diversion="nearest", num_rsus=1)
    exogenous, queue_s = one_task(task["rate_mbps"], task["battery"]), task["queue_s"]
    state = replace(problem.initial_state((1,)), rsu_free_s=exogenous.release_s[:, None] + queue_s)
    action = problem.action.encode(dnn=0, cut=task["cut"], vehicle_ghz=task["vehicle_ghz"], rsu_ghz=task["rsu_ghz"])
    outcome = problem.transition(state, action[None, None], exogenous)[1]
    for name, value in case["expected"].items():
        np.testing.assert_allclose(getattr(outcome.task, name), value, rtol=1e-6, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(outcome.reward, -case["expected"]["cost"], rtol=1e-6)


def one_task(rate_mbps: float, battery: float) -> Task:
    """Returns a task of seat 0, released at 5 s, with one unit in range and no deadline to speak of."""
    whole = {name: np.zeros(1, dtype=int) for name in ("seat", "vehicle", "dnn")}
    none = {name: np.zeros(1) for name in ("position_m", "speed_mps", "diversion_draw")}
    return Task(
        slot=np.array([5]),
        release_s=np.array([5.0]),
        deadline_s=np.array([1e9]),
        battery=np.array([battery]),
        unit=np.zeros((1, 2), dtype=int),
        rate_mbps=np.array([[rate_mbps, 0.0]]),
        leave_s=np.array([np.inf]),
        **whole,
        **none,
    )


@pytest.mark.parametrize("name", ["dnn_partition.json", "task_diversion.json", "cooperative_inference.json"])
def test_the_stored_cases_equal_the_shared_ones(name: str) -> None:
    if not (SHARED / name).exists():
        pytest.skip("no shared cases here")
    assert json.loads((OWN / name).read_text()) == json.loads((SHARED / name).read_text())


def streamed(name: str, table: dict[str, Any]) -> DNNProfile:
    outputs = [*table["cut_mbit"][1:-1], table["last_output_mbit"]]
    rows = zip(table["gmacs"], outputs, table["parameter_mbyte"], strict=True)
    layers = tuple(
        Layer(name=f"layer{n}", gflops=0.0, gmacs=gmacs, output_mbit=mbit, parameter_mbyte=mbyte)
        for n, (gmacs, mbit, mbyte) in enumerate(rows)
    )
    return DNNProfile(name=name, input_mbit=table["cut_mbit"][0], layers=layers)


@pytest.mark.parametrize("number", range(len(INFERENCE)))
@pytest.mark.parametrize("batch_shape", [(), (1,), (2, 3)])
def test_the_inference_model_agrees_with_the_worked_cases(number: int, batch_shape: tuple[int, ...]) -> None:
    case, expected = INFERENCE[number]["input"], INFERENCE[number]["expected"]
    problem = CooperativeInference(
        dnns=tuple(streamed(f"dnn{k}", table) for k, table in enumerate(case["profiles"])),
        **{name: tuple(case[name]) for name in ("dnn_of_device", "energy_budget_j", "memory_budget_gb")},
    )

    def rows(name: str) -> np.ndarray:
        return np.broadcast_to(np.array(case[name]), (*batch_shape, len(case[name]))).copy()

    following, outcome = problem.transition(
        Budgets(energy_queue=rows("energy_queue"), memory_queue=rows("memory_queue")),
        rows("cuts"),
        Channels(gain=rows("gain"), arrival_rate_hz=rows("arrival_rate_hz")),
    )
    found = {name: getattr(following if name.endswith("queue") else outcome, name) for name in expected}
    for name, value in expected.items():
        solved = name in ("device_ghz", "server_ghz", "bandwidth_share")
        assert found[name].shape[: len(batch_shape)] == batch_shape
        np.testing.assert_allclose(
            found[name],
            np.broadcast_to(value, found[name].shape),
            rtol=1e-5 if solved else 1e-6,
            atol=1e-12,
            err_msg=name,
        )
