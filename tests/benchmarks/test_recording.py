"""A recorded episode is what was played."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from benchmarks.jobs.playing import play
from benchmarks.jobs.recording import Recorder, read
from benchmarks.results.kept import Kept
from vec_envs import dnn_partition_v0, task_diversion_v0
from vec_envs.policies import Random

OPTIONS = {"num_client_vehicles": 2, "num_service_vehicles": 1, "episode_slots": 4, "mobility": "straight"}


def test_a_recording_shows_the_first_episode_slot_by_slot() -> None:
    recorded: list[tuple[Any, np.ndarray]] = []

    class Watched(Random):
        def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
            action = super().act(observation, view)
            recorded.append((view, action))
            return action

    kept = Kept(metrics=("completion_time_s",), traces=("backlog_gcycles",), recorded=True)
    with closing(dnn_partition_v0.vector_env(num_envs=3, **OPTIONS)) as env:
        played = play(Watched(env.problem), env, env.problem, kept, seed=2)
        problem = env.problem
    recording = read(json.loads(json.dumps(played.recording)), case="here", policy="anybody")
    assert (recording.case, recording.policy, recording.unit) == ("here", "anybody", "Gcycles")
    assert [(node.name, node.kind) for node in recording.nodes] == [
        ("c0", "client"),
        ("c1", "client"),
        ("s0", "service"),
        ("RSU", "rsu"),
    ]
    assert len(recording.frames) == len(recorded) == 4
    for frame, (view, action) in zip(recording.frames, recorded, strict=True):
        positions = [*view.exogenous.client_position_m[0], *view.exogenous.service_position_m[0], 0.0]
        np.testing.assert_allclose(frame.x_m, positions, atol=0.051)
        waits = [*view.state.client_backlog_gcycles[0], *view.state.service_backlog_gcycles[0],
                 view.state.rsu_backlog_gcycles[0].sum()]  # fmt: skip
        np.testing.assert_allclose(frame.waits, waits, atol=5.1e-4)
        sent = {start: (end, what) for start, end, what in frame.links}
        for client in range(2):
            cut, node = divmod(int(action[0, client]), problem.num_nodes)
            profile = problem.profiles[problem.client_types[client]]
            if cut == profile.num_layers:
                assert client not in sent
            else:
                assert sent[client] == (2 if node else 3, f"{profile.name} from {profile.layers[cut].name}")
    assert any(frame.links for frame in recording.frames)
    assert recording.frames[0].caption.startswith("0.0 Gcycles wait; this slot's tasks take ")


def test_an_episode_is_recorded_only_on_request() -> None:
    with closing(dnn_partition_v0.vector_env(num_envs=1, **OPTIONS)) as env:
        assert play(Random(env.problem), env, env.problem, Kept(metrics=("drift",)), seed=0).recording is None
    with (
        closing(task_diversion_v0.vector_env(num_envs=1, mobility="straight")) as env,
        pytest.raises(ValueError, match="episodes of TaskDiversion cannot be recorded"),
    ):
        Recorder(env)
