"""Blind references and the seer: tables, searches over known episodes, and the file that keeps them."""

from __future__ import annotations

import itertools
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.references import __main__ as command
from benchmarks.references.find import Budget, best_stable, find
from benchmarks.references.played import grows, played
from benchmarks.references.rollouts import Goal, KnownEpisodes
from benchmarks.references.seer import Seer
from benchmarks.references.store import shown, written
from benchmarks.references.tables import TableSearch
from benchmarks.results.case_lines import line_of, lines_of, store
from benchmarks.suites.suite import Case
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.dnn import DNNProfile, Layer
from vec_envs.mobility import StraightMobility
from vec_envs.problems.base import action_shape
from vec_envs.problems.dnn_partition import DNNPartition
from vec_envs.problems.timetable import Timetable
from vec_envs.records import stack
from vec_envs.registration import ENVIRONMENTS, factory_of

SMALL_DNN = DNNProfile(
    name="small",
    input_mbit=4.0,
    layers=(Layer(name="only", gflops=6.0, gmacs=3.0, output_mbit=0.1, parameter_mbyte=1.0),),
)
ONE_CLIENT = DNNPartition(
    dnns=(SMALL_DNN,), num_client_vehicles=1, num_service_vehicles=1, episode_slots=4, reward="drift", rsu_ghz=3.0
)
METRIC = "completion_time_s"


def batch_of(problem: Any, count: int, seed: int = 3) -> EnvironmentBatch:
    batch = EnvironmentBatch(problem, StraightMobility(), count)
    batch.reset(list(range(count)), [seed + row for row in range(count)])
    return batch


def episodes_of(problem: Any, count: int, **bounds: float) -> KnownEpisodes:
    batch = batch_of(problem, count)
    return KnownEpisodes(
        problem, stack([batch.episode(row) for row in range(count)]), Goal(metric=METRIC, bounds=bounds)
    )


def every_plan(problem: DNNPartition) -> list[np.ndarray]:
    (count,) = problem.actions.counts
    return [np.array(plan)[:, None] for plan in itertools.product(range(count), repeat=problem.episode_slots)]


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_the_value_of_a_plan_is_what_the_environment_gives(env_id: str) -> None:
    """Plays the recorded actions of a random policy once more, as a plan in the known episode."""
    problem: Any = factory_of(env_id).problem(episode_slots=6)
    metric = problem.reported_metrics[0].name
    batch = batch_of(problem, 2)

    class Random:
        def reset(self, seed: int) -> None:
            self.rng = np.random.default_rng(seed)

        def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
            shape = (2, *action_shape(problem))
            if hasattr(problem.actions, "counts"):
                return self.rng.integers(0, 3, shape)
            return self.rng.uniform(-1.0, 1.0, shape)

    play = played("random", Random(), batch, seed=3, metric=metric, queues=())
    record = stack([batch.episode(row) for row in range(2)])
    episodes = KnownEpisodes(problem, record, Goal(metric=metric, bounds={}))
    for row in range(2):
        end = episodes.one(row, episodes.goal).trace(play.plan[row])[problem.episode_epochs]
        assert end.mean[0] == pytest.approx(play.mean[row], rel=1e-12)


@pytest.mark.slow
def test_the_seer_finds_the_best_of_all_plans() -> None:
    for row in range(4):
        episode = episodes_of(ONE_CLIENT, 4).one(row, Goal(metric=METRIC, bounds={}))
        plans = every_plan(ONE_CLIENT)
        values = [float(episode.value(episode.trace(plan)[4])[0]) for plan in plans]
        found = Seer(episode, np.random.default_rng(0), budget_s=0.5).best_of([plans[0], plans[-1]])
        assert found.value == pytest.approx(min(values), rel=1e-12)
        assert found.value == float(episode.value(episode.trace(found.plan)[4])[0])


@pytest.mark.slow
def test_the_seer_keeps_the_last_backlog_within_its_bound() -> None:
    problem = DNNPartition(num_client_vehicles=3, num_service_vehicles=1, episode_slots=6, reward="drift")
    start = np.zeros((6, 3), dtype=np.int64)
    free = episodes_of(problem, 1, backlog_gcycles=np.inf)
    found = Seer(free, np.random.default_rng(0), budget_s=1.0).best_of([start])
    bound = 0.5 * float(free.trace(found.plan)[6].final["backlog_gcycles"][0])
    tight = episodes_of(problem, 1, backlog_gcycles=bound)
    bounded = Seer(tight, np.random.default_rng(0), budget_s=1.0).best_of([start])
    assert tight.trace(bounded.plan)[6].final["backlog_gcycles"][0] <= bound + 1e-6
    assert bounded.value >= found.value


def test_the_best_static_table_is_found() -> None:
    episodes = episodes_of(ONE_CLIENT, 8)
    search = TableSearch(episodes, np.random.default_rng(0), budget_s=5.0)
    (count,) = ONE_CLIENT.actions.counts
    every = search.values(np.arange(count)[:, None, None])
    found = search.best(np.zeros((1, 1), dtype=np.int64), num_rows=1)
    assert found.value == every.min()
    longer = search.best(found.table, num_rows=4)
    assert longer.value <= found.value
    assert longer.table.shape == (4, 1)


def test_a_timetable_plays_its_rows_in_turn_and_sees_nothing() -> None:
    table = np.array([[0, 1], [2, 3], [4, 5]])
    policy = Timetable(DNNPartition(num_client_vehicles=2), table)
    for _ in range(2):
        policy.reset(0)
        for slot in range(7):
            action = policy.act(np.full((4, 2, 13), np.nan, np.float32))
            np.testing.assert_array_equal(action, np.repeat(table[slot % 3][None], 4, axis=0))


def test_a_timetable_of_tasks_follows_the_slot() -> None:
    problem: Any = factory_of("VEC-TaskDiversion-v0").problem(num_client_vehicles=4, episode_slots=8)
    batch = batch_of(problem, 3)
    table = np.stack([np.full((1, 3), row / 4.0) for row in range(4)])
    policy = Timetable(problem, table)
    while not batch.ended.all():
        action = policy.act(batch.observe(), batch.view)
        np.testing.assert_array_equal(action[:, 0, 0], batch.exogenous.slot % 4 / 4.0)
        batch.step(action)


def test_a_timetable_of_tasks_needs_a_view() -> None:
    problem: Any = factory_of("VEC-TaskDiversion-v0").problem(num_client_vehicles=4, episode_slots=8)
    batch = batch_of(problem, 3)
    with pytest.raises(ValueError, match="view"):
        Timetable(problem, np.zeros((2, 1, 3))).act(batch.observe())


@pytest.mark.parametrize("table", [np.zeros((0, 2)), np.zeros((3, 5), dtype=int), np.zeros(2, dtype=int)])
def test_a_table_of_another_shape_is_refused(table: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"a table must have rows of shape \(2,\), got"):
        Timetable(DNNPartition(num_client_vehicles=2), table)


def test_a_queue_grows_if_its_slope_does_not_vanish_and_matters() -> None:
    slots, rng = np.arange(30.0), np.random.default_rng(0)
    noise = rng.normal(0.0, 1.0, (16, 30))
    assert grows(10.0 + slots + noise)
    assert not grows(10.0 + 0.0 * slots + noise)
    assert not grows(np.where(slots < 10, slots, 10.0) + noise)
    assert not grows(1000.0 + slots + noise)
    with_gaps = np.where(rng.random((16, 30)) < 0.3, np.nan, 10.0 + slots + noise)
    assert grows(with_gaps)


def small_case(**more: Any) -> Case:
    env = {"mobility": "straight", "num_client_vehicles": 2, "num_service_vehicles": 1, "episode_slots": 6}
    return Case(
        name="small",
        env_id="VEC-DNNPartition-v0",
        env=env,
        policies=(),
        trends=("backlog_gcycles",),
        queues=("backlog_gcycles",),
        **more,
    )


@pytest.mark.slow
def test_a_case_gets_blind_references_and_a_seer() -> None:
    budget = Budget(tuning_episodes=2, episodes=2, tables_s=2.0, seer_s=0.5)
    found = find(small_case(), budget)
    seer = np.array([episode[METRIC] for episode in found.seer])
    best = best_stable([found.static.result, found.timetable.result, *found.others])
    assert best is not None
    assert (seer <= best.mean[:2] + 1e-9).all()
    assert len(found.static.table) == 1
    content = written(found, budget)
    assert json.loads(json.dumps(content)) == content
    assert len(content["timetable"][METRIC]) == 2
    assert "seer" in shown(found)
    with closing(factory_of("VEC-DNNPartition-v0").vector_env(num_envs=2, **small_case().env)) as env:
        table = Timetable(env.problem, np.array(content["timetable"]["table"]))
        again = played("table", table, env.batch, seed=1000, metric=METRIC, queues=())
    np.testing.assert_allclose(again.mean, content["timetable"][METRIC], rtol=1e-5)


def test_a_case_replaces_its_earlier_line(tmp_path: Path) -> None:
    """A case is known by its environment, its options, its metric and its episodes, not by its name."""
    path, key = tmp_path / "references.jsonl", {"env": {"x": 1}, "metric": "m", "seed": 5}
    lines = [("B", "one", {}, 1), ("A", "two", {}, 2), ("B", "renamed", {}, 3), ("B", "one", {"seed": 6}, 4)]
    for env_id, case, other, value in lines:
        store(path, {"env_id": env_id, **key, **other, "case": case, "value": value})
    assert [(line["env_id"], line["value"]) for line in lines_of(path)] == [("A", 2), ("B", 4), ("B", 3)]
    assert line_of(path, env_id="B", **key)["value"] == 3
    assert line_of(path, env_id="B", **{**key, "metric": "n"}) is None
    path.write_text("{}\n\n")
    with pytest.raises(ValueError, match=r"references\.jsonl, line 2"):
        lines_of(path)


def test_an_unknown_case_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["references", "find", "VEC-TaskDiversion-v0", "--case", "nothing"])
    with pytest.raises(SystemExit, match="the case 'nothing' is unknown; the cases of main are '15 vehicles'"):
        command.main()
