"""The fourth environment through its interfaces."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import api_test, parallel_api_test

from vec_envs import mobile_inference_v0
from vec_envs.mobility import TrafficError
from vec_envs.problems.mobile_inference.policies import REFERENCES

SMALL: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 3,
    "num_service_vehicles": 2,
    "episode_slots": 30,
}


def test_pettingzoo_checks_the_parallel_the_padded_and_the_aec_env() -> None:
    parallel_api_test(mobile_inference_v0.parallel_env(**SMALL), num_cycles=20)
    parallel_api_test(mobile_inference_v0.parallel_env(padded=True, **SMALL), num_cycles=20)
    api_test(mobile_inference_v0.env(**SMALL), num_cycles=40)


def test_one_environment_and_a_batch_play_the_same_episode() -> None:
    with (
        closing(mobile_inference_v0.joint_env(**SMALL)) as env,
        closing(mobile_inference_v0.vector_env(num_envs=2, **SMALL)) as envs,
    ):
        alone, _ = env.reset(seed=4)
        together, _ = envs.reset(seed=[4, 9])
        policy = REFERENCES.named("access").make(env.problem)
        infos = list[dict[str, Any]]()
        for _ in range(30):
            np.testing.assert_array_equal(alone, together[0])
            action = policy.act(together, envs.view)
            alone, reward, _, truncated, info = env.step(action[0])
            together, rewards, *_ = envs.step(action)
            assert reward == rewards[0]
            infos.append(info)
        assert truncated
    sums = {name: sum(float(of[name]) for of in infos) for name in ("cost_s", "missed", "arrived")}
    assert sums["arrived"] > 0.0
    means = {name: np.mean([of[name] for of in infos]) for name in ("cost_per_task_s", "missed_per_task")}
    assert means["cost_per_task_s"] == pytest.approx(sums["cost_s"] / sums["arrived"], rel=1e-12)
    assert means["missed_per_task"] == pytest.approx(sums["missed"] / sums["arrived"], rel=1e-12)


def test_an_episode_without_arrivals_costs_nothing() -> None:
    with closing(mobile_inference_v0.joint_env(**SMALL, arrival_rate_hz=1e-9)) as env:
        env.reset(seed=1)
        info = env.step(np.zeros(3, np.int64))[4]
    assert (info["cost_per_task_s"], info["missed_per_task"]) == (0.0, 0.0)


def test_an_agent_that_is_masked_does_nothing() -> None:
    env = mobile_inference_v0.parallel_env(padded=True, illegal="noop", **SMALL)
    observations, _ = env.reset(seed=1)
    for _ in range(20):
        masks = {agent: observation["action_mask"] for agent, observation in observations.items()}
        assert all(mask[0] == 1 for mask in masks.values())
        observations, *_ = env.step({agent: len(mask) - 1 for agent, mask in masks.items()})
    assert env.state().shape == (env.unwrapped.problem.global_state_size,)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_rsus": 4}, "num_rsus must be at most 3, the number of roadside units on the road 'arterial', got 4"),
        ({"slot_s": 1.0}, "has 301 slots of 0.5 s, but an episode needs 241 of 1 s; record them with"),
        ({"episode_slots": 301}, "has 301 slots of 0.5 s, but an episode needs 302 of 0.5 s; record them with"),
        ({"scenario": "fdr-drive"}, "has 31 slots of 1 s, but an episode needs 241 of 0.5 s; record them with"),
        ({"num_client_vehicles": 100}, "has enough vehicles for 100 clients and 6 service vehicles"),
    ],
)
@pytest.mark.parametrize("make", ["joint_env", "vector_env", "parallel_env", "env"])
def test_a_road_or_a_recording_that_does_not_fit_is_refused(make: str, options: dict[str, Any], words: str) -> None:
    more = {"num_envs": 2} if make == "vector_env" else {}
    with (
        closing(getattr(mobile_inference_v0, make)(mobility="replay", **more, **options)) as env,
        pytest.raises(TrafficError, match=words),
    ):
        env.reset(seed=0)


@pytest.mark.parametrize("make", ["joint_env", "vector_env", "parallel_env", "env"])
@pytest.mark.parametrize("sizes", [(1, 2), (3, 0), (1, 0)])
def test_one_unit_or_no_service_vehicles_play_through_every_interface(make: str, sizes: tuple[int, int]) -> None:
    options = {**SMALL, "num_rsus": sizes[0], "num_service_vehicles": sizes[1]}
    more = {"num_envs": 2} if make == "vector_env" else {}
    with closing(getattr(mobile_inference_v0, make)(**options, **more)) as env:
        env.reset(seed=0)
        if make == "env":
            env.step(0)
        elif make == "parallel_env":
            env.step(dict.fromkeys(env.agents, 0))
        else:
            env.step(np.zeros(env.action_space.shape, np.int64))


@pytest.mark.parametrize(
    ("dnns", "words"),
    [
        ((), "dnns is empty; at least one DNN type is needed"),
        ("resnet18", "dnns must be a list of DNN types"),
        (("nope",), "nope"),
        (("resnet18", "resnet18"), "dnns has 'resnet18' twice"),
    ],
)
def test_dnns_that_make_no_action_space_are_refused(dnns: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        mobile_inference_v0.joint_env(**SMALL, dnns=dnns)
