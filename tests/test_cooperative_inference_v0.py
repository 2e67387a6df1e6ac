"""VEC-CooperativeInference-v0: infos, continuous actions and cuts that are not stable."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, parallel_api_test

import vec_envs
from vec_envs.problems.cooperative_inference.tanh_cuts import TanhCuts

ENV_ID = "VEC-CooperativeInference-v0"
factory = vec_envs.cooperative_inference_v0
SMALL: dict[str, Any] = {"episode_slots": 5}
QUIET = pytest.mark.filterwarnings("ignore::UserWarning")
LEARNED: dict[str, Any] = {**SMALL, "allocation": "learned"}
HEAVY: dict[str, Any] = {
    "dnns": ("vgg16",), "dnn_of_device": (0, 0), "energy_budget_j": (1.0,), "memory_budget_gb": (0.5,),
    "arrival_rate_hz": (2.0, 2.0),
}  # fmt: skip


def actions_of(env: gymnasium.Env[Any, Any], slots: int) -> list[np.ndarray]:
    env.action_space.seed(3)
    return [env.action_space.sample() for _ in range(slots)]


@QUIET
def test_gymnasium_checks_learned_allocation() -> None:
    check_env(gymnasium.make(ENV_ID, **LEARNED).unwrapped)


@QUIET
def test_pettingzoo_checks_learned_allocation(capsys: pytest.CaptureFixture[str]) -> None:
    parallel_api_test(factory.parallel_env(**LEARNED), num_cycles=20)
    api_test(factory.env(**LEARNED), num_cycles=40)


def test_with_learned_allocation_three_interfaces_are_one_environment() -> None:
    with closing(factory.joint_env(**LEARNED)) as joint, closing(factory.vector_env(num_envs=2, **LEARNED)) as batched:
        parallel = factory.parallel_env(**LEARNED)
        observation, by_name, rows = joint.reset(seed=4)[0], parallel.reset(seed=4)[0], batched.reset(seed=4)[0]
        for action in actions_of(joint, 5):
            np.testing.assert_array_equal(observation, np.stack([by_name[a] for a in parallel.possible_agents]))
            np.testing.assert_array_equal(observation, rows[0])
            observation, reward, _, truncated, info = joint.step(action)
            each = {agent: row for agent, row in zip(parallel.possible_agents, action, strict=True)}
            by_name, rewards, _, ended, infos = parallel.step(each)
            rows, every, _, _, of_batch = batched.step(np.stack([action, action]))
            assert set(rewards.values()) == {reward} == {every[0]}
            assert infos["client_0"] == info == {n: v[0] for n, v in of_batch.items() if not n.startswith("_")}
        assert truncated
        assert all(ended.values())


def test_an_action_is_a_cut_for_each_device() -> None:
    env = factory.joint_env(**SMALL)
    assert env.action_space == spaces.MultiDiscrete([n + 1 for n in env.problem.num_layers])
    assert factory.parallel_env(**SMALL).possible_agents == [f"client_{n}" for n in range(5)]


def test_infos_equal_the_documented_ones() -> None:
    env = factory.joint_env(**SMALL)
    env.reset(seed=0)
    info = env.step(actions_of(env, 1)[0])[-1]
    assert info.keys() == {
        "delay_s", "energy_j", "memory_gb", "energy_queue", "memory_queue", "drift", "drift_plus_penalty",
        "energy_to_budget_alexnet", "energy_to_budget_resnet18",
        "memory_to_budget_alexnet", "memory_to_budget_resnet18",
        "energy_queue_alexnet", "energy_queue_resnet18",
    }  # fmt: skip
    documentation = vec_envs.cooperative_inference_v0.__doc__ or ""
    assert all(name.replace("alexnet", "<dnn>").replace("resnet18", "<dnn>") in documentation for name in info)


def test_padded_agents_get_a_mask_of_stable_cuts() -> None:
    env = factory.parallel_env(padded=True, illegal="raise", **HEAVY)
    observation, _ = env.reset(seed=0)
    mask = observation["client_0"]["action_mask"]
    work = env.problem.cut_table.local_gcycles[0]
    assert mask.tolist() == (work * 2.0 < 1.5).astype(int).tolist()
    with pytest.raises(ValueError, match=r"cut 21 of device 0 is not stable"):
        env.step({"client_0": 21, "client_1": 0})
    numbers = factory.parallel_env(padded=True, allocation="learned")
    assert numbers.observation_space("client_0") == factory.parallel_env().observation_space("client_0")


def test_numbers_become_cuts_by_a_tanh_and_every_cut_is_reached() -> None:
    env = TanhCuts(gymnasium.make(ENV_ID, **SMALL))
    last = env.unwrapped.problem.num_layers
    y = np.linspace(-3.0, 3.0, 4001)
    cuts = np.stack([env.action(np.full(5, number)) for number in y])
    assert (cuts.min(axis=0) == 0).all()
    assert (cuts.max(axis=0) == last).all()
    for n in range(5):
        assert np.unique(cuts[:, n]).tolist() == list(range(last[n] + 1))
        assert cuts[:, n].tolist() == np.minimum(((last[n] + 1) * (np.tanh(y) + 1) / 2).astype(int), last[n]).tolist()
    assert env.action(np.array([-np.inf, np.inf, 0.0, 1e9, -1e9])).tolist() == [
        0,
        last[1],
        (last[2] + 1) // 2,
        last[3],
        0,
    ]
    env.reset(seed=0)
    env.step(env.action_space.sample())
    for wrong in (np.zeros(4), np.full(5, np.nan)):
        with pytest.raises(ValueError, match="an action is 5 numbers"):
            env.action(wrong)
    for other in ((ENV_ID, {"allocation": "learned"}), ("VEC-DNNPartition-v0", {"mobility": "straight"})):
        with pytest.raises(ValueError, match="needs VEC-CooperativeInference-v0 with exact allocation"):
            TanhCuts(gymnasium.make(other[0], **other[1]))


@pytest.mark.parametrize("wrong", [np.zeros(3), np.full(4, np.nan), np.full(4, 1.01), None, "x"], ids=str)
def test_wrong_numbers_of_an_agent_are_refused_by_its_name(wrong: Any) -> None:
    env = factory.parallel_env(**SMALL, allocation="learned")
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"the action of client_3 must be 4 numbers in \[-1, 1\]"):
        env.step({agent: wrong if agent == "client_3" else np.zeros(4) for agent in env.agents})


@pytest.mark.parametrize("allocation", ["exact", "learned"])
def test_an_environment_reset_by_the_step_needs_no_stable_cut(allocation: str) -> None:
    options = {**HEAVY, "episode_slots": 2, "allocation": allocation}
    envs = factory.vector_env(num_envs=2, autoreset_mode="NEXT_STEP", **options)
    envs.reset(seed=0)
    least = np.full(envs.action_space.shape, 0 if allocation == "exact" else -1.0, envs.action_space.dtype)
    for _ in range(2):
        envs.step(least)
    middle = np.full_like(least, 11 if allocation == "exact" else 0.0)
    _, reward, _, truncated, _ = envs.step(middle)  # not stable, but not played either
    assert (reward == 0.0).all()
    assert not truncated.any()
    with pytest.raises(
        ValueError, match=r"cut 11 of device 0 is not stable in environment 0: .* problem\.action_mask\("
    ):
        envs.step(middle)


def test_an_unstable_cut_is_refused_in_the_turn_of_its_agent() -> None:
    turns = factory.env(**HEAVY, **SMALL)
    turns.reset(seed=0)
    turns.step(0)
    with pytest.raises(ValueError, match="cut 11 of device 1 is not stable"):
        turns.step(11)
    turns.step(0)
    assert turns.rewards["client_0"] == turns.rewards["client_1"] < 0.0
