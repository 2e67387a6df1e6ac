"""A recorded episode is what was played."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.jobs import recording as recordings
from benchmarks.jobs.plan import jobs_of, kept_of, problem_of
from benchmarks.jobs.playing import play
from benchmarks.jobs.recording import MOST_FRAMES, Recorder, can_record, read
from benchmarks.results import result as results
from benchmarks.results.kept import Kept
from benchmarks.suites import SUITES
from benchmarks.suites.suite import Case, Reference
from tests.benchmarks.own_problem import SendOrNot
from tests.benchmarks.recordings import ENVIRONMENTS, content_of
from vec_envs import dnn_partition_v0
from vec_envs.interfaces.vector_env import BatchVectorEnv
from vec_envs.mobility import StillMobility
from vec_envs.policies import Random
from vec_envs.problems.scenes import PlayedSlot, SceneFrame, SceneNode, SceneQueue, Scenery, rounded, strip_y_m

OPTIONS = {"num_client_vehicles": 2, "num_service_vehicles": 1, "episode_slots": 4, "mobility": "straight"}
OF_BEFORE = "467300299d96a2d6cd8120473b411a8d56cbfea2cc9f26de0ea574105530c49e"
"""The SHA-256 of a recorded episode of these options, by the code that recorded the published results."""


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
    assert (recording.case, recording.policy) == ("here", "anybody")
    assert recording.queues == (SceneQueue(name="Waiting", unit="Gcycles"),)
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


def test_a_recording_of_dnn_partition_has_the_bytes_of_the_published_ones() -> None:
    """Results hold recordings, and `benchmarks.verify` compares them: another text would reject old submissions."""
    kept = Kept(metrics=("completion_time_s",), recorded=True)
    with closing(dnn_partition_v0.vector_env(num_envs=3, **OPTIONS)) as env:
        text = json.dumps(play(Random(env.problem), env, env.problem, kept, seed=2).recording)
    assert list(json.loads(text)) == ["case", "policy", "slot_s", "unit", "nodes", "frames"]
    assert hashlib.sha256(text.encode()).hexdigest() == OF_BEFORE


@pytest.mark.slow
@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_every_environment_is_recorded_slot_by_slot(env_id: str, tmp_path: Path) -> None:
    content = content_of(env_id)
    slots = {"VEC-DNNPartition-v0": 30, "VEC-TaskDiversion-v0": 60}.get(env_id, MOST_FRAMES)
    assert len(content["frames"]) == slots
    assert len(json.dumps(content)) < results.MOST_BYTES / 20
    assert any(start != end for frame in content["frames"] for start, end, _ in frame["links"])
    own = Case(name="here", env_id=env_id, policies=(), recorded=True, episodes=2)  # not every one has a track
    case = next((case for case in SUITES["quick"][0].cases if case.env_id == env_id and case.recorded), own)
    (job,) = jobs_of(case, Reference(name="random"), 1)
    ones = np.ones(case.episodes)
    traces = {name: np.ones(200) for name in job.kept.traces}
    path = results.write(
        tmp_path, job.definition, job.kept, values={name: ones for name in job.kept.values}, decisions=ones, curve=None,
        traces=traces, training_s=0.0, evaluation_s=0.0, recording=content,
    )  # fmt: skip
    recording = read(results.read(path).recording or {}, case="here", policy="random")
    assert [list(frame.waits) for frame in recording.frames] == [frame["waits"] for frame in content["frames"]]
    assert [frame.arrived for frame in recording.frames] == [tuple(of.get("arrived", ())) for of in content["frames"]]


@pytest.mark.parametrize("suite", ["main", "quick"])
def test_a_case_of_each_environment_is_recorded(suite: str) -> None:
    cases = SUITES[suite][0].cases
    recorded = {case.env_id for case in cases if kept_of(case, problem_of(case.env_id, case.env)).recorded}
    assert recorded == {case.env_id for case in cases}


def test_a_slot_without_decisions_has_a_scene_and_an_ended_environment_none() -> None:
    """Tasks are rare here, and the other environments have more of them."""
    content = content_of("VEC-TaskDiversion-v0", num_client_vehicles=2, episode_slots=20, release_rate_hz=0.1)
    links = [len(frame["links"]) for frame in content["frames"]]
    assert len(links) == 20
    assert 0 in links
    assert links[0] > 0, "an episode begins with a task"
    for frame in content["frames"]:
        assert frame["caption"].startswith(f"{len(frame['links'])} task" if frame["links"] else "No task")


@dataclass(frozen=True, kw_only=True)
class Shown(SendOrNot):
    """Somebody's own problem with scenes."""

    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Parts of its scenes that are wrong."""

    def scenery(self) -> Scenery:
        vehicles = [SceneNode(name=f"car {i}", kind="vehicle") for i in range(self.num_client_vehicles)]
        nodes = (*vehicles, SceneNode(name="mast", kind="rsu"))
        return Scenery(slot_s=1.0, nodes=nodes, queues=(SceneQueue(name="Work", unit="s"),))

    def scene(self, played: PlayedSlot) -> SceneFrame:
        (decision,) = played.decisions
        mast = self.num_client_vehicles
        frame = SceneFrame(
            x_m=(*rounded(played.traffic.client_position_m[played.slot], 1), 0.0),
            y_m=(*(strip_y_m(i) for i in range(mast)), -7.0),
            waits=(*(None,) * mast, played.state.queue_s[0]),
            links=tuple((i, mast, "a task") for i in np.flatnonzero(decision.action[0]).tolist()),
            caption=f"{decision.outcome.delay_s.sum():.1f} s",
        )
        return replace(frame, **self.changes)


def recording_of_own(problem: SendOrNot) -> dict[str, Any]:
    """Returns the recording of an episode in which all vehicles send in every other slot."""
    env = BatchVectorEnv(problem, StillMobility(), num_envs=2)
    env.reset(seed=1)
    recorder = Recorder(env)
    for slot in range(problem.episode_slots):
        action = np.full((2, problem.num_client_vehicles), slot % 2)
        recorder.add(env.view, action)
        env.batch.step(action)
    return recorder.written()


def test_a_problem_of_ones_own_is_recorded() -> None:
    content = recording_of_own(Shown(episode_slots=4))
    recording = read(json.loads(json.dumps(content, allow_nan=False)), case="here", policy="mine")
    assert [(node.name, node.kind) for node in recording.nodes][2:] == [("car 2", "vehicle"), ("mast", "rsu")]
    assert recording.queues == (SceneQueue(name="Work", unit="s"),)
    assert [len(frame.links) for frame in recording.frames] == [0, 3, 0, 3]
    assert recording.frames[1].links[2] == (2, 3, "a task")
    waits = [frame.waits for frame in recording.frames]
    assert {wait[:3] for wait in waits} == {(None, None, None)}
    np.testing.assert_allclose([wait[3] or 0.0 for wait in waits], [0.0, 0.0, 0.2, 0.0], atol=1e-12)
    np.testing.assert_allclose(recording.frames[0].x_m, [150.0, -75.0, -75.0, 0.0])


def test_a_problem_without_scenes_is_not_recorded() -> None:
    assert can_record(Shown())
    assert not can_record(SendOrNot())
    with pytest.raises(ValueError, match="must have the methods of HasScenes, got SendOrNot: add them"):
        recording_of_own(SendOrNot())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"x_m": (0.0,)}, "x_m of a scene must have 4 values for 4 nodes and 1 kinds of queues, got 1"),
        ({"waits": (0.0,) * 8}, "waits of a scene must have 4 values"),
        ({"y_m": (0.0, 0.0, 0.0, np.nan)}, "y_m of a scene must be finite numbers, or None"),
        ({"links": ((0, 4, "a task"),)}, "links of a scene must join nodes from 0 to 3"),
    ],
)
def test_a_scene_that_does_not_fit_its_nodes_is_an_error(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        recording_of_own(Shown(changes=changes))


def test_a_recording_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Shown(episode_slots=recordings.MOST_FRAMES + 7)
    whole = recording_of_own(long)["frames"]
    assert len(whole) == recordings.MOST_FRAMES
    monkeypatch.setattr(recordings, "MOST_RECORDING_BYTES", 1000)
    few = recording_of_own(long)["frames"]
    assert 1 < len(few) < 10
    assert few == whole[: len(few)]
    monkeypatch.setattr(recordings, "MOST_RECORDING_BYTES", 1)
    assert recording_of_own(long)["frames"] == whole[:1]


def test_a_recording_without_queues_is_read_as_such() -> None:
    class Queueless(Shown):
        def scenery(self) -> Scenery:
            return replace(super().scenery(), queues=())

    content = recording_of_own(Queueless(changes={"waits": ()}))
    assert read(content, case="", policy="").queues == ()
