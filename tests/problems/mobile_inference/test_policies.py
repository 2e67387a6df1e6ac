"""The reference policies: legal, batched, and best at what they minimise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.made_up import LONG, SHORT
from tests.problems.mobile_inference.street_slots import played, random_exogenous, row
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.mobility import StraightMobility
from vec_envs.problems.base import View
from vec_envs.problems.mobile_inference import Exogenous, MobileInference, State
from vec_envs.problems.mobile_inference.policies import REFERENCES, Clairvoyant, LeastEstimate, Predicted, Rollout
from vec_envs.problems.mobile_inference.policies.estimates import start_times_s
from vec_envs.records import map_arrays, stack

PROBLEM = MobileInference(dnns=(SHORT, LONG), num_client_vehicles=3, num_service_vehicles=2, rsu_ghz=60.0)
EVERY = pytest.mark.parametrize("name", REFERENCES.policies)


def view_of(batch: int, seed: int = 0) -> View:
    """Returns a view in the midst of random play, in which some clients decide."""
    rng = np.random.default_rng(seed)
    state = played(PROBLEM, rng, (batch,), 5)
    return View(problem=PROBLEM, state=state, exogenous=random_exogenous(PROBLEM, rng, (batch,)))


def blank(view: View) -> np.ndarray:
    return np.zeros((*view.state.waiting.shape, PROBLEM.observation_size), np.float32)


@EVERY
def test_actions_are_legal_and_start_a_task_where_one_waits(name: str) -> None:
    view = view_of(12)
    policy = REFERENCES.named(name).make(PROBLEM)
    policy.reset(0)
    action = policy.act(blank(view), view)
    mask = PROBLEM.action_mask(view.state, view.exogenous)
    assert np.take_along_axis(mask, action[..., None], axis=-1).all()
    assert (action[~mask[..., 1]] == 0).all()
    assert (action > 0).any()


@EVERY
def test_actions_do_not_depend_on_the_batch(name: str) -> None:
    view = view_of(6)
    policy = REFERENCES.named(name).make(PROBLEM)
    policy.reset(0)
    together = policy.act(blank(view), view)
    for env in range(6):
        alone = REFERENCES.named(name).make(PROBLEM)
        alone.reset(env)
        state, now = (map_arrays(lambda a, env=env: a[env : env + 1], r) for r in (view.state, view.exogenous))
        found = alone.act(blank(view)[env : env + 1], View(problem=PROBLEM, state=state, exogenous=now))
        np.testing.assert_array_equal(found[0], together[env])


@EVERY
def test_a_policy_without_a_view_says_what_it_needs(name: str) -> None:
    with pytest.raises(ValueError, match=r"looks at the whole state: call policy.act\(observation, env.unwrapped.view"):
        REFERENCES.named(name).make(PROBLEM).act(blank(view_of(1)))


def lone(seed: int) -> tuple[State, Exogenous]:
    """Returns a slot in which client 0 decides, and nothing else happens."""
    rng = np.random.default_rng(seed)
    now = random_exogenous(PROBLEM, rng, (1,), leaving=0.0)
    state = PROBLEM.initial_state((1,))
    waiting = np.array([[True, False, False]])
    return replace(state, waiting=waiting), replace(now, arrives=np.zeros((1, 3), np.bool_))


def time_of(state: State, action: int, futures: list[Exogenous]) -> float:
    """Returns the cost of client 0's task if it takes this action at once."""
    total_s, joint = 0.0, np.array([[action, 0, 0]])
    for now in futures:
        state, outcome = PROBLEM.transition(state, joint, now)
        total_s += float(outcome.cost_s[0])
    return total_s


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_estimate_of_a_task_alone_is_its_time(seed: int) -> None:
    state, now = lone(seed)
    who = np.nonzero(state.waiting)
    unit = now.v2i_efficiency[who].max(axis=-1)
    estimate_s = start_times_s(PROBLEM, state, now, who, unit, now.v2v_efficiency[who])[0]
    legal = PROBLEM.action_mask(state, now)[0, 0, 1:]
    for action in np.flatnonzero(legal) + 1:
        played_s = time_of(state, int(action), [now] * 20)
        expected = estimate_s[action - 1]
        assert played_s == pytest.approx(expected if expected <= 10.0 else 15.0)
    assert np.isinf(estimate_s[~legal]).all()
    best = LeastEstimate(PROBLEM).act(blank(View(problem=PROBLEM, state=state, exogenous=now)),
                                      View(problem=PROBLEM, state=state, exogenous=now))[0, 0]  # fmt: skip
    assert estimate_s[best - 1] == estimate_s.min()
    rolled = Rollout(PROBLEM).act(blank(view_of(1)), View(problem=PROBLEM, state=state, exogenous=now))[0, 0]
    assert estimate_s[rolled - 1] == pytest.approx(estimate_s.min())


def test_the_prediction_of_vehicles_that_stand_is_the_present() -> None:
    view = view_of(12)
    stands = replace(view.exogenous, client_speed_mps=np.zeros((12, 3)), service_speed_mps=np.zeros((12, 2)))
    view = replace(view, exogenous=stands)
    np.testing.assert_array_equal(
        Predicted(PROBLEM).act(blank(view), view), LeastEstimate(PROBLEM).act(blank(view), view)
    )


def test_the_prediction_prefers_the_node_that_comes_nearer() -> None:
    state, now = lone(0)
    # Both service vehicles are heard equally well from 200 m, one of them ahead; the client drives towards it.
    ahead: dict[str, Any] = {
        "client_speed_mps": np.array([[20.0, 0.0, 0.0]]),
        "client_position_m": np.zeros((1, 3)),
        "service_position_m": np.array([[-200.0, 200.0]]),
        "service_speed_mps": np.zeros((1, 2)),
        "v2v_distance_m": np.full((1, 3, 2), 200.0),
        "v2v_efficiency": np.full((1, 3, 2), 2.0),
        "v2i_efficiency": np.zeros((1, 3, 3)),
        "v2i_distance_m": np.full((1, 3, 3), 3000.0),
        "service_present": np.ones((1, 2), np.bool_),
        "service_ghz": np.full((1, 2), 900.0),
        "client_ghz": np.full((1, 3), 0.5),
    }
    view = View(problem=PROBLEM, state=state, exogenous=replace(now, **ahead))
    assert (Predicted(PROBLEM).act(blank(view), view)[0, 0] - 1) % PROBLEM.num_nodes == 4
    assert (LeastEstimate(PROBLEM).act(blank(view), view)[0, 0] - 1) % PROBLEM.num_nodes == 3


@pytest.mark.slow
def test_the_clairvoyant_waits_for_a_link_and_finds_the_least_cost() -> None:
    state, now = lone(1)
    deaf = replace(
        now,
        v2i_efficiency=np.full((1, 3, 3), 0.001),
        v2v_efficiency=np.zeros((1, 3, 2)),
        client_ghz=np.full((1, 3), 2.0),
    )
    clear = replace(deaf, v2i_efficiency=np.full((1, 3, 3), 4.0))
    episode = stack([row(slot, 0) for slot in [deaf, deaf, *[clear] * 22]])
    episode = map_arrays(lambda a: a[None], episode)
    policy, total_s = Clairvoyant(PROBLEM), 0.0
    futures = [deaf, deaf, *[clear] * 18]
    at_once_s = min(time_of(state, a, futures) for a in np.flatnonzero(PROBLEM.action_mask(state, deaf)[0, 0])[1:])
    for epoch in range(20):
        action = policy.plan(state, episode, epoch)
        state, outcome = PROBLEM.transition(state, action, map_arrays(lambda a, epoch=epoch: a[:, epoch], episode))
        total_s += float(outcome.cost_s[0])
    assert total_s <= at_once_s + 1e-9


@pytest.mark.slow
def test_references_rank_as_they_should() -> None:
    problem = MobileInference(episode_slots=120)
    mobility = StraightMobility(range_m=900.0, speed_mps=13.5, speed_spread=0.25)
    costs: dict[str, float] = {}
    for name in ("random", "local", "access", "least-estimate", "predicted"):
        batch, policy = EnvironmentBatch(problem, mobility, 6), REFERENCES.named(name).make(problem)
        batch.reset(range(6), list(range(6)))
        policy.reset(0)
        costs[name] = 0.0
        for _ in range(120):
            action = policy.act(np.zeros((6, 8, 1), np.float32), batch.view)
            costs[name] += float(np.asarray(batch.step(action).cost_s).sum())
    assert costs["predicted"] < costs["least-estimate"] < min(costs["access"], costs["local"], costs["random"])
