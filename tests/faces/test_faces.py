"""The three faces: their APIs, that they are one environment, and what they refuse."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from pettingzoo.env_registry.exceptions import NameNotFound
from pettingzoo.test import api_test, parallel_api_test

import vec_envs
from vec_envs.dnn import DNNProfile, Layer
from vec_envs.faces import doors
from vec_envs.faces.joint_env import JointEnv
from vec_envs.faces.parallel_env import ParallelLaneEnv
from vec_envs.faces.vector_env import LanesVectorEnv
from vec_envs.mobility.straight import StraightMobility

ENV_ID = "VEC-DNNPartition-v0"
door = vec_envs.dnn_partition_v0
SMALL: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 3,
    "num_service_vehicles": 2,
    "episode_slots": 5,
    "observation": "extended",
}
MODES = list(AutoresetMode)
WITHOUT_SUMO = pytest.mark.parametrize("mobility", ["straight", "replay"])
QUIET = pytest.mark.filterwarnings("ignore::UserWarning")


def random_actions(slots: int, lanes: int = 1, seed: int = 0) -> np.ndarray:
    counts = door.joint_env(**SMALL).action_space.nvec
    return np.random.default_rng(seed).integers(0, counts, (slots, lanes, len(counts)))


def by_agent(action: np.ndarray) -> dict[str, int]:
    return {f"client_{i}": int(a) for i, a in enumerate(action)}


def play(env: JointEnv, actions: np.ndarray, seed: int | None) -> list[Any]:
    """Plays one episode; returns all it gave."""
    trace: list[Any] = [env.reset(seed=seed)[0]]
    for action in actions[:, 0]:
        trace += list(env.step(action))
    return trace


def observations(trace: list[Any]) -> list[np.ndarray]:
    return [trace[0], *trace[1::5]]


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, Mapping):
        assert one.keys() == other.keys()
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        np.testing.assert_array_equal(one, other, strict=isinstance(one, np.ndarray))


# The APIs -------------------------------------------------------------------------------------------------------------


@QUIET
@WITHOUT_SUMO
@pytest.mark.parametrize("observation", ["paper", "extended"])
def test_gymnasium_checks_the_joint_env(mobility: str, observation: str) -> None:
    env = gymnasium.make(ENV_ID, mobility=mobility, observation=observation)
    check_env(env.unwrapped)


@QUIET
def test_gymnasium_checks_the_joint_env_with_pictures() -> None:
    env = gymnasium.make(ENV_ID, render_mode="rgb_array", **SMALL)
    check_env(env.unwrapped)


@QUIET
@WITHOUT_SUMO
@pytest.mark.parametrize("padded", [False, True])
def test_pettingzoo_checks_both_kinds(mobility: str, padded: bool, capsys: pytest.CaptureFixture[str]) -> None:
    parallel_api_test(door.parallel_env(mobility=mobility, padded=padded), num_cycles=70)
    api_test(door.env(mobility=mobility, padded=padded), num_cycles=70)


def test_gymnasium_makes_the_env_by_both_spellings() -> None:
    for env_id in (ENV_ID, f"vec_envs:{ENV_ID}"):
        env = gymnasium.make(env_id, **SMALL)
        assert isinstance(env.unwrapped, JointEnv)
        assert env.unwrapped.problem.episode_slots == 5
        assert env.reset(seed=0)[0].shape == (3, env.unwrapped.problem.observation_size)


def test_gymnasium_makes_the_batched_env() -> None:
    envs = gymnasium.make_vec(ENV_ID, num_envs=4, **SMALL)
    assert isinstance(envs.unwrapped, LanesVectorEnv)
    assert envs.num_envs == 4
    assert envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    observation, _ = envs.reset(seed=0)
    assert observation in envs.observation_space
    assert envs.step(envs.action_space.sample())[0] in envs.observation_space


def test_pettingzoo_makes_both_kinds() -> None:
    parallel = pettingzoo.make("parallel", ENV_ID, **SMALL)
    assert parallel.reset(seed=0)[0].keys() == set(parallel.possible_agents)
    turns = pettingzoo.make("aec", ENV_ID, **SMALL)
    turns.reset(seed=0)
    assert turns.agent_selection == "client_0"


def test_the_aec_env_plays_the_parallel_episode_turn_by_turn() -> None:
    parallel, turns, actions = door.parallel_env(**SMALL), door.env(**SMALL), random_actions(5)
    parallel.reset(seed=3)
    turns.reset(seed=3)
    for action in actions[:, 0]:
        observations, rewards, *_ = parallel.step(by_agent(action))
        for agent in turns.possible_agents:
            assert turns.agent_selection == agent
            turns.step(by_agent(action)[agent])
        for agent in turns.possible_agents:
            assert_same(turns.observe(agent), observations[agent])
            assert turns.rewards[agent] == rewards[agent]
    assert all(turns.truncations.values())


def test_registering_twice_is_harmless() -> None:
    vec_envs.register_all()
    assert ENV_ID in gymnasium.registry


@pytest.mark.parametrize("mode", [m.name for m in MODES] + [m.value for m in MODES] + MODES)
def test_autoreset_mode_is_declared(mode: str | AutoresetMode) -> None:
    envs = gymnasium.make_vec(ENV_ID, num_envs=2, autoreset_mode=mode, **SMALL)
    declared = envs.metadata["autoreset_mode"]
    assert mode in (declared, declared.name, declared.value)


def test_padded_agents_share_a_space_and_are_masked() -> None:
    env = door.parallel_env(padded=True, **SMALL)
    counts = np.array(env.problem.action_counts)
    observations, _ = env.reset(seed=0)
    assert {env.action_space(a).n for a in env.agents} == {counts.max()}
    for agent, count in zip(env.agents, counts, strict=True):
        assert observations[agent] in env.observation_space(agent)
        assert observations[agent]["action_mask"].dtype == np.int8
        assert observations[agent]["action_mask"].tolist() == [1] * count + [0] * (counts.max() - count)
    plain, _ = door.parallel_env(**SMALL).reset(seed=0)
    assert_same({a: o["observation"] for a, o in observations.items()}, plain)


def test_state_is_all_observations_in_a_row() -> None:
    env = door.parallel_env(**SMALL)
    observations, _ = env.reset(seed=0)
    np.testing.assert_array_equal(env.state(), np.concatenate([observations[a] for a in env.agents]))
    assert env.state() in env.state_space


# One environment, three faces -----------------------------------------------------------------------------------------


@WITHOUT_SUMO
def test_three_faces_agree_bit_for_bit_over_episodes(mobility: str) -> None:
    options = SMALL | {"mobility": mobility}
    joint, parallel, batched = door.joint_env(**options), door.parallel_env(**options), door.vector_env(**options)
    for episode, seed in enumerate([5, None, None, 6, None]):
        seen, _ = joint.reset(seed=seed)
        by_name, _ = parallel.reset(seed=seed)
        batch, _ = batched.reset(seed=seed)
        assert_same([*seen], [*by_name.values()])
        assert_same(seen, batch[0])
        for action in random_actions(5, seed=episode):
            seen, reward, terminated, truncated, info = joint.step(action[0])
            by_name, rewards, terminations, truncations, infos = parallel.step(by_agent(action[0]))
            batch, *of_batch, batch_info = batched.step(action)
            assert_same([*seen], [*by_name.values()])
            assert_same(seen, batch[0])
            assert set(rewards.values()) == {reward} == {of_batch[0][0]}
            assert set(terminations.values()) == {terminated} == {of_batch[1][0]} == {False}
            assert set(truncations.values()) == {truncated} == {of_batch[2][0]}
            assert all(i == info for i in infos.values())
            assert_same(info, first_of(batch_info))
        assert truncated
        assert parallel.agents == []


def first_of(infos: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the infos of the first lane, as a single environment gives them."""
    named = {name: value for name, value in infos.items() if not name.startswith("_")}
    return {n: first_of(v) if isinstance(v, Mapping) else v[0].item() for n, v in named.items()}


def test_infos_are_the_contracts() -> None:
    env = door.joint_env(**SMALL)
    env.reset(seed=0)
    _, reward, _, _, info = env.step(random_actions(1)[0, 0])
    parts = {"client_backlog_gcycles", "rsu_backlog_gcycles", "service_backlog_gcycles"}
    assert info.keys() == parts | {"completion_time_s", "backlog_gcycles", "drift", "drift_bound", "reward_terms"}
    assert info["backlog_gcycles"] == pytest.approx(sum(info[name] for name in parts))
    assert reward == pytest.approx(sum(info["reward_terms"].values()))
    assert info["reward_terms"]["delay"] == pytest.approx(-10.0 * info["completion_time_s"])
    assert info["backlog_gcycles"] == pytest.approx(sum(queue.sum() for queue in vars(env.view.state).values()))


@WITHOUT_SUMO
def test_the_same_seed_gives_the_same_three_episodes(mobility: str) -> None:
    envs = [door.joint_env(**(SMALL | {"mobility": mobility})) for _ in range(2)]
    for episode, seed in enumerate([3, None, None]):
        actions = random_actions(5, seed=episode)
        assert_same(play(envs[0], actions, seed), play(envs[1], actions, seed))


def test_seeding_again_repeats_all_that_follows() -> None:
    env, actions = door.joint_env(**SMALL), random_actions(5)
    first = [play(env, actions, seed) for seed in (3, None, None)]
    assert_same(first, [play(env, actions, seed) for seed in (3, None, None)])
    assert not np.array_equal(first[0][0], first[1][0])


@WITHOUT_SUMO
def test_different_seeds_differ_from_the_first_slot_on_and_later(mobility: str) -> None:
    env, actions = door.joint_env(**(SMALL | {"mobility": mobility})), random_actions(5)
    one, other = play(env, actions, 1), play(env, actions, 2)
    for a, b in zip(observations(one), observations(other), strict=True):
        assert not np.array_equal(a, b)
    for a, b in zip(one[2::5], other[2::5], strict=True):
        assert a != b


def test_every_slot_of_an_episode_has_its_own_channel() -> None:
    trace = play(door.joint_env(**SMALL), random_actions(5), 1)
    rates = [observation[:, 7] for observation in observations(trace)]
    assert len({tuple(r) for r in rates}) == 6


def test_an_unseeded_first_reset_works_and_differs() -> None:
    for make in (door.joint_env, door.parallel_env, door.vector_env):
        one, other = make(**SMALL), make(**SMALL)
        one.reset()
        other.reset()
        assert not np.array_equal(one.view.exogenous.v2i_mbps, other.view.exogenous.v2i_mbps)


@WITHOUT_SUMO
def test_lane_b_is_the_single_env_of_seed_s_plus_b(mobility: str) -> None:
    options, actions = SMALL | {"mobility": mobility}, random_actions(5, lanes=3)
    batched, singles = door.vector_env(num_envs=3, **options), [door.joint_env(**options) for _ in range(3)]
    for seed in (40, None):
        seen, _ = batched.reset(seed=seed)
        assert_same([*seen], [e.reset(seed=None if seed is None else seed + b)[0] for b, e in enumerate(singles)])
        for action in actions:
            seen, rewards, *_ = batched.step(action)
            alone = [env.step(a) for env, a in zip(singles, action, strict=True)]
            assert_same([*seen], [a[0] for a in alone])
            assert rewards.tolist() == [a[1] for a in alone]


def test_a_seed_for_each_lane() -> None:
    batched = door.vector_env(num_envs=3, **SMALL)
    seen, _ = batched.reset(seed=[9, 4, 9])
    assert_same(seen[0], seen[2])
    assert_same(seen[1], door.joint_env(**SMALL).reset(seed=4)[0])
    batched.step(random_actions(1, lanes=3)[0])
    before = batched.view.exogenous.v2i_mbps
    seen, _ = batched.reset(seed=[None, 4, None], options={"reset_mask": np.array([False, True, False])})
    assert_same(seen[1], door.joint_env(**SMALL).reset(seed=4)[0])
    assert_same(batched.view.exogenous.v2i_mbps[[0, 2]], before[[0, 2]])


# Autoreset, against Gymnasium's own vectoriser ------------------------------------------------------------------------


def visible(infos: Mapping[str, Any], lanes: int) -> dict[str, Any]:
    """Returns the infos with whatever their masks hide taken away, so that two vectorisers can be compared."""
    shown: dict[str, Any] = {}
    for name in (n for n in infos if f"_{n}" in infos and infos[f"_{n}"].any()):
        value, mask = infos[name], infos[f"_{name}"]
        if isinstance(value, Mapping):
            shown[name] = visible(value, lanes)
        else:
            shown[name] = [np.asarray(value[b]).tolist() if mask[b] else None for b in range(lanes)]
    return shown


@pytest.mark.parametrize("mode", MODES)
def test_autoreset_is_that_of_gymnasiums_vector_env(mode: AutoresetMode) -> None:
    lanes, resets = 3, {2: [False, True, False], 6: [True, False, True]}
    ours = door.vector_env(num_envs=lanes, autoreset_mode=mode, **SMALL)
    theirs = SyncVectorEnv([lambda: door.joint_env(**SMALL)] * lanes, autoreset_mode=mode)
    assert_same(ours.reset(seed=8), theirs.reset(seed=8))
    ended = np.zeros(lanes, dtype=bool)
    for step, actions in enumerate(random_actions(25, lanes=lanes)):
        mask = ended if mode is AutoresetMode.DISABLED else np.array(resets.get(step, [False] * lanes))
        if mode is AutoresetMode.DISABLED and step in resets:
            mask = mask | np.array(resets[step])
        if mask.any():
            seen = [envs.reset(options={"reset_mask": mask.copy()})[0] for envs in (ours, theirs)]
            assert_same(*seen)
        (*one, infos), (*other, their_infos) = ours.step(actions), theirs.step(actions)
        assert_same(one, other)
        assert visible(infos, lanes) == visible(their_infos, lanes)
        ended = one[3]
    assert step == 24


def test_same_step_hands_out_the_last_observation_and_info() -> None:
    envs = door.vector_env(num_envs=2, autoreset_mode="SameStep", **SMALL)
    single = door.joint_env(**SMALL)
    envs.reset(seed=1)
    single.reset(seed=1)
    for actions in random_actions(5, lanes=2):
        seen, _, _, truncated, infos = envs.step(actions)
        last, _, _, _, info = single.step(actions[0])
    assert truncated.all()
    assert infos["_final_obs"].all()
    assert_same(infos["final_obs"][0], last)
    assert_same(first_of(infos["final_info"]), info)
    assert_same(seen[0], single.reset()[0])


def test_next_step_ignores_the_action_of_the_step_that_resets() -> None:
    envs = door.vector_env(num_envs=2, autoreset_mode="NextStep", **SMALL)
    envs.reset(seed=1)
    for actions in random_actions(5, lanes=2):
        _, _, _, truncated, _ = envs.step(actions)
    assert truncated.all()
    seen, rewards, _, truncated, infos = envs.step(random_actions(1, lanes=2, seed=9)[0])
    assert rewards.tolist() == [0.0, 0.0]
    assert not truncated.any()
    assert not infos["_completion_time_s"].any()
    assert (seen[:, :, :4] == 0.0).all()


def test_masked_reset_touches_only_its_lanes() -> None:
    envs = door.vector_env(num_envs=4, **SMALL)
    envs.reset(seed=0)
    seen = envs.step(random_actions(1, lanes=4)[0])[0]
    mask = np.array([True, False, False, True])
    after, _ = envs.reset(options={"reset_mask": mask})
    assert_same(after[~mask], seen[~mask])
    assert (after[mask][:, :, :4] == 0.0).all()
    assert envs.lanes.point.tolist() == [0, 1, 1, 0]


def test_ended_lanes_must_be_reset_where_nothing_resets_them() -> None:
    envs = door.vector_env(num_envs=3, **SMALL)
    envs.reset(seed=0)
    actions = random_actions(5, lanes=3)
    envs.step(actions[0])
    envs.reset(options={"reset_mask": np.array([False, True, False])})
    for action in actions[1:]:
        _, _, _, truncated, _ = envs.step(action)
    assert truncated.tolist() == [True, False, True]
    with pytest.raises(ValueError, match=r"lanes \[0, 2\] have ended"):
        envs.step(actions[0])
    envs.reset(options={"reset_mask": truncated})
    envs.step(actions[0])


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mask",
    [
        np.array([1, 0]),
        np.array([True]),
        np.array([[True, False]]),
        [True, False],
        np.array([False, False]),
    ],
    ids=["integers", "too short", "too deep", "a list", "no lane"],
)
def test_wrong_reset_mask_is_refused(mask: Any) -> None:
    envs = door.vector_env(num_envs=2, **SMALL)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="reset_mask"):
        envs.reset(options={"reset_mask": mask})


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ([36, 0, 0], r"action 36 of client_0 is outside \[0, 35\]"),
        ([0, 0, -1], r"action -1 of client_2 is outside"),
        ([0, 0], "3 (agents|integers)"),
        ([[0], [0], [0]], "3 (agents|integers)"),
        ([[0, 0, 0]] * 3, "3 (agents|integers)"),
        (0, "3 (agents|integers)"),
        ([0.0, 0.0, 0.0], "integers, got dtype float64"),
    ],
    ids=str,
)
def test_wrong_action_is_refused_by_the_gymnasium_faces(action: Any, message: str) -> None:
    joint, batched = door.joint_env(**SMALL), door.vector_env(num_envs=1, **SMALL)
    joint.reset(seed=0)
    batched.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        joint.step(action)
    with pytest.raises(ValueError, match=message):
        batched.step([action])
    joint.step([0, 0, 0])  # nothing has happened to the episode
    assert joint.view.state.client_backlog_gcycles.shape == (1, 3)


@pytest.mark.parametrize("shape", [(1, 3), (3, 3), (2,), (2, 1, 3)])
def test_actions_of_other_lanes_are_refused(shape: tuple[int, ...]) -> None:
    envs = door.vector_env(num_envs=2, **SMALL)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"needed is shape \(2, 3\)"):
        envs.step(np.zeros(shape, dtype=int))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"client_1": 999}, r"action 999 of client_1 is outside \[0, "),
        ({"client_2": -1}, "action -1 of client_2"),
        ({"client_2": [1, 2]}, "client_2 must be one integer"),
        ({"client_0": np.array([0])}, "client_0 must be one integer"),
        ({"client_0": 0.5}, "client_0 must be one integer, got 0.5"),
        ({"client_0": None}, "client_0 must be one integer, got None"),
        ({"client_9": 0}, "client_9"),
    ],
    ids=str,
)
def test_wrong_action_of_an_agent_is_refused(other: dict[str, Any], message: str) -> None:
    env = door.parallel_env(**SMALL)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(by_agent(np.zeros(3)) | other)


def test_a_missing_agent_is_refused() -> None:
    env = door.parallel_env(**SMALL)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"missing \['client_2'\], unknown \[\]"):
        env.step({"client_0": 0, "client_1": 0})


def test_a_masked_action_is_refused_in_the_padded_env() -> None:
    env = door.parallel_env(padded=True, **SMALL)
    observations, _ = env.reset(seed=0)
    absent = int(np.argmin(observations["client_0"]["action_mask"]))
    assert env.action_space("client_0").contains(absent)
    with pytest.raises(ValueError, match=f"action {absent} of client_0"):
        env.step({"client_0": absent, "client_1": 0, "client_2": 0})


def test_numpy_integers_are_actions() -> None:
    env = door.parallel_env(**SMALL)
    env.reset(seed=0)
    env.step({"client_0": np.int64(1), "client_1": np.array(2), "client_2": np.uint8(3)})


@pytest.mark.parametrize("make", [door.joint_env, door.parallel_env])
def test_stepping_without_an_episode_is_refused(make: Any) -> None:
    env = make(**SMALL)
    action = [0, 0, 0] if isinstance(env, JointEnv) else by_agent(np.zeros(3))
    with pytest.raises(RuntimeError, match="reset"):
        env.step(action)
    env.reset(seed=0)
    for _ in range(5):
        env.step(action)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(action)


@pytest.mark.parametrize("mode", MODES)
def test_stepping_lanes_before_the_first_reset_is_refused(mode: AutoresetMode) -> None:
    envs = door.vector_env(num_envs=2, autoreset_mode=mode, **SMALL)
    with pytest.raises((RuntimeError, ValueError), match="reset"):
        envs.step(random_actions(1, lanes=2)[0])


def test_unknown_ids_say_what_exists() -> None:
    with pytest.raises(gymnasium.error.NameNotFound, match="VEC-DNNPartition"):
        gymnasium.make("VEC-DNNPartitions-v0")
    with pytest.raises(gymnasium.error.VersionNotFound, match="v0"):
        gymnasium.make("VEC-DNNPartition-v9")
    for kind in ("parallel", "aec"):
        with pytest.raises(NameNotFound, match=ENV_ID):
            pettingzoo.make(kind, "VEC-Unknown-v0")


MAKERS = pytest.mark.parametrize(
    "make",
    [door.joint_env, door.parallel_env, door.env, door.vector_env, lambda **o: gymnasium.make(ENV_ID, **o)],
    ids=["joint", "parallel", "aec", "vector", "gymnasium"],
)


@MAKERS
@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"mobility": "teleport"}, ValueError, '"sumo", "replay", "straight" or "still"'),
        ({"mobility": "replay", "scenario": "nowhere"}, ValueError, "fdr-drive, motorway"),
        ({"mobility": "sumo", "scenario": "nowhere"}, ValueError, "fdr-drive, fdr-drive-dense, motorway"),
        ({"reward": "profit"}, ValueError, "'drift_bound', 'drift', 'delay'"),
        ({"render_mode": "human"}, ValueError, "'rgb_array'"),
        ({"colour": "red"}, TypeError, "colour; there are mobility, scenario, .*num_client_vehicles.*observation"),
    ],
    ids=str,
)
def test_unknown_option_lists_what_exists(make: Any, options: dict[str, Any], kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        make(**(SMALL | options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_envs": 0}, "num_envs=0 must be at least 1"),
        ({"autoreset_mode": "never"}, "'never' is unknown; there are 'NEXT_STEP', 'SAME_STEP', 'DISABLED'"),
    ],
)
def test_wrong_option_of_the_batched_env_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        door.vector_env(**SMALL, **options)


def test_as_many_seeds_as_lanes() -> None:
    with pytest.raises(ValueError, match="2 seeds for 3 lanes"):
        door.vector_env(num_envs=3, **SMALL).reset(seed=[1, 2])


# Odds and ends --------------------------------------------------------------------------------------------------------


def arrays_in(value: Any) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return arrays_in([*value]) if value.dtype == object else [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [array for part in value for array in arrays_in(part)] if isinstance(value, list | tuple) else []


@pytest.mark.parametrize("mode", MODES)
def test_returned_arrays_are_the_callers_own(mode: AutoresetMode) -> None:
    envs, untouched = (door.vector_env(num_envs=2, autoreset_mode=mode, **SMALL) for _ in range(2))
    handed_out = [envs.reset(seed=0)]
    untouched.reset(seed=0)
    for step, actions in enumerate(random_actions(8, lanes=2)):
        if mode is AutoresetMode.DISABLED and step == 5:
            break
        handed_out.append(envs.step(actions.copy()))
        expected = untouched.step(actions)
        assert_same(handed_out[-1][:4], expected[:4])
        everything = [array for given in handed_out for array in arrays_in(given)]
        kept = [*vars(envs.lanes.last_outcome).values(), *arrays_in([vars(envs.view.state), vars(envs.view.exogenous)])]
        for array in arrays_in(handed_out[-1]):
            assert sum(np.shares_memory(array, other) for other in everything) == 1
            assert not any(np.shares_memory(array, other) for other in kept)
        for array in everything:
            array[...] = 1  # a caller may do with them what it likes


def test_observations_of_the_other_faces_are_the_callers_own() -> None:
    joint, parallel = door.joint_env(**SMALL), door.parallel_env(padded=True, **SMALL)
    fresh = door.joint_env(**SMALL)
    seen, _ = joint.reset(seed=0)
    by_name, _ = parallel.reset(seed=0)
    fresh.reset(seed=0)
    for action in random_actions(5)[:, 0]:
        for array in (seen, *arrays_in(by_name)):
            array[...] = 1
        seen = joint.step(action)[0]
        by_name = parallel.step(by_agent(action))[0]
        expected = fresh.step(action)[0]
        assert_same(seen, expected)
        assert_same([*seen], [o["observation"] for o in by_name.values()])
        assert_same([o["action_mask"] for o in by_name.values()], [*parallel.problem.action_mask().astype(np.int8)])


def test_infos_of_the_agents_are_their_own() -> None:
    env = door.parallel_env(**SMALL)
    env.reset(seed=0)
    infos = env.step(by_agent(np.zeros(3)))[4]
    infos["client_0"]["drift"] = "spoilt"
    infos["client_0"]["reward_terms"]["drift"] = "spoilt"
    assert infos["client_1"]["drift"] != "spoilt"
    assert infos["client_1"]["reward_terms"]["drift"] != "spoilt"


def test_a_mobility_object_and_own_profiles_are_accepted_and_left_open() -> None:
    class Watched(StraightMobility):
        closed = 0

        def close(self) -> None:
            Watched.closed += 1

    dnn = DNNProfile(
        name="one",
        input_mbit=1.0,
        layers=(Layer(name="a", gflops=1.0, gmacs=0.5, output_mbit=1.0, parameter_mbyte=0.0),),
    )
    for make in (door.joint_env, door.parallel_env, door.vector_env):
        env = make(mobility=Watched(), dnns=(dnn,), num_client_vehicles=2, num_service_vehicles=0)
        env.reset(seed=0)
        assert env.problem.action_counts == (2, 2)
        env.close()
    assert Watched.closed == 0


@pytest.mark.parametrize("make", [door.joint_env, door.parallel_env, door.vector_env])
def test_traffic_made_by_name_ends_with_the_env_and_where_making_it_fails(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    class Watched(StraightMobility):
        def close(self) -> None:
            closed.append("once")

    monkeypatch.setattr(doors, "make_mobility", lambda *_, **__: Watched())
    env = make(**SMALL)
    env.reset(seed=0)
    assert closed == []
    env.close()
    assert closed == ["once"]
    with pytest.raises(ValueError, match="render_mode"):
        make(**SMALL, render_mode="human")
    assert closed == ["once"] * 2


def test_closing_twice_is_harmless() -> None:
    for make in (door.joint_env, door.parallel_env, door.vector_env):
        env = make(**SMALL)
        env.reset(seed=0)
        env.close()
        env.close()


def test_view_shows_the_present_slot() -> None:
    env: ParallelLaneEnv = door.parallel_env(**SMALL)
    env.reset(seed=0)
    env.step(by_agent(np.zeros(3)))
    view = env.view
    assert view.problem is env.problem
    seen = view.problem.observe(view.state, view.exogenous)
    np.testing.assert_array_equal(seen.ravel(), env.state())


def test_environments_need_neither_torch_nor_sumo_nor_matplotlib() -> None:
    script = (
        "import sys\n"
        "for name in ('torch', 'tianshou', 'libsumo', 'traci', 'sumolib', 'matplotlib', 'scipy'):\n"
        "    sys.modules[name] = None\n"
        "import gymnasium, vec_envs\n"
        f"env = gymnasium.make('{ENV_ID}', mobility='replay')\n"
        "env.reset(seed=0)\n"
        "print(env.step(env.action_space.sample())[1])\n"
        "from vec_envs.policies import references\n"
        f"envs = gymnasium.make_vec('{ENV_ID}', num_envs=2, mobility='straight')\n"
        "seen, _ = envs.reset(seed=0)\n"
        "quick = [r for r in references(envs.unwrapped.problem).policies.values() if not r.slow]\n"
        "for reference in quick:\n"
        "    envs.step(reference.make(envs.unwrapped.problem).act(seen, envs.unwrapped.view))\n"
        "assert not any(name.split('.')[0] == 'trainers' for name in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.0


def test_a_vector_environment_wants_a_reset_first() -> None:
    envs = door.vector_env(num_envs=2, **SMALL)
    with pytest.raises(RuntimeError, match="call reset"):
        envs.step(np.zeros((2, 3), dtype=int))


def test_actions_of_lanes_that_are_reset_by_the_step_are_ignored() -> None:
    envs = door.vector_env(num_envs=2, autoreset_mode="NEXT_STEP", **SMALL)
    envs.reset(seed=0)
    for _ in range(envs.problem.episode_slots):
        envs.step(np.zeros((2, 3), dtype=int))
    _, reward, _, truncated, _ = envs.step(np.full((2, 3), -1))
    assert (reward == 0.0).all()
    assert not truncated.any()
