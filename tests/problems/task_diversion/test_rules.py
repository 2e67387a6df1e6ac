"""The reference policies of `TaskDiversion`: each does what it says, and the greedy one finds the least cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.made_up import profile
from vec_envs import task_diversion_v0
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.policies import CheapestCut, Policy, RandomNumbers, references
from vec_envs.problems.base import View
from vec_envs.problems.task_diversion.policies.deadlines import DeadlineCut
from vec_envs.problems.task_diversion.policies.rules import task_options
from vec_envs.problems.task_diversion.problem import Exogenous, State, TaskDiversion
from vec_envs.problems.task_diversion.records import Request

NUM_ENVS = 4
REFERENCES = references(TaskDiversion).policies
ALL = pytest.mark.parametrize("name", REFERENCES)

DNNS = (profile("short", (1.0, 3.0), (40.0, 2.0, 0.5)), profile("long", (0.0, 2.0, 0.1, 5.0), (8.0, 60.0, 3.0, 9.0, 1)))


def make_env(name: str, **options: Any) -> BatchVectorEnv:
    sizes = {"num_client_vehicles": 4, "episode_slots": 10, "autoreset_mode": "SAME_STEP", "release_rate_hz": 0.6}
    return task_diversion_v0.vector_env(
        num_envs=NUM_ENVS, mobility="straight", **(sizes | dict(REFERENCES[name].env) | options)
    )


def observation_and_view(name: str) -> tuple[np.ndarray, View]:
    envs = make_env(name)
    observation, _ = envs.reset(seed=0)
    for _ in range(5):
        observation, *_ = envs.step(envs.action_space.sample())
    return observation[:, None], envs.view


# The interface --------------------------------------------------------------------------------------------------------


def test_rules_follow_the_diversion_where_actions_choose_the_unit() -> None:
    envs = make_env("gbs-best-diverted", **({"diversion": "chosen"} | dict(REFERENCES["gbs-best-diverted"].env)))
    policy = REFERENCES["gbs-best-diverted"].make(envs.problem)
    observation, _ = envs.reset(seed=0)
    second = 0
    for _ in range(30):
        nearest = envs.view.exogenous.unit[:, 0]
        action = policy.act(observation[:, None], envs.view)
        asked = envs.problem.request(envs.view.state, envs.view.exogenous).unit
        second += int(((asked >= 0) & (asked != nearest)).sum())
        observation, *_ = envs.step(action[:, 0])
    assert second > 0


@pytest.mark.slow
@ALL
def test_policy_plays_the_environment_under_its_own_options(name: str) -> None:
    envs = make_env(name)
    policy = REFERENCES[name].make(envs.problem)
    assert isinstance(policy, Policy)
    observation, _ = envs.reset(seed=0)
    policy.reset(0)
    for _ in range(30):
        action = policy.act(observation[:, None], envs.view)
        assert action.shape == (NUM_ENVS, 1, 3)
        assert action.dtype == np.float64
        observation, reward, *_ = envs.step(action[:, 0])
        assert np.isfinite(reward).all()


@ALL
def test_policy_is_repeatable_by_seed_and_does_not_modify_its_inputs(name: str) -> None:
    observation, view = observation_and_view(name)
    shown = [observation, *vars(view.state).values(), *vars(view.exogenous).values()]
    before = [array.copy() for array in shown]
    one, other = (REFERENCES[name].make(view.problem) for _ in range(2))
    one.reset(3)
    other.reset(3)
    first = [one.act(observation, view) for _ in range(3)]
    assert all(np.array_equal(a, other.act(observation, view)) for a in first)
    one.reset(3)
    assert np.array_equal(first[0], one.act(observation, view))
    first[0][...] = 0
    assert all(np.array_equal(a, b) for a, b in zip(before, shown, strict=True))


@pytest.mark.parametrize("name", [name for name in REFERENCES if name != "random"])
def test_a_rule_says_that_it_needs_the_view(name: str) -> None:
    observation, view = observation_and_view(name)
    with pytest.raises(
        ValueError, match=r"(Cheapest|Deadline)Cut looks at .* policy.act\(observation, env.unwrapped.view\)"
    ):
        REFERENCES[name].make(view.problem).act(observation)


def test_random_numbers_are_uniform_and_need_no_view() -> None:
    for diversion, size in (("probability", 3), ("chosen", 4)):
        policy = RandomNumbers(TaskDiversion(diversion=diversion))
        drawn = policy.act(np.zeros((20_000, 1, 8), dtype=np.float32))
        assert drawn.shape == (20_000, 1, size)
        assert np.abs(drawn).max() <= 1.0
        assert drawn.mean(axis=(0, 1)) == pytest.approx(np.zeros(size), abs=0.03)
        assert drawn.std(axis=(0, 1)) == pytest.approx(np.full(size, 3.0**-0.5), abs=0.03)
        assert not np.array_equal(drawn, policy.act(np.zeros((20_000, 1, 8), dtype=np.float32)))


def test_the_paper_s_baselines_ask_the_nearest_unit_and_the_one_to_beat_is_among_them() -> None:
    nearest = {name for name, reference in REFERENCES.items() if reference.env == {"diversion": "nearest"}}
    assert nearest == {"reo-full", "reo-best", "gbs-full", "gbs-best"}
    assert references(TaskDiversion()).to_beat in nearest
    with pytest.raises(ValueError, match="references\\(\\) needs a problem"):
        references(int)


# What each decides ----------------------------------------------------------------------------------------------------

PROBLEM = TaskDiversion(dnns=DNNS, num_client_vehicles=5, beta=3e-3)


def random_view(problem: TaskDiversion, num_envs: int, seed: int = 0) -> View:
    rng = np.random.default_rng(seed)
    blank = problem.initial_state((num_envs,))
    none = np.zeros(num_envs)
    heard = rng.random(num_envs) > 0.2
    exogenous = Exogenous(
        slot=np.full(num_envs, 9),
        release_s=np.full(num_envs, 9.0),
        seat=rng.integers(0, 5, num_envs),
        vehicle=rng.integers(0, 9, num_envs),
        dnn=rng.integers(0, len(problem.profiles), num_envs),
        deadline_s=rng.uniform(1.0, 10.0, num_envs),
        battery=rng.uniform(0.05, 1.0, num_envs),
        position_m=none,
        speed_mps=none,
        unit=np.stack([rng.integers(0, 2, num_envs), rng.integers(2, 4, num_envs)], axis=-1),
        rate_mbps=rng.uniform(5.0, 300.0, (num_envs, 2))
        * np.stack([heard, heard & (rng.random(num_envs) > 0.2)], axis=-1),
        diversion_draw=rng.random(num_envs),
        leave_s=np.full(num_envs, np.inf),
    )
    queues_s = rng.exponential(2.0, blank.rsu_free_s.shape) * (rng.random(blank.rsu_free_s.shape) > 0.4)
    state: State = replace(blank, rsu_free_s=9.0 + queues_s)
    return View(problem=problem, state=state, exogenous=exogenous)


def outcome_of(policy: Policy, view: View) -> Any:
    num_envs, features = len(view.exogenous.dnn), view.problem.observation_size
    action = policy.act(np.zeros((num_envs, 1, features), dtype=np.float32), view)
    return view.problem.transition(view.state, action, view.exogenous)[1]


def test_leo_keeps_everything_and_reo_sends_everything_that_it_can() -> None:
    view = random_view(PROBLEM, 300)
    layers, in_range = PROBLEM.num_layers[view.exogenous.dnn], (view.exogenous.rate_mbps > 0.0).any(axis=-1)
    assert 0 < in_range.sum() < 300
    for speeds in ("full", "best"):
        leo = outcome_of(CheapestCut(PROBLEM, cuts="local", speeds=speeds), view)
        reo = outcome_of(CheapestCut(PROBLEM, cuts="offload", speeds=speeds), view)
        assert (leo.cut == layers).all()
        assert (reo.cut == np.where(in_range, 0, layers)).all()
        assert not leo.offloaded.any()
        assert (reo.offloaded == in_range).all()


@pytest.mark.parametrize("cuts", ["any", "local", "offload"])
def test_full_speed_is_the_fastest_of_both_sides(cuts: Any) -> None:
    outcome = outcome_of(CheapestCut(PROBLEM, cuts=cuts, speeds="full"), random_view(PROBLEM, 50))
    assert outcome.vehicle_ghz == pytest.approx(np.full(50, 3.0))
    assert outcome.rsu_ghz == pytest.approx(np.full(50, 7.0))


@pytest.mark.parametrize("cuts", ["any", "local", "offload"])
def test_the_best_speeds_never_cost_more_than_full_ones(cuts: Any) -> None:
    view = random_view(PROBLEM, 500)
    full, best = (outcome_of(CheapestCut(PROBLEM, cuts=cuts, speeds=s), view).task.cost for s in ("full", "best"))
    assert (best <= full + 1e-9).all()
    assert (best < full - 1e-3).mean() > 0.5


def test_greedy_at_full_speed_takes_the_cheapest_cut() -> None:
    view = random_view(PROBLEM, 200)
    outcome = outcome_of(CheapestCut(PROBLEM, speeds="full"), view)
    request = PROBLEM.request(view.state, view.exogenous)
    for row in range(200):
        layers = int(PROBLEM.num_layers[view.exogenous.dnn[row]])
        cuts = range(layers + 1) if request.asked[row] >= 0 else [layers]
        costs = [
            float(
                PROBLEM.task_outcome(
                    dnn=int(view.exogenous.dnn[row]),
                    cut=cut,
                    vehicle_ghz=3.0,
                    rsu_ghz=7.0,
                    rate_mbps=float(request.rate_mbps[row]),
                    queue_s=float(request.queue_s[row]),
                    battery=float(request.battery[row]),
                ).cost
            )
            for cut in cuts
        ]
        assert outcome.task.cost[row] == pytest.approx(min(costs))


# The least cost -------------------------------------------------------------------------------------------------------


def random_requests(problem: TaskDiversion, num_envs: int, seed: int) -> tuple[np.ndarray, Request]:
    view = random_view(problem, num_envs, seed)
    return view.exogenous.dnn, problem.request(view.state, view.exogenous)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"beta": 3e-2}, {"beta": 0.0}, {"battery_factor": False, "beta": 1e-2}, {"min_ghz": 2.0, "vehicle_ghz": 2.5}],
    ids=str,
)
def test_the_speeds_of_each_cut_are_those_of_least_cost(options: dict[str, Any]) -> None:
    problem = replace(PROBLEM, **options)
    dnn, request = random_requests(problem, 1000, seed=1)
    cut, own_ghz, unit_ghz, outcome = task_options(problem, dnn, request, speeds="best")
    for some_ghz, most_ghz in ((own_ghz, problem.vehicle_ghz), (unit_ghz, problem.rsu_ghz)):
        assert (some_ghz >= problem.min_ghz).all()
        assert (some_ghz <= most_ghz).all()
    grid = np.linspace(0.0, 1.0, 801)
    for place in cut:
        common = {
            "dnn": dnn[:, None],
            "cut": np.minimum(place, problem.num_layers[dnn])[:, None],
            "rate_mbps": np.where(request.asked >= 0, request.rate_mbps, 1.0)[:, None],
            "queue_s": request.queue_s[:, None],
            "battery": request.battery[:, None],
        }
        along_own, along_unit = (
            problem.min_ghz + grid * (most - problem.min_ghz) for most in (problem.vehicle_ghz, 7.0)
        )
        by_own = problem.task_outcome(**common, vehicle_ghz=along_own, rsu_ghz=unit_ghz[:, [place]]).cost
        by_unit = problem.task_outcome(**common, vehicle_ghz=own_ghz[:, [place]], rsu_ghz=along_unit).cost
        # The cost is a sum of one term for each speed, so the two speeds can be minimised separately.
        for costs in (by_own, by_unit):
            assert (outcome.cost[:, place] <= costs.min(axis=1) + 1e-9).all()
            np.testing.assert_allclose(outcome.cost[:, place], costs.min(axis=1), rtol=1e-2)


def test_both_speeds_together_are_the_best_of_all_pairs() -> None:
    dnn, request = random_requests(PROBLEM, 60, seed=2)
    cut, *_, outcome = task_options(PROBLEM, dnn, request, speeds="best")
    own_ghz, unit_ghz = np.linspace(0.5, 3.0, 60)[:, None], np.linspace(0.5, 7.0, 60)
    for row in range(60):
        for place in cut[: PROBLEM.num_layers[dnn[row]] + 1]:
            costs = PROBLEM.task_outcome(
                dnn=int(dnn[row]),
                cut=int(place),
                vehicle_ghz=own_ghz,
                rsu_ghz=unit_ghz,
                rate_mbps=float(request.rate_mbps[row]) or 1.0,
                queue_s=float(request.queue_s[row]),
                battery=float(request.battery[row]),
            ).cost
            assert outcome.cost[row, place] <= costs.min() + 1e-9
            assert outcome.cost[row, place] == pytest.approx(costs.min(), rel=0.02)


@pytest.mark.parametrize("diversion", ["nearest", "probability"])
def test_no_action_costs_the_task_less_than_the_greedy_one(diversion: str) -> None:
    problem = replace(PROBLEM, diversion=diversion)
    view, rng = random_view(problem, 1000, seed=3), np.random.default_rng(0)
    least = outcome_of(CheapestCut(problem), view).task.cost
    for _ in range(60):
        action = rng.uniform(-1.0, 1.0, (1000, 1, 3))
        assert (least <= problem.transition(view.state, action, view.exogenous)[1].task.cost + 1e-9).all()


def test_greedy_with_a_unit_to_choose_asks_the_nearest() -> None:
    problem = replace(PROBLEM, diversion="chosen")
    view = random_view(problem, 200)
    outcome = outcome_of(CheapestCut(problem), view)
    plain = random_view(replace(problem, diversion="nearest"), 200)
    expected = outcome_of(CheapestCut(plain.problem), plain)
    np.testing.assert_array_equal(outcome.unit, expected.unit)
    np.testing.assert_allclose(outcome.task.cost, expected.task.cost)


def test_greedy_decides_for_any_library_of_dnns() -> None:
    problem = TaskDiversion(num_client_vehicles=5)
    view = random_view(problem, 400, seed=4)
    outcome = outcome_of(CheapestCut(problem), view)
    least = outcome_of(CheapestCut(problem, cuts="local"), view).task.cost
    assert (outcome.task.cost <= least + 1e-9).all()
    assert 0 < outcome.offloaded.sum() < 400


@pytest.mark.parametrize("options", [{"cuts": "loca"}, {"speeds": "Full"}], ids=str)
def test_an_unknown_choice_of_a_rule_is_refused(options: dict[str, Any]) -> None:
    (name, value), *_ = options.items()
    with pytest.raises(ValueError, match=f"{name} must be one of '.*, got '{value}'"):
        CheapestCut(TaskDiversion(), **options)


# Deadlines -----------------------------------------------------------------------------------------------------------


def total_of(outcome: Any, problem: TaskDiversion, price: float) -> np.ndarray:
    """Returns cost, deadline penalty and price of the unit's time of decisions that were taken."""
    at_unit = outcome.offloaded
    kept_s = np.where(at_unit, outcome.task.start_s + outcome.task.rsu_service_s - outcome.queue_s, 0.0)
    return outcome.task.cost + problem.deadline_penalty * outcome.task.missed + price * kept_s


@pytest.mark.parametrize("price", [0.0, 1.0])
def test_the_rule_for_deadlines_is_at_least_as_good_as_any_grid_of_decisions(price: float) -> None:
    envs = make_env("gbs-deadline", deadline_factor=(0.3, 1.2), deadline_penalty=5.0)
    problem, rng = envs.problem, np.random.default_rng(0)
    policy = DeadlineCut(problem, price=price)
    observation, _ = envs.reset(seed=0)
    missed = 0
    for _ in range(12):
        state, task = envs.view.state, envs.view.exogenous
        action = policy.act(observation[:, None], envs.view)
        _, outcome = problem.transition(state, action, task)
        taken = total_of(outcome, problem, price)
        for cheapest in (CheapestCut(problem), CheapestCut(problem, speeds="full"), CheapestCut(problem, cuts="local")):
            _, other = problem.transition(state, cheapest.act(observation[:, None], envs.view), task)
            assert (taken <= total_of(other, problem, price) + 1e-9).all()
        missed += int(outcome.task.missed.sum())
        observation, *_ = envs.step(rng.uniform(-1.0, 1.0, (NUM_ENVS, 3)))
    assert missed > 0, "deadlines bind"


def test_a_higher_price_keeps_units_for_less_time() -> None:
    envs = make_env("gbs-deadline", deadline_factor=(0.5, 1.5), deadline_penalty=5.0)
    kept_s = []
    for price in (0.0, 3.0):
        policy = DeadlineCut(envs.problem, price=price)
        observation, _ = envs.reset(seed=0)
        total_s = 0.0
        for _ in range(20):
            action = policy.act(observation[:, None], envs.view)
            _, outcome = envs.problem.transition(envs.view.state, action, envs.view.exogenous)
            total_s += float(np.where(outcome.offloaded, outcome.task.rsu_service_s, 0.0).sum())
            observation, *_ = envs.step(action[:, 0])
        kept_s.append(total_s)
    assert kept_s[1] < 0.9 * kept_s[0]
    with pytest.raises(ValueError, match="price"):
        DeadlineCut(envs.problem, price=-1.0)
