"""The worked cases of an independent scalar program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vec_envs.dnn import DNNProfile, Layer
from vec_envs.problems.dnn_partition import DNNPartition, Exogenous, State

OWN = Path(__file__).parent.parent / "golden" / "dnn_partition.json"
SHARED = Path(__file__).parents[3] / "shared" / "golden" / "dnn_partition.json"
CASES: list[dict[str, Any]] = json.loads((SHARED if SHARED.exists() else OWN).read_text())


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


def test_own_copy_is_the_shared_one() -> None:
    if not SHARED.exists():
        pytest.skip("no shared cases here")
    assert json.loads(OWN.read_text()) == json.loads(SHARED.read_text())
