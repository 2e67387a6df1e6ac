"""The picture of a slot."""

from __future__ import annotations

import pickle
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.save_video import save_video
from gymnasium.wrappers import RecordVideo

from tests.benchmarks.own_problem import SendOrNot
from vec_envs import cooperative_inference_v0
from vec_envs import dnn_partition_v0 as factory
from vec_envs.interfaces.joint_env import JointEnv
from vec_envs.interfaces.present_scene import PresentScene, present_scene
from vec_envs.interfaces.scene_picture import ScenePictures
from vec_envs.interfaces.window import _Pace
from vec_envs.mobility import ReplayMobility, StillMobility, StraightMobility
from vec_envs.mobility.street import Street, street_of
from vec_envs.registration import ENVIRONMENTS, factory_of

pytest.importorskip("matplotlib")

SMALL: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 3,
    "num_service_vehicles": 2,
    "render_mode": "rgb_array",
}
ROAD: dict[str, Any] = {
    "mobility": "straight",
    "num_client_vehicles": 5,
    "num_rsus": 2,
    "episode_slots": 12,
    "render_mode": "rgb_array",
}
TABLE_HEIGHT = 90
"""The height of the rows of three clients, in pixels."""
ASPHALT = (0xD5, 0xD7, 0xDA)
CLIENT, SERVICE, RSU = (0x33, 0x62, 0x9C), (0x2E, 0x85, 0x40), (0xC8, 0x50, 0x1E)


def pixels(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == np.array(colour)).all(axis=-1).sum())


def assert_is_picture(picture: Any) -> None:
    assert isinstance(picture, np.ndarray)
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert len(np.unique(picture @ np.array([65536, 256, 1]))) > 50


def test_all_three_roles_are_on_the_road() -> None:
    env = factory.joint_env(**SMALL)
    env.reset(seed=0)
    picture = env.render()
    road = picture[:-TABLE_HEIGHT]
    for colour in (CLIENT, SERVICE, RSU):
        assert pixels(road, colour) > 100


def test_the_picture_moves_with_the_vehicles_and_the_queues() -> None:
    env = factory.joint_env(**SMALL)
    env.reset(seed=0)
    before = env.render()
    all_local = env.action_space.nvec - 1
    env.step(all_local)
    after = env.render()
    assert not np.array_equal(before, after)
    queues = np.s_[-TABLE_HEIGHT:]
    env.step(all_local)
    env.step(all_local)
    assert pixels(env.render()[queues], CLIENT) > pixels(before[queues], CLIENT) + 500


def test_links_show_where_the_last_tasks_went() -> None:
    env = factory.joint_env(**SMALL)

    def orange(action: np.ndarray) -> int:
        env.reset(seed=0)
        env.step(action)
        road = env.render()[:-TABLE_HEIGHT].astype(int)
        return int(((road[..., 0] > 190) & (road[..., 2] < 120) & (road[..., 1] < 150)).sum())

    to_rsu, all_local = np.zeros(3, dtype=int), env.action_space.nvec - 1
    assert orange(to_rsu) > orange(all_local) + 200


def test_an_ended_episode_and_one_without_service_vehicles_can_be_drawn() -> None:
    env = factory.joint_env(**(SMALL | {"num_service_vehicles": 0, "episode_slots": 2}))
    env.reset(seed=0)
    for _ in range(2):
        env.step(env.action_space.nvec - 1)
    assert_is_picture(env.render())


def test_an_environment_that_was_just_reset_shows_no_links() -> None:
    envs = factory.vector_env(num_envs=2, **SMALL)
    envs.reset(seed=0)
    envs.step(np.zeros((2, 3), dtype=int))
    mask = np.array([True, False])
    envs.reset(seed=[0, None], options={"reset_mask": mask})
    fresh = factory.joint_env(**SMALL)
    fresh.reset(seed=0)
    np.testing.assert_array_equal(envs.render()[0], fresh.render())


def test_the_picture_keeps_a_copy_of_the_action() -> None:
    envs = factory.vector_env(num_envs=1, **SMALL)
    envs.reset(seed=0)
    action = np.zeros((1, 3), dtype=np.int64)
    envs.step(action)
    before = envs.render()[0]
    action[...] = 5
    np.testing.assert_array_equal(envs.render()[0], before)


def test_drawing_changes_nothing() -> None:
    rendered, silent = factory.joint_env(**SMALL), factory.joint_env(**SMALL)
    rendered.reset(seed=0)
    silent.reset(seed=0)
    for _ in range(3):
        rendered.render()
        action = np.array([3, 4, 5])
        one, other = rendered.step(action), silent.step(action)
        np.testing.assert_array_equal(one[0], other[0])
        assert one[1] == other[1]


def test_gymnasiums_wrappers_can_draw() -> None:
    env = gymnasium.make("VEC-DNNPartition-v0", **SMALL)
    env.reset(seed=0)
    assert_is_picture(env.render())


@dataclass(frozen=True)
class Sceneless(SendOrNot):
    """Somebody's own problem without scenes."""


def test_a_problem_without_scenes_and_drawing_says_so() -> None:
    env = JointEnv(Sceneless(), StraightMobility(), render_mode="rgb_array")
    env.reset(seed=0)
    with pytest.raises(NotImplementedError, match="Sceneless has no drawing"):
        env.render()


def test_a_batch_has_no_window() -> None:
    with pytest.raises(ValueError, match="render_mode must be None or 'rgb_array', got 'human'"):
        factory.vector_env(num_envs=2, mobility="straight", render_mode="human")


# The content of pictures ----------------------------------------------------------------------------------------------


def scene_after(env: Any, steps: int) -> PresentScene:
    for _ in range(steps):
        env.step(env.action_space.sample())
    return present_scene(env.unwrapped._batch, 0)


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
@pytest.mark.parametrize("steps", [0, 3])
def test_vehicles_are_where_the_traffic_has_them(env_id: str, steps: int) -> None:
    env = factory_of(env_id).joint_env(mobility="straight")
    env.reset(seed=1)
    env.action_space.seed(1)
    scene = scene_after(env, steps)
    traffic, seats = env._batch.traffic(0), iter(range(100))
    for node, place in zip(scene.scenery.nodes, scene.places, strict=True):
        if node.kind in ("client", "vehicle", "device"):
            seat = next(seats)
            assert (place is None) == (traffic.client_vehicle[scene.slot, seat] < 0)
            if place is not None:
                np.testing.assert_allclose(place, traffic.client_xy_m[scene.slot, seat])


def test_lymdo_on_a_road_draws_the_road() -> None:
    pictures = []
    for mobility in ("straight", "still"):
        env = cooperative_inference_v0.joint_env(mobility=mobility, render_mode="rgb_array")
        env.reset(seed=0)
        pictures.append(pixels(env.render(), ASPHALT))
    assert pictures[0] > 1000 > pictures[1]


def test_the_last_decision_is_that_of_the_drawn_environment() -> None:
    """Environments of one batch end at different decisions; later ones of the others must not be shown instead."""
    envs = factory_of("VEC-TaskDiversion-v0").vector_env(num_envs=3, mobility="straight", episode_slots=3)
    envs.reset(seed=0)
    last: dict[int, Any] = {}
    while not envs.batch.ended.all():
        running, state = ~envs.batch.ended, envs.batch.state
        envs.batch.step(np.full((3, 1, 3), 0.3))
        for row in np.flatnonzero(running).tolist():
            last[row] = state.vehicle_free_s[row]
    assert len({int(row) for row in envs.batch.epoch}) == 1
    for row, vehicle_free_s in last.items():
        decision = envs.batch.last_decision(row)
        assert decision is not None
        np.testing.assert_array_equal(decision.state.vehicle_free_s[0], vehicle_free_s)
    envs.reset(seed=1)
    assert envs.batch.last_decision(0) is None


def test_the_scale_of_the_bars_grows_with_the_longest_queue_and_begins_anew() -> None:
    env = factory.joint_env(**SMALL)
    scales = [1.0]

    class Noted(ScenePictures):
        def _scales(self, scene: PresentScene, row: int) -> list[float]:
            scales.append(super()._scales(scene, row)[0])
            return scales[-1:]

    env.reset(seed=0)
    pictures = Noted(street=Street())
    for _ in range(6):
        pictures.picture(present_scene(env._batch, 0))
        env.step(env.action_space.nvec - 1)
    assert scales == sorted(scales)
    assert scales[-1] > 1.0
    assert {float(f"{scale:.0e}"[0]) for scale in scales} <= {1.0, 2.0, 5.0}
    env.reset(seed=0)
    pictures.picture(present_scene(env._batch, 0))
    assert scales[-1] == 1.0


def test_a_street_has_the_shape_of_its_net(tmp_path: Path) -> None:
    replay = street_of(ReplayMobility("arterial"))
    assert len(replay.lanes) > 4
    assert len(replay.junctions) > 3
    assert len(street_of(StraightMobility()).lanes) == 1, "without a net: the axis"
    assert street_of(StillMobility()).lanes == (), "nothing drives there"
    for text in ("", "<net><edge", "<net><edge><lane shape='1,x 2,3'/></edge></net>"):
        (tmp_path / "net.xml").write_text(text)
        broken = WithNet(tmp_path / "net.xml")
        assert len(street_of(broken).lanes) == 1, "a net that cannot be read counts as none"
        (tmp_path / "net.xml").unlink()
        assert len(street_of(broken).lanes) == 1


class WithNet(StraightMobility):
    def __init__(self, net_file: Path) -> None:
        super().__init__()
        self.__dict__["net_file"] = net_file


# The window -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have a display")
def test_without_a_display_one_sentence_says_so_and_the_episode_goes_on(no_display: None) -> None:
    pytest.importorskip("pygame")
    with warnings.catch_warnings(record=True, action="always") as warned:
        env = gymnasium.make("VEC-DNNPartition-v0", **(SMALL | {"render_mode": "human"}))
        env.reset(seed=0)
        env.step(env.action_space.sample())
        assert env.render() is None
    said = [str(warning.message) for warning in warned if warning.category is RuntimeWarning]
    assert len(said) == 1
    assert said[0].startswith("render_mode='human' found no display, so no window opens: use render_mode='rgb_array'")


@pytest.mark.parametrize("make", [factory.joint_env, factory.parallel_env])
def test_a_window_shows_every_epoch_and_closes(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setattr(_Pace, "wait", lambda self: None)
    shown: list[np.ndarray] = []
    flip = pygame.display.flip
    monkeypatch.setattr(
        pygame.display, "flip", lambda: (flip(), shown.append(pygame.surfarray.array3d(pygame.display.get_surface())))
    )
    env, drawn = make(**(SMALL | {"render_mode": "human"})), make(**SMALL)
    for of in (env, drawn):
        of.reset(seed=0)
    actions = np.array([0, 1, 2]) if make == factory.joint_env else {agent: 1 for agent in env.agents}
    for of in (env, drawn):
        of.step(actions)
    assert len(shown) == 2
    np.testing.assert_array_equal(shown[1].transpose(1, 0, 2), drawn.render())
    copy = pickle.loads(pickle.dumps(env))
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    env.render()
    assert len(shown) == 2, "its user has closed it"
    copy.render()
    assert len(shown) == 3, "a copy has its own"
    env.close()
    copy.close()
    copy.close()


def test_a_notebook_shows_pictures_in_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    display = ModuleType("IPython.display")
    seen: list[Any] = []
    display.Image, display.display = (lambda data: data), seen.append  # type: ignore[attr-defined]
    display.clear_output = lambda wait: None  # type: ignore[attr-defined]
    interactive = ModuleType("IPython")
    interactive.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", interactive)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    env = factory.joint_env(**(SMALL | {"render_mode": "human"}))
    env.reset(seed=0)
    assert len(seen) == 1
    assert seen[0].startswith(b"\x89PNG")


def test_a_missing_pygame_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(ImportError, match=r"needs pygame, which is missing.*pip install \"vec-envs\[render\]\""):
        factory.joint_env(**(SMALL | {"render_mode": "human"}))


# Gymnasium's own tools ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_gymnasium_checks_every_render_mode(env_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = gymnasium.make(env_id, mobility="straight", render_mode="rgb_array").unwrapped
    assert env.metadata["render_modes"] == ["human", "rgb_array"]
    assert env.metadata["render_fps"] > 0
    check_env(env)


@pytest.mark.slow
def test_gymnasium_records_videos(tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    options = SMALL | {"episode_slots": 3}
    env = RecordVideo(
        gymnasium.make("VEC-DNNPartition-v0", **options),
        str(tmp_path / "wrapper"),
        episode_trigger=lambda episode: True,
        disable_logger=True,
    )
    play(env)
    env.close()
    listed = gymnasium.make("VEC-DNNPartition-v0", **(options | {"render_mode": "rgb_array_list"}))
    play(listed)
    save_video(listed.render(), str(tmp_path / "function"), fps=4, episode_trigger=lambda episode: True)
    for folder in ("wrapper", "function"):
        (video,) = (tmp_path / folder).glob("*.mp4")
        assert video.stat().st_size > 1000


def play(env: Any) -> None:
    env.reset(seed=0)
    ended = False
    while not ended:
        *_, ended, _ = env.step(env.action_space.sample())
