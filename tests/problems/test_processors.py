"""Environments that run on measured times of layers, in place of operations per cycle."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.jobs.plan import options_of
from tests.dnn.test_profile import tiny
from vec_envs.dnn import DNNProfile, MeasuredTimes
from vec_envs.problems.cooperative_inference import CooperativeInference
from vec_envs.problems.dnn_partition import DNNPartition
from vec_envs.problems.dnn_partition.policies import BestResponse, ExactSlot
from vec_envs.problems.mobile_inference import MobileInference
from vec_envs.problems.task_diversion import TaskDiversion
from vec_envs.registration import factory_of_problem

BOARD, SERVER = (
    MeasuredTimes(device=device, layer_s=layer_s)
    for device, layer_s in (("board", (0.4, 0.2)), ("server", (0.03, 0.01)))
)
OWN = replace(tiny(), name="own", measured=(BOARD, SERVER))
OTHER = replace(OWN, name="other")
BUDGETS = {"memory_budget_gb": (0.1, 0.1)}
PROBLEMS = [
    (DNNPartition, {}),
    (TaskDiversion, {}),
    (CooperativeInference, {**BUDGETS, "unstable": "clip"}),
    (MobileInference, {}),
]
LOCAL_S, EDGE_S = [0.0, 0.4, 0.6], [0.04, 0.01, 0.0]


def problem_of(kind: Any, options: dict[str, Any], **more: Any) -> Any:
    return kind(dnns=(OWN, OTHER), processors=("board", "server"), **options, **more)


def test_tasks_of_task_diversion_take_the_measured_times() -> None:
    problem = problem_of(TaskDiversion, {})
    for cut, (local_s, edge_s) in enumerate(zip(LOCAL_S, EDGE_S, strict=True)):
        outcome = problem.task_outcome(
            dnn="own", cut=cut, vehicle_ghz=problem.vehicle_ghz, rsu_ghz=problem.rsu_ghz / 2, rate_mbps=1e9,
            queue_s=0.0, battery=1.0, deadline_s=np.inf,
        )  # fmt: skip
        np.testing.assert_allclose(outcome.time_s, local_s + 2 * edge_s, atol=1e-6)
    assert problem.costs.work_gcycles[0] == pytest.approx(0.6 * problem.vehicle_ghz)


def test_work_of_every_problem_is_measured_time_at_the_speed_of_reference() -> None:
    partition = problem_of(DNNPartition, {}, num_client_vehicles=1, num_service_vehicles=1, client_ghz=(2.0, 4.0))
    table = partition.choices.table
    np.testing.assert_allclose(table.local_gcycles[0, ::2] / 3.0, LOCAL_S)
    np.testing.assert_allclose(table.edge_gcycles[0, 1::2] / partition.rsu_ghz, EDGE_S)
    streams = problem_of(CooperativeInference, BUDGETS).cut_table
    np.testing.assert_allclose(streams.local_gcycles[0] / 1.5, LOCAL_S)
    np.testing.assert_allclose(streams.server_gcycles[0] / 15.0, EDGE_S)
    street = problem_of(MobileInference, {})
    np.testing.assert_allclose(street.starts.local_gcycles[0] / 9.0, 8 * np.array(LOCAL_S))
    np.testing.assert_allclose(street.starts.edge_gcycles[0] / 300.0, 8 * np.array(EDGE_S))


@pytest.mark.parametrize(("kind", "options"), PROBLEMS)
def test_every_environment_plays_on_measured_times(kind: Any, options: dict[str, Any]) -> None:
    factory = factory_of_problem(kind)
    mobility = "still" if kind is CooperativeInference else "replay" if kind is MobileInference else "straight"
    given = {**options, "dnns": (OWN, OTHER), "processors": ["board", "server"], "mobility": mobility}
    env = factory.vector_env(num_envs=2, **given)
    env.reset(seed=0)
    env.action_space.seed(0)
    _, reward, *_ = env.step(env.action_space.sample())
    assert np.isfinite(reward).all()
    env.close()
    stored = options_of(factory.env_id, given)
    assert factory.problem(
        **{n: v for n, v in json.loads(json.dumps(stored)).items() if n in given and n != "mobility"}
    )
    assert "processors" not in options_of(factory.env_id, {**options, "dnns": (OWN, OTHER)})


@pytest.mark.parametrize(("kind", "options"), PROBLEMS)
@pytest.mark.parametrize(
    ("processors", "says"),
    [
        (("board",), "processors must be empty, or name two devices .*, got"),
        ("board", "processors must be empty, or name two devices"),
        (("board", "phone"), "processors names 'phone', on which 'own' was not measured; it was measured on 'board'"),
    ],
)
def test_wrong_processors_are_refused(kind: Any, options: dict[str, Any], processors: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        kind(dnns=(OWN, OTHER), processors=processors, **options)
    with pytest.raises(ValueError, match="on which 'vgg16' was not measured; it was measured on no device"):
        kind(dnns=(OWN, "vgg16"), processors=("board", "server"), **options)


def test_the_exact_optimum_holds_for_measured_times() -> None:
    problem = problem_of(DNNPartition, {}, num_client_vehicles=3, num_service_vehicles=1)
    env = factory_of_problem(DNNPartition).vector_env(
        num_envs=2, mobility="straight", dnns=problem.dnns, processors=problem.processors, num_client_vehicles=3,
        num_service_vehicles=1,
    )  # fmt: skip
    env.reset(seed=1)
    found = ExactSlot(env.problem, objective="drift").solve(env.batch.view)
    response = BestResponse(env.problem, objective="drift")
    response.reset(0)
    other = env.problem.cost(env.batch.view, response.act(env.batch.observe(), env.batch.view), "drift")
    assert (found.gap == 0.0).all()
    assert (found.value <= other + 1e-9).all()
    env.close()


def test_a_profile_says_where_it_was_measured() -> None:
    assert OWN.layer_s("board") == (0.4, 0.2)
    with pytest.raises(ValueError, match="'nin' was not measured on 'board'; it was measured on no device"):
        DNNProfile.load("nin").layer_s("board")
