"""The errors of the interfaces for wrong actions, options and ids."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.vector import AutoresetMode

from tests.interfaces.comparing import MODES, makers
from tests.interfaces.small_partition import ENV_ID, SMALL, by_agent, factory, random_actions
from vec_envs import task_diversion_v0
from vec_envs.interfaces.joint_env import JointEnv
from vec_envs.mobility import StraightMobility
from vec_envs.registration import ENVIRONMENTS, factory_of


@pytest.mark.parametrize(
    "mask",
    [
        np.array([1, 0]),
        np.array([True]),
        np.array([[True, False]]),
        [True, False],
        np.array([False, False]),
    ],
    ids=["integers", "too short", "too deep", "a list", "no environment"],
)
def test_wrong_reset_mask_is_refused(mask: Any) -> None:
    envs = factory.vector_env(num_envs=2, **SMALL)
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
def test_a_wrong_action_is_refused_by_the_gymnasium_interfaces(action: Any, message: str) -> None:
    joint, batched = factory.joint_env(**SMALL), factory.vector_env(num_envs=1, **SMALL)
    joint.reset(seed=0)
    batched.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        joint.step(action)
    with pytest.raises(ValueError, match=message):
        batched.step([action])
    joint.step([0, 0, 0])  # nothing has happened to the episode
    assert joint.view.state.client_backlog_gcycles.shape == (1, 3)


@pytest.mark.parametrize("shape", [(1, 3), (3, 3), (2,), (2, 1, 3)])
def test_actions_of_a_wrong_number_of_environments_are_refused(shape: tuple[int, ...]) -> None:
    envs = factory.vector_env(num_envs=2, **SMALL)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"expected shape \(2, 3\)"):
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
    env = factory.parallel_env(**SMALL)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(by_agent(np.zeros(3)) | other)


@pytest.mark.parametrize("make", [lambda: factory.parallel_env(**SMALL), task_diversion_v0.parallel_env])
@pytest.mark.parametrize("actions", [None, [], np.zeros(3)], ids=str)
def test_actions_of_another_type_than_dict_are_refused(make: Any, actions: Any) -> None:
    env = make()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="actions must be a dict from agent to action, got"):
        env.step(actions)


def test_a_missing_agent_is_refused() -> None:
    env = factory.parallel_env(**SMALL)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"missing \['client_2'\], unknown \[\]"):
        env.step({"client_0": 0, "client_1": 0})


def test_numpy_integers_are_actions() -> None:
    env = factory.parallel_env(**SMALL)
    env.reset(seed=0)
    env.step({"client_0": np.int64(1), "client_1": np.array(2), "client_2": np.uint8(3)})


@pytest.mark.parametrize("make", [factory.joint_env, factory.parallel_env])
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
def test_stepping_a_batch_before_the_first_reset_is_refused(mode: AutoresetMode) -> None:
    envs = factory.vector_env(num_envs=2, autoreset_mode=mode, **SMALL)
    with pytest.raises((RuntimeError, ValueError), match="reset"):
        envs.step(random_actions(1, num_envs=2)[0])


def test_unknown_ids_list_the_known_ones() -> None:
    with pytest.raises(gymnasium.error.NameNotFound, match="VEC-DNNPartition"):
        gymnasium.make("VEC-DNNPartitions-v0")
    with pytest.raises(gymnasium.error.VersionNotFound, match="v0"):
        gymnasium.make("VEC-DNNPartition-v9")


def test_unknown_ids_of_pettingzoo_name_the_id() -> None:
    registry = pytest.importorskip("pettingzoo.env_registry.exceptions", reason="PettingZoo before 1.27 has none")
    for kind in ("parallel", "aec"):
        with pytest.raises(registry.NameNotFound, match=ENV_ID):
            pettingzoo.make(kind, "VEC-Unknown-v0")


MAKERS = makers(factory, ENV_ID)


@MAKERS
@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"mobility": "teleport"}, ValueError, "'replay', 'straight', 'still', .*, got 'teleport'"),
        ({"mobility": "replay", "scenario": "nowhere"}, ValueError, "fdr-drive, motorway"),
        ({"mobility": "sumo", "scenario": "nowhere"}, ValueError, "fdr-drive, fdr-drive-dense, motorway"),
        ({"reward": "profit"}, ValueError, "'drift_bound', 'drift', 'delay'"),
        ({"render_mode": "ansi"}, ValueError, "'rgb_array'"),
        (
            {"colour": "red"},
            TypeError,
            "unexpected keyword argument 'colour'; the options are mobility, .*num_client_vehicles.*observation",
        ),
    ],
    ids=str,
)
def test_an_unknown_option_lists_the_known_ones(make: Any, options: dict[str, Any], kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        make(**(SMALL | options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_envs": 0}, "num_envs must be an integer of at least 1, got 0"),
        ({"autoreset_mode": "never"}, "'never' is unknown; there are 'NEXT_STEP', 'SAME_STEP', 'DISABLED'"),
    ],
)
def test_wrong_option_of_the_batched_env_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        factory.vector_env(**SMALL, **options)


def test_a_wrong_number_of_seeds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"seed=\[1, 2\] must be an integer, or one for each of 3 environments"):
        factory.vector_env(num_envs=3, **SMALL).reset(seed=[1, 2])
    factory.vector_env(num_envs=3, **SMALL).reset(seed=range(3))


@pytest.mark.parametrize("make", [factory.vector_env, factory.parallel_env])
def test_a_seed_is_not_negative(make: Any) -> None:
    env = make(**SMALL)
    env.reset(seed=3)
    with pytest.raises(ValueError, match="seed must be an integer of at least 0, got -4"):
        env.reset(seed=-4)


def test_wrong_options_of_a_factory_are_refused_by_name() -> None:
    for wrong in (1.5, "2", True):
        with pytest.raises(ValueError, match=f"num_envs must be an integer of at least 1, got {wrong!r}"):
            factory.vector_env(num_envs=wrong, **SMALL)
        with pytest.raises(ValueError, match=f"num_workers must be an integer of at least 1, got {wrong!r}"):
            factory.joint_env(num_workers=wrong, **SMALL)
    with pytest.raises(ValueError, match="padded must be True or False, got 'no'"):
        factory.parallel_env(padded="no", **SMALL)
    with pytest.raises(ValueError, match="scenario='motorway' needs a mobility given by name"):
        factory.joint_env(**{**SMALL, "mobility": StraightMobility()}, scenario="motorway")


def test_an_unknown_option_of_a_reset_is_refused() -> None:
    envs = factory.vector_env(num_envs=2, **SMALL)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="options has 'reset_maks'; there is 'reset_mask' alone"):
        envs.reset(options={"reset_maks": np.array([True, False])})


EVERY = [(env_id, make) for env_id in ENVIRONMENTS for make in ("joint_env", "parallel_env", "env", "vector_env")]


def opened(env_id: str, make: str) -> Any:
    of_id = factory_of(env_id)
    env = getattr(of_id, make)(mobility="still" if of_id.default_mobility == "still" else "replay")
    env.reset(seed=0)
    return env


def any_action(env: Any) -> Any:
    if hasattr(env, "agent_selection"):
        return env.action_space(env.agent_selection).sample()
    if hasattr(env, "agents"):
        return {agent: env.action_space(agent).sample() for agent in env.agents}
    return env.action_space.sample()


@pytest.mark.parametrize(("env_id", "make"), EVERY)
def test_a_closed_environment_is_refused(env_id: str, make: str) -> None:
    env = opened(env_id, make)
    action = any_action(env)
    env.close()
    env.close()
    with pytest.raises(RuntimeError, match="the environment is closed: make a new one"):
        env.step(action)
    with pytest.raises(RuntimeError, match="the environment is closed: make a new one"):
        env.reset(seed=0)


@pytest.mark.parametrize(("env_id", "make"), EVERY)
def test_unknown_options_of_reset_are_refused(env_id: str, make: str) -> None:
    env = opened(env_id, make)
    for none in (None, {}):
        env.reset(seed=0, options=none)
    with pytest.raises(ValueError, match=r"options .*'num_client_vehicles'"):
        env.reset(seed=0, options={"num_client_vehicles": 3})


@pytest.mark.parametrize("mobility", ["straight", "still"])
def test_a_scenario_has_no_place_where_the_road_is_fixed(mobility: str) -> None:
    for env_id in ("VEC-DNNPartition-v0", "VEC-CooperativeInference-v0"):
        with pytest.raises(ValueError, match=rf"scenario='motorway' has no effect with mobility='{mobility}'"):
            factory_of(env_id).joint_env(mobility=mobility, scenario="motorway")
    assert factory_of("VEC-TaskDiversion-v0").traffic(mobility=mobility, scenario="two-way-road")  # its default
