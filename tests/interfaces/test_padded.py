"""The padded PettingZoo environments: equal spaces, masks, and what an action does that its mask excludes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test
from pettingzoo.test.state_test import state_test

from tests.interfaces.comparing import QUIET, assert_same
from tests.interfaces.test_every_environment import EVERY_ID, small
from vec_envs import cooperative_inference_v0, dnn_partition_v0
from vec_envs.interfaces.illegal_actions import ILLEGAL, clipped
from vec_envs.registration import factory_of

SMALL: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 3,
    "num_service_vehicles": 2,
    "episode_slots": 5,
}
INTERFACES = pytest.mark.parametrize("aec", [False, True], ids=["parallel", "aec"])


@QUIET
@EVERY_ID
def test_pettingzoo_checks_the_padded_environments(env_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, options = factory_of(env_id).parallel_env, small(env_id, padded=True)
    parallel_api_test(make(**options), num_cycles=20)
    parallel_seed_test(lambda: make(**options))
    state_test(factory_of(env_id).env(**options), make(**options))


def absent_action(env: Any) -> int:
    """Returns an action in the space of `client_0` that its mask excludes."""
    observation = env.reset(seed=0)[0]["client_0"]
    absent = int(np.argmin(observation["action_mask"]))
    assert env.action_space("client_0").contains(absent)
    assert not observation["action_mask"][absent]
    return absent


def outcome(env: Any, action: int) -> Any:
    env.reset(seed=0)
    return env.step({"client_0": action, "client_1": 0, "client_2": 0})


def test_an_illegal_action_is_clipped_to_the_nearest_below_it() -> None:
    env = dnn_partition_v0.parallel_env(padded=True, **SMALL)
    absent = absent_action(env)
    assert_same(outcome(env, absent + 2), outcome(env, absent - 1))


def test_an_illegal_action_may_leave_the_agent_idle() -> None:
    env = dnn_partition_v0.parallel_env(padded=True, illegal="noop", **SMALL)
    last = env.problem.actions.counts[0] - 1
    assert_same(outcome(env, absent_action(env)), outcome(env, last))
    assert outcome(env, 0)[4]["client_0"]["completion_time_s"] != outcome(env, last)[4]["client_0"]["completion_time_s"]


@INTERFACES
def test_an_illegal_action_may_raise(aec: bool) -> None:
    make = dnn_partition_v0.env if aec else dnn_partition_v0.parallel_env
    absent = absent_action(dnn_partition_v0.parallel_env(padded=True, **SMALL))
    env = make(padded=True, illegal="raise", **SMALL)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=f"action {absent} of client_0"):
        env.step(absent if aec else {"client_0": absent, "client_1": 0, "client_2": 0})


def test_a_cut_that_is_not_stable_is_clipped() -> None:
    options: dict[str, Any] = {"arrival_rate_hz": (40.0, 40.0), "episode_slots": 3}
    env = cooperative_inference_v0.parallel_env(padded=True, **options)
    observations, _ = env.reset(seed=0)
    legal = np.array([observation["action_mask"] for observation in observations.values()])
    assert not legal.all()
    env.step({agent: int(legal.shape[1]) - 1 for agent in env.agents})
    assert_same(env.problem.idle_action(env.view.state, env.view.exogenous)[0], clipped(np.full(5, 10**6), legal > 0))


@INTERFACES
@pytest.mark.parametrize("wrong", [-1, 10**6])
def test_an_action_outside_the_padded_space_always_raises(aec: bool, wrong: int) -> None:
    env = (dnn_partition_v0.env if aec else dnn_partition_v0.parallel_env)(padded=True, **SMALL)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=f"the action of client_0 must be from 0 to [0-9]+, got {wrong}"):
        env.step(wrong if aec else {"client_0": wrong, "client_1": 0, "client_2": 0})


def test_without_a_mask_below_it_an_action_becomes_the_lowest_legal_one() -> None:
    mask = np.array([[False, True, True], [True, False, True], [True, True, False]])
    assert clipped(np.array([0, 1, 2]), mask).tolist() == [1, 0, 1]


def test_illegal_is_an_option_of_padded_environments() -> None:
    with pytest.raises(ValueError, match="illegal must be one of 'clip', 'noop', 'raise'"):
        dnn_partition_v0.parallel_env(padded=True, illegal="ignore", **SMALL)
    with pytest.raises(ValueError, match="illegal='noop' needs padded=True"):
        dnn_partition_v0.parallel_env(illegal="noop", **SMALL)


@EVERY_ID
def test_masks_may_be_in_the_infos(env_id: str) -> None:
    """AgileRL finds them there, and takes no dictionaries as observations."""
    make, options = factory_of(env_id).parallel_env, small(env_id, padded=True)
    informs, observes, shows_none = make(mask="info", **options), make(**options), make(mask="none", **options)
    observations, infos = informs.reset(seed=0)
    assert_same(shows_none.reset(seed=0), (observations, {agent: {} for agent in informs.agents}))
    expected = observes.reset(seed=0)[0]
    name = next(key for key in expected[informs.agents[0]] if key.endswith("mask"))
    while informs.agents:
        for agent in informs.agents:
            assert_same(observations[agent], expected[agent]["observation"])
            assert_same(infos[agent][name], expected[agent][name])
            assert observations[agent] in informs.observation_space(agent)
        actions = {agent: informs.action_space(agent).sample() for agent in informs.agents}
        observations, _, _, _, infos = informs.step(actions)
        expected = observes.step(actions)[0]


@EVERY_ID
@pytest.mark.parametrize("illegal", ILLEGAL)
def test_every_environment_takes_the_options_of_masks(env_id: str, illegal: str) -> None:
    env = factory_of(env_id).parallel_env(**small(env_id, padded=True, illegal=illegal))
    assert env.reset(seed=0)[0].keys() == set(env.possible_agents)


def test_the_idle_action_is_legal_where_no_vehicle_is_in_reach() -> None:
    env = dnn_partition_v0.parallel_env(padded=True, v2v_range_m=1e-6, **SMALL)
    env.reset(seed=0)
    view = env.view
    idle = view.problem.idle_action(view.state, view.exogenous)[0]
    mask = view.problem.action_mask(view.state, view.exogenous)[0]
    assert not mask.all()
    assert mask[np.arange(3), idle].all()
