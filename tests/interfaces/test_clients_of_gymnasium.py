"""What clients of Gymnasium rely on: specs, bounds of spaces, infos, masks, flat spaces, and stock loops."""

from __future__ import annotations

import copy
import json
import pickle
from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector as wrappers

from tests.interfaces.comparing import QUIET, assert_same
from tests.interfaces.test_every_environment import EVERY_ID, features, small
from vec_envs import cooperative_inference_v0, dnn_partition_v0, task_diversion_v0
from vec_envs.problems.base import ContinuousActions
from vec_envs.registration import ENVIRONMENTS, factory_of

KINDS = {"VEC-MobileInference-v0": ("local",)}
"""The observations of environments that have others than those of a paper and the extended ones."""
EXTENDED = [(env_id, kind) for env_id in ENVIRONMENTS for kind in KINDS.get(env_id, ("paper", "extended"))]


@EVERY_ID
def test_an_unknown_keyword_raises_what_python_raises(env_id: str) -> None:
    """TorchRL passes `frameskip` first, and tries again if the error has these words."""
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'frameskip'.* the options are mobility"):
        gymnasium.make(env_id, frameskip=1, colour="red")


@EVERY_ID
def test_agents_have_names_that_tensordicts_do_not_reserve(env_id: str) -> None:
    reserved = {
        "device",
        "batch_size",
        "shape",
        "names",
        "keys",
        "values",
        "items",
        "state",
        "done",
        "reward",
        "action",
    }
    groups = {name.rsplit("_", 1)[0] for name in factory_of(env_id).problem().agent_names}
    assert len(groups) == 1
    assert not groups & reserved


@EVERY_ID
def test_the_spec_has_the_length_of_the_environments_own_episodes(env_id: str) -> None:
    options = small(env_id)
    env, envs = gymnasium.make(env_id, **options), gymnasium.make_vec(env_id, num_envs=2, **options)
    epochs = factory_of(env_id).problem(**{k: v for k, v in options.items() if k != "mobility"}).episode_epochs
    assert env.spec is not None
    assert envs.spec is not None
    assert env.spec.max_episode_steps == envs.spec.max_episode_steps == epochs
    again, many = gymnasium.make(env.spec), gymnasium.make_vec(envs.spec)
    assert_same(again.reset(seed=3), env.reset(seed=3))
    assert_same(many.reset(seed=3), envs.reset(seed=3))
    with pytest.raises(ValueError, match=f"max_episode_steps must be {epochs}"):
        gymnasium.make_vec(env_id, num_envs=2, max_episode_steps=epochs + 1, **options)


@pytest.mark.slow
@QUIET
@EVERY_ID
def test_lists_of_pictures_are_gymnasiums(env_id: str) -> None:
    pytest.importorskip("matplotlib")
    with closing(gymnasium.make(env_id, **small(env_id, render_mode="rgb_array_list"))) as env:
        env.reset(seed=0)
        env.step(env.action_space.sample())
        frames = env.render()
    assert isinstance(frames, list)
    assert len(frames) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("env_id", "kind"), EXTENDED)
def test_observations_are_within_bounds_that_are_known(env_id: str, kind: str) -> None:
    env = factory_of(env_id).parallel_env(**small(env_id, observation=kind))
    space = env.observation_space(env.possible_agents[0])
    box = space["observation"] if isinstance(space, gymnasium.spaces.Dict) else space
    assert np.isfinite(box.low).any()
    for seed in range(20):
        observations = env.reset(seed=seed)[0]
        while env.agents:
            rows = np.array([features(observations[agent]) for agent in env.agents])
            assert (rows >= box.low).all()
            assert (rows <= box.high).all()
            observations = env.step({agent: env.action_space(agent).sample() for agent in env.agents})[0]


@EVERY_ID
def test_infos_hold_numpy_scalars_that_json_writes(env_id: str) -> None:
    env = factory_of(env_id).joint_env(**small(env_id))
    env.reset(seed=0)
    info = env.step(env.action_space.sample())[4]
    assert all(isinstance(value, np.generic | np.ndarray) and value.dtype != object for value in info.values())
    json.dumps({name: value.tolist() for name, value in info.items()})


def test_terms_of_the_reward_are_an_array_with_names() -> None:
    env = dnn_partition_v0.joint_env(mobility="straight")
    env.reset(seed=0)
    _, reward, _, _, info = env.step(env.action_space.sample())
    for terms in (
        info["reward_terms"],
        copy.deepcopy(info)["reward_terms"],
        pickle.loads(pickle.dumps(info))["reward_terms"],
    ):
        assert terms.shape == (2,)
        assert tuple(terms.keys()) == ("drift", "delay")
        assert terms["drift"] + terms["delay"] == terms.sum() == pytest.approx(reward)
        assert dict(terms.items()) == {"drift": terms[0], "delay": terms[1]}
        with pytest.raises(KeyError, match="energy"):
            terms["energy"]


@EVERY_ID
def test_flat_spaces_hold_the_same_numbers(env_id: str) -> None:
    factory, options = factory_of(env_id), small(env_id)
    flat, plain = factory.joint_env(flatten=True, **options), factory.joint_env(**options)
    flats = factory.vector_env(flatten=True, num_envs=2, **options)
    assert_same(flat.reset(seed=1)[0], plain.reset(seed=1)[0].ravel())
    flats.reset(seed=1)
    flat.action_space.seed(2)
    for _ in range(3):
        action = flat.action_space.sample()
        one, other = flat.step(action), plain.step(action.reshape(plain.action_space.shape))
        assert one[0] in flat.observation_space
        assert_same([one[0], *one[1:]], [other[0].ravel(), *other[1:]])
        many = flats.step(np.stack((action, action)))
        assert_same(many[0][0], one[0])
        assert many[0] in flats.observation_space


def test_flat_spaces_of_numbers_have_one_axis() -> None:
    env = cooperative_inference_v0.joint_env(allocation="learned", flatten=True)
    assert env.action_space.shape == (20,)
    env.reset(seed=0)
    assert env.step(env.action_space.sample())[0].shape == (20,)


@pytest.mark.parametrize("beyond", [np.float32(1.0) + np.finfo(np.float32).eps, 1.0 + 1e-9, 1.000009])
def test_numbers_a_rounding_beyond_the_bounds_are_on_them(beyond: float) -> None:
    options: dict[str, Any] = {"mobility": "straight"}
    for make in (task_diversion_v0.joint_env, task_diversion_v0.vector_env):
        env, other = make(**options), make(**options)
        shape, type_ = env.action_space.shape, np.asarray(beyond).dtype
        env.reset(seed=0)
        other.reset(seed=0)
        assert_same(env.step(np.full(shape, beyond, type_)), other.step(np.ones(shape)))
    agents = task_diversion_v0.parallel_env(**options)
    agents.reset(seed=0)
    agents.step({agent: np.full(3, -beyond) for agent in agents.agents})


@EVERY_ID
def test_the_joint_environment_has_masks_for_maskable_ppo(env_id: str) -> None:
    env = gymnasium.make(env_id, **small(env_id))
    env.reset(seed=0)
    get = env.get_wrapper_attr("action_masks")
    if isinstance(env.unwrapped.problem.actions, ContinuousActions):
        with pytest.raises(TypeError, match="needs discrete actions"):
            get()
        return
    assert get().dtype == np.bool_
    assert get().shape == (env.action_space.nvec.sum(),)


def test_masks_exclude_what_the_environment_refuses() -> None:
    env = cooperative_inference_v0.joint_env(arrival_rate_hz=(40.0, 40.0))
    env.reset(seed=0)
    counts = env.problem.actions.counts
    for agent, mask in enumerate(np.split(env.action_masks(), np.cumsum(counts)[:-1])):
        for cut in np.flatnonzero(~mask):
            action = np.zeros(len(counts), dtype=np.int64)
            action[agent] = cut
            with pytest.raises(ValueError, match="cut"):
                env.step(action)
    env.step([int(np.flatnonzero(m)[-1]) for m in np.split(env.action_masks(), np.cumsum(counts)[:-1])])


# Vector environments --------------------------------------------------------------------------------------------------


@EVERY_ID
def test_a_stock_loop_runs_over_the_ends_of_episodes(env_id: str) -> None:
    """The loop of Gymnasium's documentation on vector environments: sample, step, and no reset."""
    envs = gymnasium.make_vec(env_id, num_envs=3, **small(env_id))
    envs.reset(seed=42)
    ends = 0
    for _ in range(40):
        _, _, terminations, truncations, _ = envs.step(envs.action_space.sample())
        ends += int((terminations | truncations).sum())
    assert ends >= 6
    envs.close()


@QUIET
@EVERY_ID
def test_gymnasiums_vector_wrappers_wrap_it(env_id: str) -> None:
    envs: Any = gymnasium.make_vec(env_id, num_envs=3, **small(env_id))
    envs = wrappers.NormalizeReward(wrappers.NormalizeObservation(wrappers.RecordEpisodeStatistics(envs)))
    envs.reset(seed=0)
    lengths: list[int] = []
    for _ in range(40):
        *_, infos = envs.step(envs.action_space.sample())
        if "episode" in infos:
            lengths += infos["episode"]["l"][infos["_episode"]].tolist()
    assert len(lengths) >= 6
    assert min(lengths) > 0


@pytest.mark.slow
@EVERY_ID
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_vector_infos_are_those_of_gymnasiums_own_vector_environment(env_id: str, mode: AutoresetMode) -> None:
    options = small(env_id)
    ours = gymnasium.make_vec(env_id, num_envs=3, autoreset_mode=mode, **options)
    theirs = SyncVectorEnv([lambda: gymnasium.make(env_id, **options)] * 3, autoreset_mode=mode)
    ours.reset(seed=4)
    theirs.reset(seed=4)
    ours.action_space.seed(0)
    for _ in range(30):
        action = ours.action_space.sample()
        mine, other = ours.step(action)[4], theirs.step(action)[4]
        assert_same_infos(mine, other)


def assert_same_infos(mine: dict[str, Any], other: dict[str, Any]) -> None:
    assert mine.keys() == other.keys()
    for name, value in mine.items():
        if isinstance(value, dict):
            assert_same_infos(value, other[name])
        elif value.dtype != object:
            np.testing.assert_array_equal(value, other[name], err_msg=name)
