"""Training data for imitation: the decisions of an expert, and the value of each agent's other actions.

A shard is a file with the arrays of one round of episodes. Existing shards are read, and only missing ones are made.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int

from trainers.imitation.lasting import lasting_changes
from trainers.runs.directory import replace_file
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.files import read_arrays, read_json
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.problems.abilities import HasLastingEffects
from vec_envs.problems.base import View
from vec_envs.problems.policy import Policy, mask_keyword, random_legal
from vec_envs.records import map_arrays, stack

EPISODES = "episodes.json"
"""The file that says which episodes a folder of shards holds."""
ARRAYS = ("observation", "action", "advantage")
MOST_BYTES = 2**32
"""The largest size of a shard when it is unpacked."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Decision epochs with the expert's actions."""

    observation: Float32[np.ndarray, "slots agents features"]
    action: Int[np.ndarray, "slots agents"]
    advantage: Float32[np.ndarray, "slots agents actions"]
    """Reward if this agent alone took another action, minus the expert's reward. It is 0 for the expert's own action,
    and for actions that the agent does not have. NaN where it is not known."""


def check_episodes(folder: Path, episodes: Mapping[str, Any]) -> None:
    """Checks that the shards of a folder belong to these episodes.

    Args:
        folder: A folder of shards, which need not exist.
        episodes: The options that determine the episodes.

    Raises:
        ValueError: The folder holds other episodes, or does not say which.
    """
    path, expected = folder / EPISODES, json.loads(json.dumps(episodes))
    if not path.exists():
        if any(folder.glob("shard-*.npz")):
            raise ValueError(f"{folder} holds an expert's episodes, but no {EPISODES}: choose another folder")
        return
    try:
        found = read_json(path)
        other = [name for name in expected if found[name] != expected[name]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: delete its folder to make the episodes again") from error
    if other:
        raise ValueError(
            f"{folder} holds an expert's episodes with other {', '.join(other)}: choose another folder, or delete it"
        )


def shards(
    env: BatchVectorEnv, folder: Path, *, expert: Policy, rounds: range, exploration: float, seed: int
) -> Iterator[Shard]:
    """Yields the shard of each round of episodes; missing shards are made and written.

    Args:
        env: The environments that the expert plays.
        folder: Where the files are.
        expert: The policy that plays.
        rounds: The numbers of the shards.
        exploration: The probability that an agent takes a random action instead of the expert's.
        seed: The seed of the episodes.

    Raises:
        ValueError: A file is damaged or of another problem.
    """
    for number in rounds:
        path = folder / f"shard-{number:04d}.npz"
        if not path.exists():
            shard = made_shard(env, expert, exploration=exploration, seed=(seed, number))
            written = io.BytesIO()
            np.savez_compressed(written, **{name: getattr(shard, name) for name in ARRAYS})
            replace_file(path, written.getvalue())
        yield read_shard(path, env.problem)


def made_shard(env: BatchVectorEnv, policy: Policy, *, exploration: float, seed: tuple[int, int]) -> Shard:
    """Plays one episode in each environment and returns its decision epochs.

    The shard holds the expert's actions. Some agents play a random action instead, so that epochs off the expert's
    own path are in the shard too.
    """
    problem: Any = env.problem
    words = np.random.SeedSequence(seed[0], spawn_key=seed[1:]).generate_state(2 + env.num_envs, np.uint64)
    policy_seed, exploration_seed, *env_seeds = (int(word) >> 1 for word in words)
    rng = np.random.default_rng(exploration_seed)
    policy.reset(policy_seed)
    observation, _ = env.reset(seed=env_seeds)
    changes_of = _changes(env.batch, policy, rng)
    epochs: list[tuple[np.ndarray, ...]] = []
    while not env.batch.ended.all():
        view = env.view
        action = policy.act(observation, view, **mask_keyword(policy, view))
        changes = changes_of(view, action)
        known = np.isfinite(changes).any(axis=(1, 2))
        epochs.append((observation[known], action[known], changes[known]))
        explores = rng.random(action.shape) < exploration
        legal = problem.action_mask(view.state, view.exogenous)
        observation, *_ = env.step(np.where(explores, random_legal(rng, legal), action))
    observations, actions, of_actions = (np.concatenate(of) for of in zip(*epochs, strict=True))
    return Shard(observation=observations, action=actions, advantage=of_actions)


def _changes(
    batch: EnvironmentBatch, policy: Policy, rng: np.random.Generator
) -> Callable[[View, Int[np.ndarray, "batch agents"]], Float32[np.ndarray, "batch agents actions"]]:
    """Returns the function that gives the advantages of an epoch, from all affected rewards where effects last."""
    if not isinstance(batch.problem, HasLastingEffects):
        return advantages
    episodes = stack([batch.episode(row) for row in range(batch.batch_size)])

    def lasting(view: View, action: Int[np.ndarray, "batch agents"]) -> Float32[np.ndarray, "batch agents actions"]:
        return lasting_changes(view, episodes, int(batch.epoch[0]), policy, action, rng)

    return lasting


def advantages(view: View, action: Int[np.ndarray, "batch agents"]) -> Float32[np.ndarray, "batch agents actions"]:
    """Returns the change of the reward if one agent alone takes another action; 0 for actions that it does not have."""
    problem = view.problem
    state, exogenous = (map_arrays(lambda a: a[:, None], record) for record in (view.state, view.exogenous))
    held = problem.transition(view.state, action, view.exogenous)[1].reward
    changes = np.zeros((*action.shape, max(problem.actions.counts)), dtype=np.float32)
    for agent, count in enumerate(problem.actions.counts):
        tried = np.repeat(action[:, None], count, axis=1)
        tried[..., agent] = np.arange(count)
        reward: Float[np.ndarray, "batch actions"] = problem.transition(state, tried, exogenous)[1].reward
        changes[:, agent, :count] = reward - held[:, None]
    return changes


def read_shard(path: Path, problem: Any) -> Shard:
    """Returns the shard in a file. Code in the file is not executed.

    Raises `ValueError` where the file is damaged or of another problem.
    """
    try:
        shard = Shard(**read_arrays(path, ARRAYS, most_bytes=MOST_BYTES, most_unpacked_bytes=MOST_BYTES))
    except Exception as error:  # damaged bytes make the reader raise errors of many types
        raise ValueError(f"{path} is damaged: delete it to make it again") from error
    agents, actions = len(problem.agent_names), max(problem.actions.counts)
    shapes = {"observation": (agents, problem.observation_size), "action": (agents,), "advantage": (agents, actions)}
    found = {name: getattr(shard, name).shape[1:] for name in shapes}
    if found != shapes:
        raise ValueError(f"{path} is of another problem: the shapes are {found}, this problem has {shapes}")
    return shard


def joined(parts: list[Shard]) -> Shard:
    """Returns several shards as one."""
    return Shard(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS})
