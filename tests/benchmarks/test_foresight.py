"""The reference that knows the future, the seer where nobody has a choice, and the anatomy's rows about both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.anatomy.foresight import means_of, shares_of
from benchmarks.anatomy.nature import Nature, unshadowed
from benchmarks.anatomy.report import STORE
from benchmarks.jobs.plan import case_key
from benchmarks.leaderboard.case_boards import _anatomy
from benchmarks.references.find import _most_frequent
from benchmarks.references.foresight import NAME, play_clairvoyant
from benchmarks.references.played import play
from benchmarks.references.rollouts import Goal, KnownEpisodes
from benchmarks.references.seer import Seer
from benchmarks.results.case_lines import line_of
from benchmarks.suites import cases_of
from tests.made_up import LONG, SHORT
from vec_envs.core.batch import EnvironmentBatch, first_draws
from vec_envs.mobility import StraightMobility
from vec_envs.policies import references
from vec_envs.problems.mobile_inference import MobileInference
from vec_envs.problems.mobile_inference.policies import REFERENCES
from vec_envs.records import map_arrays, pick, stack

METRIC = "cost_per_task_s"
PROBLEM = MobileInference(
    dnns=(SHORT, LONG),
    num_client_vehicles=2,
    num_service_vehicles=1,
    episode_slots=10,
    deadline_s=1.5,
    arrival_rate_hz=0.5,
    rsu_ghz=60.0,
)


@pytest.fixture(scope="module")
def nature() -> Nature:
    batch = EnvironmentBatch(PROBLEM, StraightMobility(), 2)
    batch.reset([0, 1], [5, 6])
    traffic = stack([batch.traffic(row) for row in range(2)])
    draws = stack([first_draws(PROBLEM, seed) for seed in (5, 6)])
    return Nature(problem=PROBLEM, draws=draws, traffic=traffic, road=batch.mobility.road)


def episodes_of(nature: Nature) -> KnownEpisodes:
    return KnownEpisodes(PROBLEM, nature.record, Goal(metric=METRIC, bounds={}))


def test_who_knows_the_future_plays_epoch_by_epoch(nature: Nature) -> None:
    episodes = episodes_of(nature)
    reference = REFERENCES.clairvoyant
    assert reference is not None
    assert references(PROBLEM).clairvoyant is reference
    found = play_clairvoyant(reference(PROBLEM), episodes)
    assert found.name == NAME
    state = PROBLEM.initial_state((2,))
    for epoch in range(10):
        action = reference(PROBLEM).plan(state, nature.record, epoch)
        np.testing.assert_array_equal(found.plan[:, epoch], action)
        state, _ = PROBLEM.transition(state, action, episodes.exogenous(_at(episodes, epoch)))
    np.testing.assert_allclose(means_of(METRIC, episodes, found), found.mean, rtol=1e-12)


def _at(episodes: KnownEpisodes, epoch: int) -> Any:
    return replace(episodes.start(np.arange(2)), epoch=np.full(2, epoch))


def test_shares_are_of_the_decisions_that_were_taken(nature: Nature) -> None:
    episodes = episodes_of(nature)
    played = play("local", REFERENCES.named("local").make(PROBLEM), episodes, seed=0)
    shares = shares_of(episodes, played, name="x")
    assert shares.pop("all layers at the client")[0] == pytest.approx(100.0)
    assert set(shares.values()) == {(0.0, 0.0, 0.0)}


def test_a_board_shows_no_share_as_a_change_of_the_metric() -> None:
    (case,) = cases_of("mobile", name="8 clients")
    line = line_of(STORE, **case_key(case))
    assert line is not None
    assert "share" in {row["kind"] for row in line["rows"]}
    anatomy = _anatomy(case)
    assert anatomy is not None
    assert {change.kind for change in anatomy.changes} == {"picture", "world", "policy"}


def test_a_first_table_has_the_most_frequent_choice_of_each_agent() -> None:
    idle = 2
    plan = np.array([[[2, 0, 2], [2, 0, 2], [2, 5, 2]], [[3, 2, 2], [2, 2, 2], [3, 2, 2]]])
    np.testing.assert_array_equal(_most_frequent(plan, idle=idle), [3, 0, idle])


@pytest.mark.parametrize("plans", [1, 2])
def test_the_seer_passes_epochs_in_which_nobody_has_a_choice(nature: Nature, plans: int) -> None:
    episode = episodes_of(nature).one(0, Goal(metric=METRIC, bounds={}))
    waits = np.zeros((10, 2), np.int64)
    local = play("local", REFERENCES.named("local").make(PROBLEM), episodes_of(nature), seed=0).plan[0]
    given = [local, waits][:plans]
    found = Seer(episode, np.random.default_rng(0), budget_s=0.2).best_of(given)
    assert found.value <= min(float(episode.value(episode.trace(plan)[10])[0]) for plan in given)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3), (0, 0, 3)])
@pytest.mark.parametrize("several", [True, False])
def test_entries_of_no_rows_are_none(shape: tuple[int, ...], several: bool) -> None:
    index = np.zeros((*shape[:-1], *[2] * several), np.int64)
    assert pick(np.zeros(shape), index).shape == index.shape
    state, _ = PROBLEM.transition(PROBLEM.initial_state((0,)), np.zeros((0, 2), np.int64), _none())
    assert state.waiting.shape == (0, 2)


def _none() -> Any:
    batch = EnvironmentBatch(PROBLEM, StraightMobility(), 1)
    batch.reset([0], [0])
    return map_arrays(lambda a: a[:0], batch.exogenous)


def test_without_shadowing_links_are_those_of_the_option(nature: Nature) -> None:
    mean = unshadowed(nature)
    assert mean is not None
    assert unshadowed(mean) is None
    distance = nature.record.v2i_distance_m
    present = nature.record.client_present[..., None]
    expected = np.where(present, PROBLEM.links.mean_efficiency(distance, "v2i"), 0.0)
    np.testing.assert_allclose(mean.record.v2i_efficiency, expected)
    np.testing.assert_array_equal(mean.record.arrives, nature.record.arrives)
