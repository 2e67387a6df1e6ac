"""Whose arrays, views and traffic are, what the environments need, and their end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from tests.interfaces.comparing import MODES, assert_same
from tests.interfaces.small_partition import ENV_ID, SMALL, by_agent, factory, random_actions
from vec_envs.dnn import DNNProfile, Layer
from vec_envs.interfaces import factories
from vec_envs.interfaces.parallel_env import SimultaneousEnv
from vec_envs.mobility.straight import StraightMobility
from vec_envs.problems.base import action_exists


def arrays_in(value: Any) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return arrays_in([*value]) if value.dtype == object else [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [array for part in value for array in arrays_in(part)] if isinstance(value, list | tuple) else []


@pytest.mark.parametrize("mode", MODES)
def test_returned_arrays_are_the_callers_own(mode: AutoresetMode) -> None:
    envs, untouched = (factory.vector_env(num_envs=2, autoreset_mode=mode, **SMALL) for _ in range(2))
    handed_out = [envs.reset(seed=0)]
    untouched.reset(seed=0)
    for step, actions in enumerate(random_actions(8, num_envs=2)):
        if mode is AutoresetMode.DISABLED and step == 5:
            break
        handed_out.append(envs.step(actions.copy()))
        expected = untouched.step(actions)
        assert_same(handed_out[-1][:4], expected[:4])
        everything = [array for given in handed_out for array in arrays_in(given)]
        kept = [*vars(envs.batch.last_outcome).values(), *arrays_in([vars(envs.view.state), vars(envs.view.exogenous)])]
        for array in arrays_in(handed_out[-1]):
            assert sum(np.shares_memory(array, other) for other in everything) == 1
            assert not any(np.shares_memory(array, other) for other in kept)
        for array in everything:
            array[...] = 1  # a caller may do with them what it likes


def test_observations_of_the_other_interfaces_are_the_callers_own() -> None:
    joint, parallel = factory.joint_env(**SMALL), factory.parallel_env(padded=True, **SMALL)
    fresh = factory.joint_env(**SMALL)
    observation, _ = joint.reset(seed=0)
    by_name, _ = parallel.reset(seed=0)
    fresh.reset(seed=0)
    for action in random_actions(5)[:, 0]:
        for array in (observation, *arrays_in(by_name)):
            array[...] = 1
        observation = joint.step(action)[0]
        by_name = parallel.step(by_agent(action))[0]
        expected = fresh.step(action)[0]
        assert_same(observation, expected)
        assert_same([*observation], [o["observation"] for o in by_name.values()])
        assert_same([o["action_mask"] for o in by_name.values()], [*action_exists(parallel.problem).astype(np.int8)])


def test_infos_of_the_agents_are_their_own() -> None:
    env = factory.parallel_env(**SMALL)
    env.reset(seed=0)
    infos = env.step(by_agent(np.zeros(3)))[4]
    infos["client_0"]["drift"] = "spoilt"
    infos["client_0"]["reward_terms"][...] = 7.0
    assert infos["client_1"]["drift"] != "spoilt"
    assert infos["client_1"]["reward_terms"]["drift"] != 7.0


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
    for make in (factory.joint_env, factory.parallel_env, factory.vector_env):
        env = make(mobility=Watched(), dnns=(dnn,), num_client_vehicles=2, num_service_vehicles=0)
        env.reset(seed=0)
        assert env.problem.action_counts == (2, 2)
        env.close()
    assert Watched.closed == 0


@pytest.mark.parametrize("make", [factory.joint_env, factory.parallel_env, factory.vector_env])
def test_traffic_made_by_name_ends_with_the_env_and_where_making_it_fails(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    class Watched(StraightMobility):
        def close(self) -> None:
            closed.append("once")

    monkeypatch.setattr(factories, "make_mobility", lambda *_, **__: Watched())
    env = make(**SMALL)
    env.reset(seed=0)
    assert closed == []
    env.close()
    assert closed == ["once"]
    with pytest.raises(ValueError, match="render_mode"):
        make(**SMALL, render_mode="ansi")
    assert closed == ["once"] * 2


def test_view_shows_the_present_slot() -> None:
    env: SimultaneousEnv = factory.parallel_env(**SMALL)
    env.reset(seed=0)
    env.step(by_agent(np.zeros(3)))
    view = env.view
    assert view.problem is env.problem
    observation = view.problem.observe(view.state, view.exogenous)
    np.testing.assert_array_equal(env.state(), view.problem.global_state(view.state, view.exogenous)[0])
    after = env.step(by_agent(np.zeros(3)))[0]
    assert not np.array_equal(after["client_0"], observation[0, 0])


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
