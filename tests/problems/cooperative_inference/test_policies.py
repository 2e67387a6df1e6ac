"""The reference policies of `CooperativeInference`: each follows its rule, and no cuts cost less than the optimum."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.made_up import profile
from vec_envs import cooperative_inference_v0
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.policies import AllEdge, ExactCuts, LargestCut, Policy, RandomCuts, references
from vec_envs.problems.base import View
from vec_envs.problems.cooperative_inference.policies import exact
from vec_envs.problems.cooperative_inference.problem import CooperativeInference, Exogenous, State
from vec_envs.records import map_arrays

BATCH_SIZE = 4
REFERENCES = references(CooperativeInference).policies
ALL = pytest.mark.parametrize("name", REFERENCES)

SHORT = profile("short", (2.0, 0.0, 4.0), (4.0, 2.0, 3.0, 0.1), (10.0, 0.0, 200.0))
LONG = profile("long", (1.0, 3.0, 0.4, 5.0), (5.0, 9.0, 1.0, 1.0, 0.1), (1.0, 2.0, 150.0, 40.0))
SYNTHETIC = CooperativeInference(dnns=(SHORT, LONG), dnn_of_device=(0, 1, 1))
REAL = CooperativeInference(dnn_of_device=(0, 1, 1))
HEAVY = CooperativeInference(dnns=("alexnet", "vgg16"), dnn_of_device=(1, 0, 1))


def random_view(
    problem: CooperativeInference,
    batch_size: int,
    seed: int = 0,
    *,
    decades: tuple[float, float] = (-3.0, 3.0),
    empty_seats: float = 0.0,
) -> View:
    rng = np.random.default_rng(seed)
    shape = batch_size, problem.num_devices
    used = rng.random((2, batch_size, 1)) < 0.7
    state = State(
        energy_queue=10.0 ** rng.uniform(-2.0, 2.3, shape) * used[0],
        memory_queue=10.0 ** rng.uniform(-2.0, 2.3, shape) * used[1],
    )
    gain = problem.channel.mean_gain(np.full(shape, 150.0)) * 10.0 ** rng.uniform(*decades, shape)
    rate_hz = rng.uniform(0.5, 2.5, shape) * (rng.random(shape) >= empty_seats)
    return View(problem=problem, state=state, exogenous=Exogenous(gain=gain, arrival_rate_hz=rate_hz))


def act(policy: Policy, view: View) -> np.ndarray:
    shape = *view.exogenous.gain.shape, view.problem.observation_size
    return policy.act(np.zeros(shape, dtype=np.float32), view)


def cost(view: View, cuts: np.ndarray) -> np.ndarray:
    return -view.problem.transition(view.state, cuts, view.exogenous)[1].reward


def costs_of_all(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Returns all cut vectors, `[vectors, devices]`, and their costs, `[batch, vectors]`, infinite if illegal."""
    problem = view.problem
    vectors = np.array(list(product(*map(range, problem.action_counts))))
    legal = problem.action_mask(view.state, view.exogenous)[:, np.arange(problem.num_devices), vectors].all(axis=-1)
    state, exogenous = (map_arrays(lambda a: a[:, None], record) for record in (view.state, view.exogenous))
    stable = np.where(legal[..., None], vectors, 0)
    return vectors, np.where(legal, -problem.transition(state, stable, exogenous)[1].reward, np.inf)


# The interface --------------------------------------------------------------------------------------------------------


def make_env(**options: Any) -> BatchVectorEnv:
    return cooperative_inference_v0.vector_env(
        num_envs=BATCH_SIZE, episode_slots=10, autoreset_mode="SAME_STEP", **({"dnn_of_device": (0, 1)} | options)
    )


@ALL
def test_policy_plays_the_environment(name: str) -> None:
    envs = make_env(**REFERENCES[name].env)
    policy = REFERENCES[name].make(envs.problem)
    assert isinstance(policy, Policy)
    observation, _ = envs.reset(seed=0)
    policy.reset(0)
    for _ in range(15):
        action = policy.act(observation, envs.view)
        assert action.shape == (BATCH_SIZE, 2)
        assert action.dtype == np.int64
        observation, reward, *_ = envs.step(action)
        assert np.isfinite(reward).all()


@ALL
def test_policy_is_repeatable_by_seed_and_does_not_modify_its_inputs(name: str) -> None:
    view = random_view(REAL, 6)
    shown = [*vars(view.state).values(), *vars(view.exogenous).values()]
    before = [array.copy() for array in shown]
    one, other = (REFERENCES[name].make(REAL) for _ in range(2))
    one.reset(3)
    other.reset(3)
    first = [act(one, view) for _ in range(3)]
    assert all(np.array_equal(a, act(other, view)) for a in first)
    one.reset(3)
    assert np.array_equal(first[0], act(one, view))
    first[0][...] = 0
    assert all(np.array_equal(a, b) for a, b in zip(before, shown, strict=True))


@ALL
def test_policy_refuses_learned_resources(name: str) -> None:
    learned = replace(REAL, allocation="learned")
    with pytest.raises(ValueError, match=r"\w+ chooses cuts only: it needs allocation='exact', got 'learned'"):
        REFERENCES[name].make(learned)
    REFERENCES[name].make(replace(learned, **REFERENCES[name].env))


@pytest.mark.parametrize("kind", [RandomCuts, LargestCut, ExactCuts])
def test_policy_says_that_it_needs_the_view(kind: type[Any]) -> None:
    with pytest.raises(ValueError, match=rf"{kind.__name__} looks at .* policy.act\(observation, env.unwrapped.view\)"):
        kind(REAL).act(np.zeros((2, 3, 4), dtype=np.float32))


def test_references_of_the_problem() -> None:
    assert set(REFERENCES) == {"random", "local", "edge", "optimum"}
    assert references(REAL).to_beat == "optimum"
    with pytest.raises(ValueError, match="got 'delay'"):
        ExactCuts(REAL, objective="delay")


# What each decides ----------------------------------------------------------------------------------------------------


def test_local_runs_all_layers_and_edge_none() -> None:
    view = random_view(REAL, 5)
    assert (act(LargestCut(REAL), view) == REAL.num_layers).all()
    assert (act(AllEdge(REAL), view) == 0).all()


def test_local_runs_as_many_layers_as_a_device_can_carry() -> None:
    view = random_view(HEAVY, 200)
    cuts, device = act(LargestCut(HEAVY), view), np.arange(3)
    load = HEAVY.cut_table.local_gcycles[device] * view.exogenous.arrival_rate_hz[..., None]
    at = np.take_along_axis(load, cuts[..., None], axis=-1)[..., 0]
    beyond = np.take_along_axis(load, np.minimum(cuts + 1, HEAVY.num_layers)[..., None], axis=-1)[..., 0]
    assert (at < 1.5).all()
    assert ((beyond >= 1.5) | (cuts == HEAVY.num_layers)).all()
    assert (cuts[:, 1] == HEAVY.num_layers[1]).all()
    assert (cuts[:, 0] < HEAVY.num_layers[0]).any()


def test_random_is_uniform_over_the_cuts_that_a_device_has() -> None:
    view = random_view(HEAVY, 1)
    view = replace(view, exogenous=replace(view.exogenous, arrival_rate_hz=np.array([[2.5, 2.5, 0.6]])))
    state, exogenous = (map_arrays(lambda a: a.repeat(30_000, axis=0), r) for r in (view.state, view.exogenous))
    many = View(problem=HEAVY, state=state, exogenous=exogenous)
    legal = HEAVY.action_mask(view.state, view.exogenous)[0]
    assert legal[0].sum() < HEAVY.action_counts[0] == legal[2].sum()
    cuts = act(RandomCuts(HEAVY), many)
    for device in range(3):
        share = np.bincount(cuts[:, device], minlength=legal.shape[1]) / len(cuts)
        assert share == pytest.approx(legal[device] / legal[device].sum(), abs=0.01)


@ALL
def test_no_policy_chooses_a_cut_that_a_device_cannot_carry(name: str) -> None:
    view = random_view(HEAVY, 100, seed=5)
    cuts = act(REFERENCES[name].make(HEAVY), view)
    legal = HEAVY.action_mask(view.state, view.exogenous)
    assert not legal[:, 0, : HEAVY.action_counts[0]].all()
    assert np.take_along_axis(legal, cuts[..., None], axis=-1).all()
    assert np.isfinite(cost(view, cuts)).all()


# The optimum ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem", "batch_size"),
    [
        (SYNTHETIC, 3000),
        (replace(SYNTHETIC, dnn_of_device=(1, 0)), 200),
        (replace(SYNTHETIC, dnn_of_device=(1,)), 50),
        (replace(SYNTHETIC, dnn_of_device=(0, 1, 1, 0, 1), server_ghz=1.0), 40),
        (replace(SYNTHETIC, lyapunov_v=0.1, bandwidth_mhz=0.5), 1000),
        (REAL, 100),
        (replace(REAL, lyapunov_v=300.0, server_ghz=2.0), 50),
        (HEAVY, 25),
    ],
    ids=["synthetic", "two", "one", "five", "little weight of delay", "real", "great weight of delay", "heavy"],
)
def test_optimum_costs_the_least_of_all_cuts(problem: CooperativeInference, batch_size: int) -> None:
    for decades, empty_seats in (((-3.0, 3.0), 0.0), ((0.0, 2.0), 0.0), ((0.0, 2.0), 0.3)):
        view = random_view(problem, batch_size // 3, seed=1, decades=decades, empty_seats=empty_seats)
        chosen = cost(view, act(ExactCuts(problem), view))
        np.testing.assert_allclose(chosen, costs_of_all(view)[1].min(axis=-1), rtol=1e-9)


def test_channels_may_fade_by_many_decades() -> None:
    view = random_view(SYNTHETIC, 100, decades=(-12.0, 6.0))
    np.testing.assert_allclose(
        cost(view, act(ExactCuts(SYNTHETIC), view)), costs_of_all(view)[1].min(axis=-1), rtol=1e-9
    )


def test_the_cases_are_not_trivial() -> None:
    view = random_view(SYNTHETIC, 200, seed=1)
    cuts = act(ExactCuts(SYNTHETIC), view)
    for policy in (LargestCut(SYNTHETIC), AllEdge(SYNTHETIC)):
        assert (cost(view, act(policy, view)) > cost(view, cuts) * (1.0 + 1e-6)).mean() > 0.9
    for device in range(3):
        assert (np.bincount(cuts[:, device]) > 20).sum() >= 3


@pytest.mark.parametrize(
    "numbers",
    [
        {"PRICE_STAGES": 0},
        {"PRICE_STAGES": 1, "PRICE_POINTS": 3, "ROWS_AT_ONCE": 5},
        {"ROWS_AT_ONCE": 7, "ENVIRONMENTS_AT_ONCE": 3, "SEARCHED_FRACTIONS": (1.0,)},
        {"PRICE_STAGES": 0, "SEARCHED_FRACTIONS": (1e-3, 1.0), "ROWS_AT_ONCE": 50},
    ],
    ids=str,
)
def test_the_optimum_does_not_depend_on_search_settings(
    monkeypatch: pytest.MonkeyPatch, numbers: dict[str, Any]
) -> None:
    for name, value in numbers.items():
        monkeypatch.setattr(exact, name, value)
    view = random_view(SYNTHETIC, 20, seed=2, decades=(-1.0, 2.0))
    np.testing.assert_allclose(
        cost(view, act(ExactCuts(SYNTHETIC), view)), costs_of_all(view)[1].min(axis=-1), rtol=1e-9
    )


@pytest.mark.parametrize("problem", [SYNTHETIC, REAL, HEAVY], ids=["synthetic", "real", "heavy"])
def test_no_cuts_cost_less_than_their_bound_at_any_prices(problem: CooperativeInference) -> None:
    view = random_view(problem, 6, seed=3)
    costs = exact._costs(problem, problem.objective("drift_bound"), view)
    vectors, cost_of = costs_of_all(view)
    rng, device = np.random.default_rng(0), np.arange(problem.num_devices)
    gaps = []
    for _ in range(8):
        prices = (10.0 ** rng.uniform(-4.0, 3.0, (6, 4)) for _ in range(2))
        bound = exact._bounds(costs, *prices)[2]
        bounds = bound.value[:, None] + bound.excess[:, device, vectors].sum(axis=-1)
        assert (bounds <= cost_of * (1.0 + 1e-12)).all()
        assert (bound.excess >= 0.0).all()
        gaps.append((cost_of.min(axis=-1) - bound.value) / cost_of.min(axis=-1))
    assert np.min(gaps) < 0.05  # the bound is worth something


def test_the_bound_at_the_prices_of_the_best_resources_is_the_cost_itself() -> None:
    view = random_view(REAL, 30, seed=4)
    rng = np.random.default_rng(0)
    cuts = rng.integers(0, REAL.num_layers, (30, 3))  # below L: all send
    outcome = REAL.transition(view.state, cuts, view.exogenous)[1]
    costs = exact._costs(REAL, REAL.objective("drift_bound"), view)
    server = REAL.cut_table.server_gcycles[np.arange(3), cuts]
    zeta = 10.0 * np.sqrt(server).sum(axis=-1) ** 2 / 15.0**2
    share, snr = outcome.bandwidth_share, costs.snr
    efficiency = share * np.log2(1.0 + snr / share)
    slope = np.log2(1.0 + snr / share) - snr / (share + snr) / np.log(2.0)
    sent = costs.sent[np.arange(30)[:, None], np.arange(3), cuts]
    eta = sent * slope / efficiency**2
    np.testing.assert_allclose(eta, np.repeat(eta[:, :1], 3, axis=1), rtol=1e-6)
    only = np.where(np.arange(costs.own.shape[-1]) == cuts[..., None], costs.own, np.inf)
    alone = replace(costs, own=only)
    bound = exact._bounds(alone, zeta[:, None], eta[:, :1])[2]
    np.testing.assert_allclose(bound.value, -outcome.reward, rtol=1e-9)


def test_with_free_work_and_data_the_optimum_costs_nothing() -> None:
    free = profile("free", (0.0, 0.0), (1.0, 1.0, 0.0), (0.0, 0.0))
    view = random_view(CooperativeInference(dnns=(free, replace(free, name="free too")), dnn_of_device=(0, 1)), 10)
    view = replace(view, state=map_arrays(np.zeros_like, view.state))
    assert (cost(view, act(ExactCuts(view.problem), view)) == 0.0).all()


@pytest.mark.slow
def test_ten_devices_are_no_worse_than_many_random_cuts() -> None:
    problem = CooperativeInference(
        dnns=("alexnet", "resnet18", "vgg16"),
        dnn_of_device=(0, 1, 2, 0, 1, 2, 0, 1, 0, 1),
        energy_budget_j=(0.04, 0.06, 1.0),
        memory_budget_gb=(0.1, 0.03, 1.0),
    )
    view = random_view(problem, 70, decades=(-1.0, 2.0))
    least = act(ExactCuts(problem), view)
    rng, environment = np.random.default_rng(0), np.arange(70)
    legal = problem.action_mask(view.state, view.exogenous).sum(axis=-1)
    for _ in range(200):  # a cut of one or two devices changed, or all of them
        tried = least.copy()
        for _ in range(2):
            device = rng.integers(0, 10, 70)
            tried[environment, device] = rng.integers(0, legal[environment, device])
        for cuts in (tried, rng.integers(0, legal)):
            assert (cost(view, least) <= cost(view, cuts) * (1.0 + 1e-9)).all()
