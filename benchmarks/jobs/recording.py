"""Recordings of an episode for the player of the leaderboard's page, within the bounds of a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vec_envs.interfaces.recording import EpisodeRecorder
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.problems.abilities import HasScenes
from vec_envs.problems.base import Problem, View
from vec_envs.problems.scenes import SceneFrame, SceneNode, SceneQueue

MOST_FRAMES = 100
"""The largest number of slots in a recording: the first ones of an episode."""
MOST_RECORDING_BYTES = 2**19
"""The largest size of a recording, a quarter of the largest size of a result. A larger one is cut off there."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """An episode for the player of the leaderboard's page."""

    case: str
    policy: str
    slot_s: float
    queues: tuple[SceneQueue, ...]
    nodes: tuple[SceneNode, ...]
    frames: tuple[SceneFrame, ...]


def can_record(problem: Problem) -> bool:
    """Returns whether episodes of a problem can be recorded."""
    return isinstance(problem, HasScenes)


class Recorder:
    """Records the first environment of a batch during one episode, as much of it as a result may hold.

    Raises `ValueError` for a problem without scenes.
    """

    def __init__(self, env: BatchVectorEnv) -> None:
        self._recorder = EpisodeRecorder(env)

    def add(self, view: View, action: np.ndarray) -> None:
        """Adds a decision epoch of all environments; does nothing where the first environment has ended."""
        self._recorder.add(view, action)

    def written(self) -> dict[str, Any]:
        """Returns the recording as JSON has it, without the names of case and policy.

        Raises `ValueError` where a scene of the problem does not fit its nodes and queues.
        """
        return self._recorder.written(most_frames=MOST_FRAMES, most_bytes=MOST_RECORDING_BYTES)


def read(content: Mapping[str, Any], *, case: str, policy: str) -> Recording:
    """Returns a recording from the JSON of `written`, with the names of its case and policy."""
    queues = content.get("queues", [{"unit": content["unit"]}])
    return Recording(
        case=case,
        policy=policy,
        slot_s=content["slot_s"],
        queues=tuple(SceneQueue(**queue) for queue in queues),
        nodes=tuple(SceneNode(name=of["name"], kind=of["kind"]) for of in content["nodes"]),
        frames=tuple(_frame(of) for of in content["frames"]),
    )


def _frame(of: Mapping[str, Any]) -> SceneFrame:
    return SceneFrame(
        x_m=tuple(of["x_m"]),
        y_m=tuple(of["y_m"]),
        waits=tuple(of["waits"]),
        links=tuple((int(start), int(end), str(what)) for start, end, what in of["links"]),
        caption=of["caption"],
        arrived=tuple(of.get("arrived", ())),
    )
