"""What is hard about a case: changed records, what they are worth to a policy, and the pages that show it."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.anatomy import nature as changes
from benchmarks.anatomy.__main__ import main
from benchmarks.anatomy.measure import Row, anatomy_of
from benchmarks.anatomy.nature import Nature, nature_of
from benchmarks.anatomy.report import page_of, written
from benchmarks.jobs.plan import case_key, options_of
from benchmarks.references.played import play
from benchmarks.references.rollouts import Goal, KnownEpisodes
from benchmarks.suites.suite import Case
from tests.benchmarks import reach_problem
from tests.made_up import assert_same
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.mobility import StraightMobility
from vec_envs.mobility.traffic import TrafficBlock, entry_slot
from vec_envs.policies import references
from vec_envs.records import stack
from vec_envs.registration import ENVIRONMENTS, factory_of

DOCS = Path(__file__).parents[2] / "docs"
SMALL: dict[str, dict[str, Any]] = {
    "VEC-DNNPartition-v0": {"num_client_vehicles": 2, "num_service_vehicles": 2, "episode_slots": 8},
    "VEC-TaskDiversion-v0": {"num_client_vehicles": 4, "episode_slots": 20},
    "VEC-CooperativeInference-v0": {"episode_slots": 12},
    "VEC-MobileInference-v0": {"num_client_vehicles": 3, "num_service_vehicles": 2, "episode_slots": 30},
}
HOLDERS = np.array([[0, 1], [0, 1], [2, 1], [2, -1], [2, 3]])
"""Two seats in five slots: vehicle 2 follows vehicle 0, and vehicle 3 takes the seat that vehicle 1 left empty."""


def small_nature() -> Nature:
    """One episode of `HOLDERS`: the position of a vehicle is its number and the slot, its speed is its number."""
    slot = np.arange(5.0)[:, None]
    position_m = np.where(HOLDERS >= 0, 100.0 * HOLDERS + slot, 0.0)
    empty = np.zeros((5, 0))
    block = TrafficBlock(
        client_xy_m=np.stack([position_m, -position_m], axis=-1),
        client_position_m=position_m,
        client_speed_mps=np.where(HOLDERS >= 0, 10.0 * HOLDERS + slot, 0.0),
        client_vehicle=HOLDERS,
        service_xy_m=np.zeros((5, 0, 2)),
        service_position_m=empty,
        service_speed_mps=empty,
        service_vehicle=empty.astype(np.int64),
    )
    problem: Any = reach_problem.Reach(num_client_vehicles=2, episode_slots=4)
    draws = reach_problem.Draws(fading_power=np.broadcast_to(slot, (5, 2)))
    return Nature(problem=problem, draws=stack([draws]), traffic=stack([block]), road=StraightMobility().road)


def test_an_old_picture_shows_where_a_vehicle_was() -> None:
    nature = small_nature()
    old = changes.aged(nature, slots=2)
    assert old.traffic.client_position_m[0].T.tolist() == [[0, 0, 202, 202, 202], [100, 100, 100, 0, 304]]
    assert old.traffic.client_speed_mps[0].T.tolist() == [[0, 0, 22, 22, 22], [10, 10, 10, 0, 34]]
    np.testing.assert_array_equal(old.traffic.client_xy_m[..., 0], old.traffic.client_position_m)
    np.testing.assert_array_equal(old.traffic.client_xy_m[..., 1], -old.traffic.client_position_m)
    np.testing.assert_array_equal(old.traffic.client_vehicle, nature.traffic.client_vehicle)
    assert old.draws.fading_power[0, :, 0].tolist() == [0, 0, 0, 1, 2]
    first = changes.aged(nature, slots=5)
    assert first.traffic.client_position_m[0].T.tolist() == [[0, 0, 202, 202, 202], [100, 100, 100, 0, 304]]
    assert first.draws.fading_power.max() == 0.0
    assert changes.aged(nature, slots=1).traffic.client_position_m[0, 4, 0] == 203.0


def test_frozen_vehicles_stand_where_they_came_in() -> None:
    nature = small_nature()
    frozen = changes.frozen(nature)
    assert frozen.traffic.client_position_m[0].T.tolist() == [[0, 0, 202, 202, 202], [100, 100, 100, 0, 304]]
    assert not frozen.traffic.client_speed_mps.any()
    np.testing.assert_array_equal(frozen.traffic.client_vehicle, nature.traffic.client_vehicle)
    np.testing.assert_array_equal(frozen.draws.fading_power, nature.draws.fading_power)


def test_without_fading_its_power_is_its_mean() -> None:
    nature = small_nature()
    without = changes.unfaded(nature)
    assert without is not None
    assert (without.draws.fading_power == 1.0).all()
    assert without.traffic is nature.traffic
    assert changes.unfaded(replace(nature, draws=reach_problem.State(slot=np.zeros(1)))) is None


def test_channel_fields_become_constant_or_better() -> None:
    rate_mbps = np.array([[[1.0, 0.0], [3.0, 8.0], [9.0, 9.0]]])
    record = reach_problem.Exogenous(rate_mbps=rate_mbps)
    means = changes.mean_channel(record, ("rate_mbps",), decided=np.array([[True, True]]))
    assert means == {"rate_mbps": 4.0}, "links out of reach, and the slot after the last decision, do not count"
    assert changes.mean_channel(record, ("rate_mbps",), decided=np.array([[True, False]])) == {"rate_mbps": 1.0}
    nobody = reach_problem.Exogenous(rate_mbps=np.zeros((1, 3, 0)))
    assert changes.mean_channel(nobody, ("rate_mbps",), decided=np.ones((1, 2), np.bool_)) == {"rate_mbps": 0.0}
    assert (changes.constant_channel(record, means).rate_mbps == 4.0).all()
    better = changes.scaled_channel(record, ("rate_mbps",), factor=10.0)
    assert better.rate_mbps.tolist() == [[[10.0, 0.0], [30.0, 80.0], [90.0, 90.0]]]


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_the_record_of_nature_is_that_of_the_environment(env_id: str) -> None:
    """Also no change is a change of nothing: a picture that is 0 slots old is the truth."""
    problem: Any = factory_of(env_id).problem(**SMALL[env_id])
    batch = EnvironmentBatch(problem, StraightMobility(), 3)
    nature = nature_of(batch, seed=5, episodes=2)
    truth = stack([batch.episode(row) for row in range(2)])
    assert_same(nature.record, truth)
    assert_same(changes.aged(nature, slots=0).record, truth)
    for name in problem.channel_fields:
        assert not np.array_equal(getattr(changes.aged(nature, slots=3).record, name), getattr(truth, name))
        assert not np.array_equal(getattr(changes.frozen(nature).record, name), getattr(truth, name))


def test_an_old_picture_of_a_street_has_its_old_links() -> None:
    problem: Any = factory_of("VEC-MobileInference-v0").problem(
        num_client_vehicles=3, num_service_vehicles=2, episode_slots=90
    )
    nature = nature_of(EnvironmentBatch(problem, StraightMobility(range_m=400.0), 2), seed=5, episodes=2)
    truth, old = nature.record, changes.aged(nature, slots=10).record
    client, service = entry_slot(nature.traffic.client_vehicle), entry_slot(nature.traffic.service_vehicle)
    assert client.max() > 0, "some vehicles leave"
    then = np.maximum(np.arange(91)[:, None] - 10, client)
    expected = np.take_along_axis(truth.v2i_efficiency, then[..., None], axis=1)
    np.testing.assert_allclose(old.v2i_efficiency, expected, atol=1e-9)
    at_once = (client[..., None] == 0) & (service[..., None, :] == 0)
    expected = np.take_along_axis(truth.v2v_efficiency, then[..., None], axis=1)
    np.testing.assert_allclose(old.v2v_efficiency[at_once], expected[at_once], atol=1e-9)


def episodes_of(problem: Any, record: Any, metric: str) -> KnownEpisodes:
    return KnownEpisodes(problem, record, Goal(metric=metric, bounds={}))


@pytest.mark.slow
@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_who_sees_the_truth_plays_as_in_the_environment(env_id: str) -> None:
    problem: Any = factory_of(env_id).problem(**SMALL[env_id])
    nature = nature_of(EnvironmentBatch(problem, StraightMobility(), 3), seed=5, episodes=3)
    known = references(problem).policies
    name = {"VEC-TaskDiversion-v0": "gbs-best-diverted"}.get(env_id, list(known)[-1])
    make = known["best-response-drift"].make if env_id == "VEC-DNNPartition-v0" else known[name].make
    metric = problem.reported_metrics[0].name
    world = episodes_of(problem, nature.record, metric)
    blind = play("", make(problem), world, seed=5)
    seeing = play("", make(problem), world, seed=5, seen=episodes_of(problem, nature.record, metric))
    np.testing.assert_array_equal(blind.mean, seeing.mean)
    np.testing.assert_array_equal(blind.plan, seeing.plan)
    first = episodes_of(problem, changes.aged(nature, slots=99).record, metric)
    misled = play("", make(problem), world, seed=5, seen=first)
    assert (misled.mean != blind.mean).any()


@pytest.fixture(scope="module")
def reach() -> tuple[Nature, Nature]:
    """The evaluation and the tuning episodes of the user's case, as `anatomy_of` makes them."""
    case = reach_problem.CASE
    with closing(factory_of(case.env_id).vector_env(num_envs=16, **case.env)) as env:
        return nature_of(env.batch, seed=40, episodes=16), nature_of(env.batch, seed=700_000, episodes=8)


def delay_s(world: Any, seen: Any, local_s: float = 0.8) -> float:
    """The mean delay of who sends where sending looks faster, and computes where the unit is out of reach."""
    rate_mbps, picture = world.rate_mbps[:, :-1], seen.rate_mbps[:, :-1]
    sends = (picture > 1.0 / local_s) & (rate_mbps > 0.0)
    return float(np.where(sends, 1.0 / np.where(sends, rate_mbps, 1.0), local_s).sum(axis=-1).mean())


def test_a_problem_of_ones_own_has_its_anatomy(reach: tuple[Nature, Nature]) -> None:
    """All rows are as computed by hand, also where a picture makes the policy send out of reach."""
    nature, tuning = reach
    truth, tuned = nature.record, tuning.record.rate_mbps[:, :-1]
    constant = changes.constant_channel(truth, {"rate_mbps": float(tuned[tuned > 0.0].mean())})
    assert (truth.rate_mbps == 0.0).any(), "the case needs vehicles out of reach"
    unfaded = changes.unfaded(nature)
    assert unfaded is not None
    better = changes.scaled_channel(truth, ("rate_mbps",), factor=1e6)
    base = delay_s(truth, truth)
    expected = {
        "picture of 5 s ago": delay_s(truth, changes.aged(nature, slots=5).record),
        "picture of the first slot": delay_s(truth, changes.aged(nature, slots=20).record),
        "constant rates": delay_s(truth, constant),
        "vehicles frozen": delay_s(changes.frozen(nature).record, changes.frozen(nature).record),
        "no fading": delay_s(unfaded.record, unfaded.record),
        "channel a million times better": delay_s(better, better),
        "selfish (computes)": 3 * 0.8,
    }
    anatomy = anatomy_of(reach_problem.CASE)
    assert (anatomy.policy, anatomy.metric) == ("sends-if-faster", "delay_s")
    assert anatomy.value == pytest.approx(base)
    percent = {row.name: row.percent for row in anatomy.rows}
    assert percent == pytest.approx({name: 100.0 * (value / base - 1.0) for name, value in expected.items()})
    assert all(row.low <= row.percent <= row.high for row in anatomy.rows)
    assert percent["constant rates"] > 10.0
    assert percent["picture of 5 s ago"] > 10.0
    assert percent["channel a million times better"] < -15.0


def test_a_problem_without_hooks_lacks_the_rows() -> None:
    case = Case(name="compared", env_id="tests.benchmarks.own_problem:Own-Compared-v0", policies=())
    names = [row.name for row in anatomy_of(case, episodes=2).rows]
    assert names == ["picture of 5 s ago", "picture of the first slot", "vehicles frozen", "no fading"]


def test_a_policy_that_is_illegal_without_a_picture_fails(reach: tuple[Nature, Nature]) -> None:
    """Only actions of a wrong picture are clipped: a policy that errs in the truth is told."""
    nature, _ = reach

    class AlwaysSends(reach_problem.SendsIfFaster):
        def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
            return np.ones(observation.shape[:2], np.int64)

    world = episodes_of(nature.problem, nature.record, "delay_s")
    with pytest.raises(ValueError, match="out of reach cannot send"):
        play("", AlwaysSends(nature.problem), world, seed=0)
    clipped = play("", AlwaysSends(nature.problem), world, seed=0, seen=world)
    np.testing.assert_array_equal(clipped.plan[clipped.decided].all(), True)
    rate_mbps = nature.record.rate_mbps[:, :-1]
    expected = np.where(rate_mbps > 0.0, 1.0 / np.where(rate_mbps > 0.0, rate_mbps, 1.0), 0.8)
    np.testing.assert_allclose(clipped.mean, expected.sum(axis=-1).mean(axis=-1))


def test_stored_references_are_compared_too(tmp_path: Path) -> None:
    """The seer is compared on its own episodes, which are the first ones."""
    case, path = reach_problem.CASE, tmp_path / "found.jsonl"
    alone = anatomy_of(case, episodes=2).value
    line = {
        **case_key(case),
        "static": {"table": [[0, 0, 0]]},
        "timetable": {"table": [[0, 0, 0], [0, 0, 0]]},
        "seer": {"delay_s": [0.25 * alone, 0.75 * alone]},
    }
    path.write_text(json.dumps(line) + "\n")
    anatomy = anatomy_of(replace(case, references=str(path)), episodes=4)
    percent = {row.name: row.percent for row in anatomy.rows if row.kind == "policy"}
    blind = 100.0 * (3 * 0.8 / anatomy.value - 1.0)
    assert percent == pytest.approx(
        {"best fixed action": blind, "best table of actions": blind, "selfish (computes)": blind, "seer": -50.0}
    )


@pytest.mark.parametrize("policy", ["typo", "optimum-drift", "gbs-best"])
def test_a_policy_must_be_a_fast_reference_with_the_options_of_the_case(policy: str) -> None:
    """Another reference would play other options under its name."""
    env = {"mobility": "straight", "num_client_vehicles": 4, "episode_slots": 5}
    kind = "VEC-DNNPartition-v0" if policy == "optimum-drift" else "VEC-TaskDiversion-v0"
    case = Case(name="a", env_id=kind, env=env, policies=(), episodes=2)
    with pytest.raises(ValueError, match=f"must be a fast reference .*; got '{policy}'"):
        anatomy_of(case, episodes=2, policy=policy)


@pytest.mark.slow
def test_reach_is_what_is_hard_about_a_radio_that_bites() -> None:
    """Planning by constant rates costs nothing with the paper's radio, and much where vehicles are out of reach."""
    env = {"mobility": "replay", "num_client_vehicles": 7, "num_service_vehicles": 5}
    radio = {"carrier_ghz": 5.9, "noise_figure_db": 9.0, "v2v_range_m": 150.0}
    rows: list[dict[str, Row]] = []
    for more in ({}, radio):
        case = Case(name="radio", env_id="VEC-DNNPartition-v0", env=env | more, policies=())
        found = anatomy_of(case, episodes=3, policy="least-delay")
        assert found.policy == "least-delay"
        rows.append({row.name: row for row in found.rows})
    assert abs(rows[0]["constant rates"].percent) < 5.0
    assert rows[1]["constant rates"].low > 40.0
    assert rows[1]["selfish (least-delay)"].percent == 0.0


def test_the_command_measures_and_stores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "measured.jsonl"
    arguments = [f"--suite={reach_problem.__name__}:SUITE", "--episodes=2", f"--output={path}"]
    assert main(arguments) == main(arguments) == 0
    (line,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert (line["env_id"], line["case"], line["episodes"], line["seed"]) == (reach_problem.CASE.env_id, "reach", 2, 40)
    assert set(line["rows"][0]) == {"name", "kind", "percent", "low", "high", "grows"}
    assert line == written(anatomy_of(reach_problem.CASE, episodes=2))
    assert "sends-if-faster" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--case", "nothing"], "the case 'nothing' is unknown; the cases of main are"),
        (["nothing"], "the environment 'nothing' is unknown; those of main are 'VEC-DNNPartition-v0'"),
        (["--suite", "nothing"], "the suite 'nothing' is unknown"),
    ],
)
def test_an_unknown_case_lists_the_known_ones(arguments: list[str], says: str) -> None:
    with pytest.raises(SystemExit, match=says):
        main(arguments)


def test_pages_show_what_was_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured, page = tmp_path / "measured.jsonl", tmp_path / "dnn-partition.md"
    row = {"name": "no fading", "kind": "world", "percent": -0.31, "low": -0.42, "high": 120.4, "grows": True}
    env_id = "VEC-DNNPartition-v0"
    line = {
        "env_id": env_id,
        "env": options_of(env_id, {}),
        "metric": "completion_time_s",
        "seed": 1000,
        "value": 2.034,
        "grows": False,
        "rows": [row],
    }
    lines = [{**line, "case": name, "policy": "least-delay"} for name in ("a", "b")]
    lines += [{**line, "case": "own", "env_id": reach_problem.CASE.env_id}]
    measured.write_text("".join(json.dumps(of) + "\n" for of in lines))
    page.write_text("# A page\n\n<!-- measured: anatomy -->\n\nold\n<!-- end: anatomy -->\n\nprose\n")
    arguments = [f"--pages={tmp_path}", f"--output={measured}"]
    assert main([*arguments, "--check"]) == 1
    assert "dnn-partition.md differs" in capsys.readouterr().out
    assert "old" in page.read_text(), "a check writes nothing"
    assert main(arguments) == 0
    assert "| no fading | -0.3 % [-0.4, +120], grows | -0.3 % [-0.4, +120], grows |" in page.read_text()
    assert "| its metric | `completion_time_s` 2.034 s | `completion_time_s` 2.034 s |" in page.read_text()
    assert "prose" in page.read_text()
    assert main([*arguments, "--check"]) == 0


def test_the_committed_pages_show_what_was_measured() -> None:
    assert all((DOCS / str(page_of(env_id))).exists() for env_id in ENVIRONMENTS)
    assert main([f"--pages={DOCS}", "--check"]) == 0, "run python -m benchmarks.anatomy --pages docs"
