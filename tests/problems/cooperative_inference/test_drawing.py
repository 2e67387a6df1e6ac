"""The picture of `CooperativeInference`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from vec_envs import cooperative_inference_v0 as environments
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.mobility import EpisodeShape, StillMobility, TrafficBlock
from vec_envs.problems.cooperative_inference import CooperativeInference
from vec_envs.problems.cooperative_inference import drawing as picture_of

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.slow

DEVICE, SENDING, SERVER = (0x33, 0x62, 0x9C), (0xC8, 0x50, 0x1E), (0x2E, 0x85, 0x40)
ENERGY, MEMORY = (0xF0, 0xB4, 0), (0x8A, 0x6B, 0xB0)
ALLOCATIONS = pytest.mark.parametrize("allocation", ["exact", "learned"])


def started(devices: int = 3, **options: Any) -> Any:
    kinds = {"dnn_of_device": tuple(n % 2 for n in range(devices))}
    if devices == 1:
        kinds = {"dnns": ("alexnet",), "dnn_of_device": (0,), "energy_budget_j": (0.04,), "memory_budget_gb": (0.1,)}
    env = environments.joint_env(episode_slots=12, render_mode="rgb_array", **(kinds | options))
    env.reset(seed=1)
    env.action_space.seed(2)
    return env


def pixels(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == np.array(colour)).all(axis=-1).sum())


def columns(picture: np.ndarray) -> np.ndarray:
    return picture[48:474, 440:]


def words_of(batch: EnvironmentBatch, row: int = 0) -> list[Any]:
    """Returns the texts that are drawn: matplotlib also keeps those of ticks outside the axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    figure = Figure(figsize=(11.0, 5.0), dpi=100, layout="constrained")
    canvas, drawn, draw = FigureCanvasAgg(figure), dict[int, Text](), Text.draw

    def noted(text: Text, renderer: Any) -> None:
        drawn[id(text)] = text
        draw(text, renderer)

    picture_of.draw(figure, batch.frame(row))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", noted)
        canvas.draw()
    return [text for text in drawn.values() if text.get_visible() and text.get_text().strip()]


def axes_of(batch: EnvironmentBatch) -> dict[str, Any]:
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    picture_of.draw(figure, batch.frame(0))
    return {str(axes.get_label()): axes for axes in figure.axes}


def played(cuts: list[list[int]], **options: Any) -> tuple[EnvironmentBatch, Any]:
    """Returns a batch after one decision, and the outcome."""
    problem: Any = CooperativeInference(**options)
    batch = EnvironmentBatch(problem, StillMobility(), len(cuts))
    batch.reset(range(len(cuts)), [3 + row for row in range(len(cuts))])
    return batch, batch.step(np.array(cuts))


@pytest.mark.parametrize(("devices", "slots", "allocation"), [
    (1, 0, "exact"), (1, 12, "learned"), (2, 12, "exact"), (5, 12, "exact"), (5, 12, "learned"), (10, 0, "learned"),
    (10, 12, "learned"), (10, 12, "exact"), (14, 12, "exact"),
    (18, 12, "learned"),
])  # fmt: skip
def test_no_text_overlaps_another_or_leaves_the_canvas(devices: int, slots: int, allocation: str) -> None:
    env = started(devices, allocation=allocation)
    for _ in range(slots):
        env.step(env.action_space.sample())
    words = words_of(env._batch)
    boxes = [(text.get_text(), (text.get_bbox_patch() or text).get_window_extent()) for text in words]
    for (one, box), (other, over) in combinations(boxes, 2):
        shared_x = min(box.x1, over.x1) - max(box.x0, over.x0)
        shared_y = min(box.y1, over.y1) - max(box.y0, over.y0)
        assert min(shared_x, shared_y) < 1.0, f"{one!r} and {other!r}"
    for word, box in boxes:
        assert box.x0 >= 0.0, word
        assert box.y0 >= 0.0, word
        assert box.x1 <= 1100.0, word
        assert box.y1 <= 500.0, word


@ALLOCATIONS
@pytest.mark.parametrize("options", [{}, {"mobility": "straight"}, {"dnns": ("mobilenetv2", "resnet50")}], ids=str)
def test_every_kind_of_episode_can_be_drawn_to_its_end(options: dict[str, Any], allocation: str) -> None:
    env = started(4, allocation=allocation, unstable="clip", **options)
    while not env.step(env.action_space.sample())[3]:
        pass
    picture = env.render()
    assert picture.dtype == np.uint8
    assert picture.shape == (500, 1100, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_before_the_first_decision_only_the_current_slot_is_drawn() -> None:
    env = started()
    words = {text.get_text() for text in words_of(env._batch)}
    assert {"still, slot 0 of 12", "no decision yet", "d0 alexnet", "d1 resnet18", "11 layers", "12 layers"} <= words
    env.step(np.array([0, 5, 11]))
    after = {text.get_text() for text in words_of(env._batch)}
    assert not {"no decision yet", "11 layers"} & after
    assert any(word.startswith("still, slot 1 of 12; tasks took ") for word in after)


def test_the_text_describes_the_last_outcome() -> None:
    cuts = [[0, 11, 6, 1, 12], [5, 5, 5, 5, 5]]
    batch, outcome = played(cuts)
    for row in range(2):
        words = [text.get_text().strip() for text in words_of(batch, row)]
        assert any(f"reward {outcome.reward[row]:.1f}" in word for word in words)
        for device, layers in enumerate(CooperativeInference().num_layers):
            cut, speed = cuts[row][device], float(outcome.device_ghz[row, device])
            assert (f"{cut} of {layers}, {speed:.2f} GHz" if cut else f"0 of {layers}") in words
        state, exogenous = batch.state, batch.exogenous
        for shown in (outcome.delay_s, exogenous.arrival_rate_hz, state.energy_queue, state.memory_queue):
            assert all(picture_of.shown(float(number)) in words for number in shown[row])
        assert all(f"{10.0 * np.log10(gain):.0f} dB" in words for gain in exogenous.gain[row])


def test_bar_lengths_equal_their_values() -> None:
    batch, outcome = played([[0, 4, 6, 8, 12]])
    widths = {name: [bar.get_width() for bar in axes.patches] for name, axes in axes_of(batch).items()}
    parts = (outcome.local_s, outcome.transmit_s, outcome.server_s)
    np.testing.assert_allclose(widths["delay"], np.concatenate(parts, axis=-1)[0])
    shares = np.concatenate((outcome.server_ghz / 15.0, outcome.bandwidth_share), axis=-1)
    np.testing.assert_allclose(widths["shares"], shares[0])
    np.testing.assert_allclose(widths["rate"], batch.exogenous.arrival_rate_hz[0])
    np.testing.assert_allclose(widths["energy"], batch.state.energy_queue[0])
    np.testing.assert_allclose(widths["memory"], batch.state.memory_queue[0])


def test_a_better_link_is_wider_and_coloured_where_something_was_sent() -> None:
    batch, outcome = played([[0, 11, 6, 1, 12]])
    links = axes_of(batch)["scene"].lines
    gain = batch.exogenous.gain[0]
    assert np.argsort([link.get_linewidth() for link in links]).tolist() == np.argsort(gain).tolist()
    of_sender = {"#c8501e": True, "#9aa9bd": False}
    assert [of_sender[link.get_color()] for link in links] == (outcome.transmit_s[0] > 0.0).tolist()


class TwoLeave:
    """Five devices stand still; two are gone after the first slot."""

    road = StillMobility().road

    def blocks(self, seed: int, shape: EpisodeShape, *, start: int = 0) -> Iterator[TrafficBlock]:
        for block in StillMobility().blocks(seed, shape, start=start):
            vehicle = block.client_vehicle.copy()
            vehicle[1:, [1, 4]] = -1
            yield replace(block, client_vehicle=vehicle)

    def close(self) -> None: ...


def test_a_seat_without_a_vehicle_has_no_link_and_no_part_in_the_mean() -> None:
    problem: Any = CooperativeInference()
    batch = EnvironmentBatch(problem, TwoLeave(), 1)
    batch.reset([0], [3])
    batch.step(np.array([[0, 11, 6, 1, 12]]))
    assert len(axes_of(batch)["scene"].lines) == 3
    assert [text.get_text() for text in words_of(batch)].count("no tasks") == 2
    outcome: Any = batch.step(np.array([[0, 11, 6, 1, 12]]))
    delay_s = problem.metrics(batch.state, outcome)["delay_s"][0]
    assert delay_s > outcome.delay_s.mean()
    assert any(f"tasks took {delay_s:.3g} s on average" in text.get_text() for text in words_of(batch))


def test_colours_show_where_layers_run() -> None:
    env = started()
    first = env.render()
    env.step(env.action_space.nvec - 1)
    local = env.render()
    env.step(np.zeros(3, dtype=int))
    remote = env.render()
    for colour in (DEVICE, SENDING, SERVER):
        assert pixels(columns(first), colour) == 0
    assert pixels(columns(local), DEVICE) > 5000
    assert pixels(columns(local), SERVER) + pixels(columns(local), SENDING) == 0
    assert pixels(columns(remote), SERVER) > 5000
    assert pixels(columns(remote), SENDING) > 500
    assert pixels(columns(remote), DEVICE) == 0


def test_queues_that_are_overdrawn_have_bars() -> None:
    env = started()
    assert pixels(columns(env.render()), ENERGY) + pixels(columns(env.render()), MEMORY) == 0
    for _ in range(4):
        env.step(np.full(3, 3))
    assert pixels(columns(env.render()), ENERGY) > 500
    assert pixels(columns(env.render()), MEMORY) > 500


def test_an_environment_that_was_just_reset_has_no_last_decision() -> None:
    given: dict[str, Any] = {"episode_slots": 5, "render_mode": "rgb_array"}
    envs, fresh = environments.vector_env(num_envs=2, **given), environments.joint_env(**given)
    envs.reset(seed=0)
    envs.step(np.zeros((2, 5), dtype=int))
    envs.reset(seed=[0, None], options={"reset_mask": np.array([True, False])})
    fresh.reset(seed=0)
    np.testing.assert_array_equal(envs.render()[0], fresh.render())


@ALLOCATIONS
def test_drawing_devices_changes_nothing(allocation: str) -> None:
    rendered, silent = started(allocation=allocation), started(allocation=allocation)
    for _ in range(3):
        rendered.render()
        action = rendered.action_space.sample()
        one, other = rendered.step(action), silent.step(action)
        np.testing.assert_array_equal(one[0], other[0])
        assert one[1:] == other[1:]


@pytest.mark.parametrize(("number", "words"), [
    (0.0, "0"), (4e-5, "4e-05"), (0.004, "0.004"), (0.0605, "0.06"), (0.425, "0.425"), (9.9999, "10"), (128.4, "128"),
    (4018.0, "4018"), (22176.0, "22k"), (3e6, "3e+06"),
])  # fmt: skip
def test_numbers_are_short(number: float, words: str) -> None:
    assert picture_of.shown(number) == words
