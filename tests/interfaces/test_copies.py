"""Copies of environments, by `copy.deepcopy` and `pickle`, which continue exactly as the original does."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from tests.interfaces.comparing import assert_same
from tests.interfaces.test_every_environment import EVERY_ID, small
from vec_envs.registration import ENVIRONMENTS, factory_of


def pickled(env: Any) -> Any:
    """Returns the copy of an environment that pickle makes."""
    return pickle.loads(pickle.dumps(env))


COPIES = pytest.mark.parametrize("copied", [copy.deepcopy, pickled], ids=["deepcopy", "pickle"])
INTERFACES = ("joint_env", "vector_env", "parallel_env", "env")
EVERY_INTERFACE = pytest.mark.parametrize("interface", INTERFACES)
TWO_OF_EACH = pytest.mark.parametrize(
    ("env_id", "interface"),
    [(env_id, INTERFACES[(at + more) % 4]) for at, env_id in enumerate(ENVIRONMENTS) for more in (0, 1)],
)
"""Two interfaces of each environment, and two environments of each interface."""
STEPS_BEFORE = pytest.mark.parametrize("steps", [None, 0, 2], ids=["fresh", "reset", "mid-episode"])


def action_of(env: Any, number: int) -> Any:
    """Returns the action of a step, the same for the original and its copy."""
    rng = np.random.default_rng(number)
    if hasattr(env, "agent_selection"):
        return int(rng.integers(3)) if hasattr(env.action_space(env.agent_selection), "n") else np.full(3, 0.25)
    if hasattr(env, "possible_agents"):
        spaces = [env.action_space(agent) for agent in env.agents]
        return {
            agent: int(rng.integers(3)) if hasattr(space, "n") else rng.uniform(-1.0, 1.0, space.shape)
            for agent, space in zip(env.agents, spaces, strict=True)
        }
    space = env.action_space
    if np.issubdtype(space.dtype, np.integer):
        return rng.integers(0, 3, space.shape)
    return rng.uniform(-1.0, 1.0, space.shape)


def play(env: Any, first: int, steps: int) -> list[Any]:
    """Plays some steps and resets at the end of episodes without a seed; returns everything that was returned."""
    trace: list[Any] = []
    for number in range(first, first + steps):
        if hasattr(env, "agent_iter"):
            if not env.agents:
                env.reset()
            observation, reward, _, truncated, info = env.last()
            trace += [observation, reward, truncated, info]
            env.step(None if truncated else action_of(env, number))
        elif hasattr(env, "possible_agents"):
            trace.append(env.step(action_of(env, number)) if env.agents else env.reset())
        else:
            trace.append(env.step(action_of(env, number)))
            ended = trace[-1][3]
            if np.ndim(ended) == 0 and ended:
                trace.append(env.reset())
    return trace


def started(make: Callable[..., Any], steps: int | None, **options: Any) -> Any:
    env = make(**options)
    if steps is not None:
        env.reset(seed=5)
        play(env, 0, steps)
    return env


@pytest.mark.slow
@EVERY_ID
@EVERY_INTERFACE
@STEPS_BEFORE
@COPIES
def test_a_copy_continues_as_the_original(
    env_id: str, interface: str, steps: int | None, copied: Callable[[Any], Any]
) -> None:
    compare_with_copy(getattr(factory_of(env_id), interface), steps, copied, **small(env_id))


@pytest.mark.slow
@TWO_OF_EACH
@pytest.mark.parametrize(
    ("mobility", "steps", "copied"),
    [("replay", 2, copy.deepcopy), ("sumo", None, copy.deepcopy), ("sumo", 2, pickled)],
    ids=["replay", "fresh sumo", "sumo in an episode"],
)
def test_a_copy_continues_on_the_same_traffic(
    env_id: str, interface: str, mobility: str, steps: int | None, copied: Callable[[Any], Any]
) -> None:
    compare_with_copy(getattr(factory_of(env_id), interface), steps, copied, **small(env_id, mobility=mobility))


def compare_with_copy(
    make: Callable[..., Any], steps: int | None, copied: Callable[[Any], Any], **options: Any
) -> None:
    with closing(started(make, steps, **options)) as env, closing(copied(env)) as other:
        if steps is None:
            env.reset(seed=7)
            other.reset(seed=7)
        # Ten steps reach into the next episode, whose traffic the copy has to ask for.
        assert_same(play(other, 10, 10), play(env, 10, 10))


@EVERY_ID
def test_a_copy_is_of_its_own(env_id: str) -> None:
    make = factory_of(env_id).joint_env
    env, untouched = (started(make, 2, **small(env_id)) for _ in range(2))
    other = copy.deepcopy(env)
    play(other, 30, 6)
    assert_same(play(env, 10, 10), play(untouched, 10, 10))


@EVERY_ID
def test_a_tree_search_on_copies_is_no_worse_than_its_first_actions(env_id: str) -> None:
    """Plays, at each step, the best of three actions as copies of the environment judge them."""
    env, rewards, best = factory_of(env_id).joint_env(**small(env_id)), [], []
    env.reset(seed=0)
    truncated = False
    while not truncated:
        tried = [(copy.deepcopy(env).step(action)[1], k) for k, action in enumerate(candidates(env))]
        best.append(max(tried)[0])
        _, reward, _, truncated, _ = env.step(candidates(env)[max(tried)[1]])
        rewards.append(reward)
    assert rewards == best


def candidates(env: Any) -> list[Any]:
    env.action_space.seed(1)
    return [env.action_space.sample() for _ in range(3)]


@pytest.mark.slow
def test_a_copy_of_live_sumo_outlives_the_original() -> None:
    env = factory_of("VEC-DNNPartition-v0").joint_env(**small("VEC-DNNPartition-v0", mobility="sumo"))
    env.reset(seed=1)
    other = copy.deepcopy(env)
    env.close()
    with closing(other):
        play(other, 0, 10)
        assert len(other.view.exogenous.v2i_mbps[0]) == 3


@pytest.mark.parametrize("scenario", ["fdr-drive", "two-way-road"])
def test_a_pickled_recording_is_its_name(scenario: str) -> None:
    env = factory_of("VEC-TaskDiversion-v0").joint_env(mobility="replay", scenario=scenario)
    assert len(pickle.dumps(env)) < 100_000
