"""VEC-TaskDiversion-v0 as a joint and a batched environment, where a step is a task."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from tests.interfaces.comparing import QUIET, WITHOUT_SUMO, assert_same, makers
from tests.interfaces.small_diversion import ENV_ID, IDLE, INFOS, SMALL, decision, play, random_actions, turn
from vec_envs import task_diversion_v0 as factory
from vec_envs.mobility.straight import StraightMobility

# The APIs -------------------------------------------------------------------------------------------------------------


@QUIET
def test_gymnasium_checks_a_chosen_unit_with_extended_observations() -> None:
    check_env(gymnasium.make(ENV_ID, **SMALL, diversion="chosen").unwrapped)


@pytest.mark.skipif(find_spec("libsumo") is None, reason="needs libsumo")
def test_it_runs_on_live_sumo_by_default() -> None:
    env = gymnasium.make(ENV_ID, num_client_vehicles=3, episode_slots=3, release_rate_hz=1.0)
    try:
        env.reset(seed=0)
        assert env.unwrapped.view.problem.traffic_shape.come_and_go
        steps = [env.step(env.action_space.sample())]
        while not steps[-1][3]:
            steps.append(env.step(env.action_space.sample()))
        assert all(np.isfinite(step[0]).all() and step[1] < 0.0 for step in steps)
    finally:
        env.close()


@pytest.mark.parametrize("make", [factory.parallel_env, factory.env], ids=["parallel", "aec"])
def test_padding_changes_nothing_where_all_spaces_are_equal(make: Any) -> None:
    padded, plain = make(padded=True, **SMALL), make(**SMALL)
    for agent in plain.possible_agents:
        assert padded.observation_space(agent) == plain.observation_space(agent)
        assert padded.action_space(agent) == plain.action_space(agent)


MAKERS = makers(factory, ENV_ID)


@MAKERS
@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"num_client_vehicles": 0}, ValueError, "num_client_vehicles must be an integer of at least 1, got 0"),
        ({"release_rate_hz": 2.0}, ValueError, "release_rate_hz=2.0 must be at most 1 / slot_s"),
        ({"diversion": "guess"}, ValueError, "'probability', 'shortest', 'nearest', 'chosen'"),
        ({"mobility": "replay", "scenario": "nowhere"}, ValueError, "two-way-road"),
        (
            {"num_service_vehicles": 2},
            TypeError,
            "argument 'num_service_vehicles'; did you mean .* The options are .*num_rsus.*diversion",
        ),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused_by_every_factory(
    make: Any, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        make(**(SMALL | options))


# An episode, task by task ---------------------------------------------------------------------------------------------


@WITHOUT_SUMO
def test_an_episode_is_its_tasks_in_the_order_of_release(mobility: str) -> None:
    env = factory.joint_env(**(SMALL | {"mobility": mobility}))
    lengths = set()
    for seed in range(8):
        env.reset(seed=seed)
        turns, truncated = [], False
        assert turn(env)[0] == 0
        while not truncated:
            turns.append(turn(env))
            observation, reward, terminated, truncated, info = env.step(decision(*turns[-1]))
            assert observation in env.observation_space
            assert np.isfinite(observation).all()
            assert not terminated
            assert info.keys() == INFOS
            assert reward == pytest.approx(-info["cost"] - (info["missed"] or info["failed"]))
            assert reward == pytest.approx(-info["penalised_cost"])
        assert turn(env)[0] == 5  # what is seen at the end is a vehicle of the slot after the last
        assert len(set(turns)) == len(turns)
        assert [slot for slot, _ in turns] == sorted(slot for slot, _ in turns)
        assert turns[-1][0] < 5
        lengths.add(len(turns))
    assert len(lengths) > 3


def test_infos_are_numpy_scalars() -> None:
    env = factory.joint_env(**SMALL)
    info = play(env, 0)[1][4]
    assert all(isinstance(value, np.float64 | np.int64) for value in info.values())
    assert info["battery"] == pytest.approx(play(env, 0)[0][0][7])


def test_an_action_is_three_numbers_and_the_chosen_unit_is_a_fourth() -> None:
    assert factory.joint_env(**SMALL).action_space == gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32)
    env = factory.joint_env(**SMALL, diversion="chosen")
    assert env.action_space.shape == (4,)
    env.reset(seed=0)
    env.step(decision(0, 0, size=4))
    with pytest.raises(ValueError, match=r"an action is 4 numbers in \[-1, 1\]; expected shape \(4,\), got \(3,\)"):
        env.step(IDLE)


def test_a_step_without_an_episode_is_refused() -> None:
    env = factory.joint_env(**SMALL)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(IDLE)
    play(env, 0)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(IDLE)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ([0.0, 0.0], r"an action is 3 numbers in \[-1, 1\]; expected shape \(.*3,?\), got \(.*2,?\)"),
        ([[0.0, 0.0, 0.0]], "an action is 3 numbers"),
        (0.0, "an action is 3 numbers"),
        ([0.0, np.nan, 0.0], r"number 1 of the action must be in \[-1, 1\], got nan"),
        ([0.0, 0.0, 1.001], r"number 2 of the action must be in \[-1, 1\], got 1.001"),
        ([np.inf, 0.0, 0.0], r"number 0 of the action must be in \[-1, 1\], got inf"),
        ([True, False, True], "an action must hold integers or floats, got dtype bool"),
        (["a", "b", "c"], "an action must hold integers or floats, got dtype <U1"),
        ([None, 0.0, 0.0], "an action must hold integers or floats, got dtype object"),
    ],
    ids=str,
)
def test_a_wrong_action_is_refused_and_nothing_happens(action: Any, message: str) -> None:
    joint, batched = factory.joint_env(**SMALL), factory.vector_env(**SMALL)
    joint.reset(seed=0)
    batched.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        joint.step(action)
    with pytest.raises(ValueError, match=message):
        batched.step([action])
    expected = factory.joint_env(**SMALL)
    expected.reset(seed=0)
    assert_same(joint.step(IDLE), expected.step(IDLE))


def test_whole_numbers_and_lists_are_actions() -> None:
    env, other = factory.joint_env(**SMALL), factory.joint_env(**SMALL)
    env.reset(seed=0)
    other.reset(seed=0)
    assert_same(env.step([-1, 1, 0]), other.step(np.array([-1.0, 1.0, 0.0], dtype=np.float32)))


# Many environments ----------------------------------------------------------------------------------------------------


def test_actions_of_an_ended_environment_are_ignored() -> None:
    ours, plain = (factory.vector_env(num_envs=2, autoreset_mode="NEXT_STEP", **SMALL) for _ in range(2))
    ours.reset(seed=1)
    plain.reset(seed=1)
    ended = np.zeros(2, dtype=bool)
    for actions in random_actions(40, 2):
        spoilt = actions.copy()
        spoilt[ended] = np.nan
        one, other = ours.step(spoilt), plain.step(actions)
        assert_same(one[:4], other[:4])
        assert (one[1][ended] == 0.0).all()
        ended = one[3]


def test_a_partial_reset_changes_only_its_environments() -> None:
    envs = factory.vector_env(num_envs=4, **SMALL)
    envs.reset(seed=0)
    observation = envs.step(random_actions(1, 4)[0])[0]
    mask = np.array([True, False, False, True])
    after, _ = envs.reset(seed=7, options={"reset_mask": mask})
    assert_same(after[~mask], observation[~mask])
    for b in (0, 3):
        assert_same(after[b], factory.joint_env(**SMALL).reset(seed=7 + b)[0])


def test_a_mobility_object_is_accepted_and_left_open() -> None:
    class Watched(StraightMobility):
        closed = 0

        def close(self) -> None:
            Watched.closed += 1

    for make in (factory.joint_env, factory.parallel_env, factory.vector_env):
        env = make(**(SMALL | {"mobility": Watched()}))
        env.reset(seed=0)
        env.close()
        env.close()
    assert Watched.closed == 0
