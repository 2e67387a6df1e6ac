"""Plays an episode for `trainers.watch`, and keeps its pictures or its recording."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainers.loop.episodes import Tally, play_out
from trainers.runs.progress import bar
from vec_envs.interfaces.recording import EpisodeRecorder
from vec_envs.interfaces.rendering import Picture
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.problems.base import View
from vec_envs.problems.policy import Policy, mask_keyword


@dataclass(frozen=True, kw_only=True)
class Episode:
    """An episode that has been played."""

    road: str
    metrics: tuple[tuple[str, float, str], ...]
    """Name, mean over the decisions, and unit of each reported metric."""
    pictures: tuple[Picture, ...] = ()
    """A picture before the first decision and after each one, where pictures were asked for."""
    recording: dict[str, Any] | None = None
    """The episode slot by slot, where no pictures were asked for."""


def play_episode(
    env: BatchVectorEnv, make: Callable[[Any], Policy], *, seed: int, draws: bool, most_pictures: int | None = None
) -> Episode:
    """Plays an episode of a single environment, which it closes.

    Args:
        env: A vector environment of one, with `render_mode="rgb_array"` where it draws.
        make: Builds the policy from the problem.
        seed: The seed of the episode and of the policy, as the evaluation uses them.
        draws: Whether to keep pictures; otherwise a recording is kept.
        most_pictures: The largest number of pictures, the first ones; None for all.

    Raises:
        ValueError: The problem has no scenes, which a recording needs.
    """
    with closing(env), bar(env.problem.episode_epochs, unit="decision") as progress:
        policy = make(env.problem)
        policy.reset(seed)
        env.reset(seed=seed)
        recorder, pictures = None if draws else EpisodeRecorder(env), list[Picture]()

        def keep_picture() -> None:
            if draws and (most_pictures is None or len(pictures) < most_pictures):
                pictures.append(env.render()[0])

        def decide(observation: np.ndarray, view: View) -> np.ndarray:
            keep_picture()
            action = policy.act(observation, view, **mask_keyword(policy, view))
            if recorder is not None:
                recorder.add(view, action)
            progress.update(int(env.batch.epoch[0]) - progress.n)
            return action

        tally = play_out(env.batch, decide, env.problem.reported_metrics)
        keep_picture()
        return Episode(
            road=env.batch.mobility.road.name,
            metrics=_metrics(env, tally),
            pictures=tuple(pictures),
            recording=None if recorder is None else recorder.written(street=True),
        )


def _metrics(env: BatchVectorEnv, tally: Tally) -> tuple[tuple[str, float, str], ...]:
    means = tally.means()
    return tuple((metric.name, float(means[metric.name][0]), metric.unit) for metric in env.problem.reported_metrics)
