"""What an expert decides in many slots, and what else each client could have done: files to learn from.

A shard is a file of arrays without pickles, a round of episodes. What is there stays: making goes on where it ended.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int

from trainers.runs.directory import replace_file
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.policies import references
from vec_envs.problems.base import View
from vec_envs.problems.policy import Policy
from vec_envs.records import map_arrays

EPISODES = "episodes.json"
ARRAYS = ("observation", "action", "advantage")


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Slots, the expert's decisions in them, and by how much each client's other ones change the reward."""

    observation: Float32[np.ndarray, "slots agents features"]
    action: Int[np.ndarray, "slots agents"]
    advantage: Float32[np.ndarray, "slots agents actions"]
    """Reward if the client alone did this, less the expert's; 0 for its own decision, and beyond a client's actions."""


def check_episodes(folder: Path, of: Mapping[str, Any]) -> None:
    """Raises `ValueError` where a folder holds other episodes than these, or does not say which."""
    path, wanted = folder / EPISODES, json.loads(json.dumps(of))
    if not path.exists():
        if any(folder.glob("shard-*.npz")):
            raise ValueError(f"{folder} holds an expert's episodes, and no {EPISODES} of whose: choose another folder")
        return
    try:
        found = json.loads(path.read_text())
        other = [name for name in wanted if found[name] != wanted[name]]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: delete its folder, and the episodes are made anew") from error
    if other:
        raise ValueError(f"{folder} holds an expert's episodes of other {', '.join(other)}: choose another folder")


def shards(
    env: BatchVectorEnv, folder: Path, *, expert: str, rounds: int, exploration: float, seed: int
) -> Iterator[Shard]:
    """Yields a shard for each round of episodes: from its file where there is one, else made and written.

    Raises `ValueError` for an unknown expert, and where a file is damaged or of another problem.
    """
    policy = references(env.problem).named(expert).make(env.problem)
    for number in range(rounds):
        path = folder / f"shard-{number:04d}.npz"
        if not path.exists():
            made = made_shard(env, policy, exploration=exploration, seed=(seed, number))
            written = io.BytesIO()
            np.savez_compressed(written, **{name: getattr(made, name) for name in ARRAYS})
            replace_file(path, written.getvalue())
        yield read_shard(path, env.problem)


def made_shard(env: BatchVectorEnv, policy: Policy, *, exploration: float, seed: tuple[int, int]) -> Shard:
    """Returns an episode in each lane, played by the expert; some clients act at random, so that more is seen."""
    problem: Any = env.problem
    streams = np.random.SeedSequence(seed[0], spawn_key=seed[1:]).generate_state(2 + env.num_envs, np.uint64)
    first, draws, *lanes = (int(stream) >> 1 for stream in streams)
    rng, counts = np.random.default_rng(draws), np.array(problem.action_counts)
    policy.reset(first)
    observation, _ = env.reset(seed=lanes)
    kept: list[tuple[np.ndarray, ...]] = []
    while not env.batch.ended.all():
        action = policy.act(observation, env.view)
        kept.append((observation, action, advantages(env.view, action)))
        explores = rng.random(action.shape) < exploration
        observation, *_ = env.step(np.where(explores, rng.integers(0, counts, action.shape), action))
    observed, acted, better = (np.concatenate(of) for of in zip(*kept, strict=True))
    return Shard(observation=observed, action=acted, advantage=better)


def advantages(view: View, action: Int[np.ndarray, "batch agents"]) -> Float32[np.ndarray, "batch agents actions"]:
    """Returns by how much the reward changes if one agent alone does something else; 0 beyond its actions."""
    problem = view.problem
    state, exogenous = (map_arrays(lambda a: a[:, None], record) for record in (view.state, view.exogenous))
    held = problem.transition(view.state, action, view.exogenous)[1].reward
    changes = np.zeros((*action.shape, max(problem.action_counts)), dtype=np.float32)
    for agent, count in enumerate(problem.action_counts):
        tried = np.repeat(action[:, None], count, axis=1)
        tried[..., agent] = np.arange(count)
        reward: Float[np.ndarray, "batch actions"] = problem.transition(state, tried, exogenous)[1].reward
        changes[:, agent, :count] = reward - held[:, None]
    return changes


def read_shard(path: Path, problem: Any) -> Shard:
    """Returns the shard in a file; runs no code of it.

    Raises `ValueError` where it is damaged or of another problem.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            shard = Shard(**{name: file[name] for name in ARRAYS})
    except Exception as error:  # whatever a reader makes of bytes that are none
        raise ValueError(f"{path} is damaged: delete it, and it is made anew") from error
    agents, actions = len(problem.agent_names), max(problem.action_counts)
    shapes = {"observation": (agents, problem.observation_size), "action": (agents,), "advantage": (agents, actions)}
    wrong: Mapping[str, Any] = {
        name: getattr(shard, name).shape for name, shape in shapes.items() if getattr(shard, name).shape[1:] != shape
    }
    if wrong:
        raise ValueError(f"{path} is of another problem: {wrong} do not fit {shapes}")
    return shard


def joined(parts: list[Shard]) -> Shard:
    """Returns several shards as one."""
    return Shard(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS})
