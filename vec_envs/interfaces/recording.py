"""Recordings of an episode, slot by slot: the scenes of a problem as JSON, for the player of episodes."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from vec_envs.interfaces.recorded_street import RecordedStreet
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.problems.abilities import HasScenes
from vec_envs.problems.base import SequentialProblem, View
from vec_envs.problems.scenes import Decision, Numbers, PlayedSlot, SceneFrame, SceneQueue, Scenery
from vec_envs.records import row_of


class EpisodeRecorder:
    """Records the first environment of a batch during one episode.

    Raises `ValueError` for a problem without scenes.
    """

    def __init__(self, env: BatchVectorEnv) -> None:
        if not isinstance(env.problem, HasScenes):
            raise ValueError(
                f"the problem must have the methods of HasScenes, got {type(env.problem).__name__}: add them, see "
                "vec_envs/problems/abilities.py, or set recorded=False"
            )
        self._problem: Any = env.problem
        self._batch = env.batch
        self._in_turn = isinstance(env.problem, SequentialProblem)
        self._decisions: dict[int, list[Decision]] = {}

    def add(self, view: View, action: np.ndarray) -> None:
        """Adds a decision epoch of all environments; does nothing where the first environment has ended."""
        if self._batch.ended[0]:
            return
        state, exogenous = (row_of(record, slice(1)) for record in (view.state, view.exogenous))
        next_state, outcome = self._problem.transition(state, action[:1], exogenous)
        decision = Decision(state=state, action=action[:1], exogenous=exogenous, outcome=outcome, next_state=next_state)
        slot = int(self._problem.turn(exogenous)[0][0]) if self._in_turn else len(self._decisions)
        self._decisions.setdefault(slot, []).append(decision)

    def written(
        self, *, most_frames: int | None = None, most_bytes: float = math.inf, street: bool = False
    ) -> dict[str, Any]:
        """Returns the recording as JSON values; the names of case and policy are empty.

        Args:
            most_frames: The largest number of slots, the first ones of the episode; None for all.
            most_bytes: The largest size of all slots. A recording has at least one slot.
            street: Whether to write the street in its true shape, with the places of nodes in its plane. Otherwise
                places are those of the scenes, along and across the road, as on a road without a network.

        Raises:
            ValueError: A scene of the problem does not fit its nodes and queues.
        """
        scenery: Scenery = self._problem.scenery()
        unit = scenery.queues[0].unit if scenery.queues else ""
        shape = RecordedStreet(self._batch.mobility) if street else None
        shape = shape if shape is not None and shape.is_known else None
        recording: dict[str, Any] = {
            "case": "",
            "policy": "",
            "slot_s": scenery.slot_s,
            "unit": unit,
            "nodes": [asdict(node) for node in scenery.nodes],
            "frames": self._frames(scenery, shape, most_frames, most_bytes),
        }
        if shape is not None:
            recording["street"] = shape.written()
        if scenery.queues != (SceneQueue(unit=unit),):
            recording["queues"] = [asdict(queue) for queue in scenery.queues]
        return recording

    def _frames(
        self, scenery: Scenery, street: RecordedStreet | None, most_frames: int | None, most_bytes: float
    ) -> list[dict[str, Any]]:
        """Returns the frames of the first slots, within the bounds of a recording; at least one."""
        frames, size = list[dict[str, Any]](), 0
        for played in itertools.islice(self._slots(), most_frames):
            scene: SceneFrame = self._problem.scene(played)
            frame = _json_of(scene, scenery)  # which checks the scene
            if street is not None:
                frame = _json_of(street.placed(scene, scenery.nodes, played), scenery)
            size += len(json.dumps(frame))
            if frames and size > most_bytes:
                break
            frames.append(frame)
        return frames

    def _slots(self) -> Iterator[PlayedSlot]:
        """Yields the slots of the episode, those without a decision too."""
        state = next((decisions[0].state for decisions in self._decisions.values()), None)
        if state is None:  # no decision at all: nothing is known
            return
        for slot in range(self._problem.episode_slots if self._in_turn else len(self._decisions)):
            decisions = tuple(self._decisions.get(slot, ()))
            yield PlayedSlot(
                slot=slot,
                state=state,
                decisions=decisions,
                traffic=self._batch.traffic(0),
                road=self._batch.mobility.road,
            )
            state = decisions[-1].next_state if decisions else state


def _json_of(frame: SceneFrame, scenery: Scenery) -> dict[str, Any]:
    """Returns a frame as JSON values, with plain numbers.

    Raises `ValueError` where the frame does not fit the nodes and queues.
    """
    nodes, kinds = len(scenery.nodes), len(scenery.queues)
    for name, length in (("x_m", nodes), ("y_m", nodes), ("waits", nodes * kinds)):
        if len(getattr(frame, name)) != length:
            raise ValueError(
                f"{name} of a scene must have {length} values for {nodes} nodes and {kinds} kinds of queues, got "
                f"{len(getattr(frame, name))}"
            )
    links = tuple((int(start), int(end), str(what)) for start, end, what in frame.links)
    if wrong := [link for link in links if not (0 <= link[0] < nodes and 0 <= link[1] < nodes)]:
        raise ValueError(f"links of a scene must join nodes from 0 to {nodes - 1}, got {wrong[0]}")
    numbers = {name: _plain(getattr(frame, name), name) for name in ("x_m", "y_m", "waits")}
    arrived = {"arrived": [int(node) for node in frame.arrived]} if frame.arrived else {}
    return {**numbers, "links": links, "caption": str(frame.caption), **arrived}


def _plain(values: Sequence[float | None], name: str) -> Numbers:
    plain = tuple(None if value is None else float(value) for value in values)
    if wrong := [value for value in plain if value is not None and not math.isfinite(value)]:
        raise ValueError(f"{name} of a scene must be finite numbers, or None where a node has none, got {wrong[0]}")
    return plain
