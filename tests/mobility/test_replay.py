"""Recordings: what goes in comes out, and nothing that is no recording does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sumo_scenarios import record
from sumo_scenarios.record import with_roles
from tests.mobility.conftest import assert_in_range, of_seats, same, shape, start_script, take
from tests.waiting import LIMIT_S
from vec_envs.mobility import ReplayMobility, Scenario, SumoMobility, TrafficError, make_mobility
from vec_envs.mobility.recording import RECORDINGS, read_recording, write_recording

SHIPPED = RECORDINGS / "fdr-drive.npz"


@pytest.mark.parametrize("name", ["fdr-drive", "motorway"])
def test_the_shipped_recordings_serve_episodes(name: str) -> None:
    mobility = ReplayMobility(name)
    assert mobility.road == SumoMobility(name).road
    for block in take(mobility.blocks(0, shape(10, 10, slots=31)), 20):
        assert_in_range(mobility, block)
        assert np.allclose(np.diff(block.client_position_m, axis=0), block.client_speed_mps[1:], atol=0.05)
    assert (RECORDINGS / f"{name}.npz").stat().st_size < 2**20


def test_a_recording_of_coming_and_going_serves_vehicles_that_stay() -> None:
    mobility, road = ReplayMobility("two-way-road"), Scenario.load("two-way-road").road
    assert mobility.road == road
    assert (RECORDINGS / "two-way-road.npz").stat().st_size < 1_500_000
    for block in take(mobility.blocks(0, shape(7, 5, slots=31)), 20):
        assert_in_range(mobility, block)
        assert (of_seats(block, "vehicle") == np.arange(12)).all()
        moved_m = np.diff(of_seats(block, "position_m"), axis=0)
        assert np.abs(moved_m - of_seats(block, "speed_mps")[1:]).max() <= 1 / 32
        assert ((moved_m > 0.0).all(axis=0) | (moved_m < 0.0).all(axis=0)).all()
        assert (np.sign(of_seats(block, "speed_mps")) == np.sign(moved_m[0])).all()
    # Few vehicles stay so long: only some parts of the windows will do.
    long = take(mobility.blocks(0, shape(8, 4, slots=100)), 20)
    assert len({block.client_position_m.tobytes() for block in long}) > 10
    with pytest.raises(TrafficError, match=r"at most \d in all throughout 140 slots\); ask for fewer"):
        mobility.blocks(0, shape(8, 4, slots=140))


def test_a_recording_of_vehicles_that_stay_serves_coming_and_going() -> None:
    mobility = ReplayMobility()
    for block in take(mobility.blocks(0, shape(7, 5, slots=31, come_and_go=True)), 5):
        assert (of_seats(block, "vehicle") == np.arange(12)).all()


@pytest.mark.parametrize(("name", "version"), [("fdr-drive", 1), ("motorway", 1), ("two-way-road", 2), ("arterial", 2)])
def test_a_recording_survives_a_round_trip(name: str, version: int, tmp_path: Path) -> None:
    with np.load(RECORDINGS / f"{name}.npz") as file:
        assert f'"version": {version}' in str(file["header"])
    recording = read_recording(RECORDINGS / f"{name}.npz")
    write_recording(tmp_path / "again.npz", *recording)
    again = read_recording(tmp_path / "again.npz")
    assert again[:2] == recording[:2]
    for left, right in zip(recording[2], again[2], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(astuple(left), astuple(right), strict=True))


def test_no_recording_holds_pickles() -> None:
    for path in RECORDINGS.glob("*.npz"):
        with np.load(path, allow_pickle=False) as file:
            assert all(file[name].dtype.kind in "biuUf" for name in file.files)


def test_seeds_decide_and_seeking_is_skipping() -> None:
    mobility = ReplayMobility()
    blocks = take(mobility.blocks(3, shape()), 8)
    assert same(blocks[5:], take(mobility.blocks(3, shape(), start=5), 3))
    assert same(blocks, take(ReplayMobility(SHIPPED).blocks(3, shape()), 8))
    assert not same(blocks[:1], take(mobility.blocks(4, shape()), 1))


def test_a_short_episode_begins_anywhere_in_a_window() -> None:
    mobility = ReplayMobility()
    _, _, windows = read_recording(SHIPPED)
    first_m = np.unique(np.concatenate([window.position_m[0] for window in windows]))
    blocks = take(mobility.blocks(0, shape(slots=6)), 50)
    at_first_slot = [bool(np.isin(block.client_position_m[0], first_m).all()) for block in blocks]
    assert not all(at_first_slot)
    whole = take(mobility.blocks(0, shape(slots=31)), 5)
    assert all(np.isin(block.client_position_m[0], first_m).all() for block in whole)


@pytest.mark.slow
def test_recorded_traffic_equals_live_traffic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "mine.npz"
    arguments = ["motorway", "--output", str(output), "--episodes", "3", "--slots", "5", "--seed", "9"]
    assert record.main([*arguments, "--clients", "2", "--services", "1", "--slot-s", "0.5"]) == 0
    assert "3 of 3 windows" in capsys.readouterr().err
    road, slot_s, windows = read_recording(output)
    live = SumoMobility("motorway")
    assert (road, slot_s) == (live.road, 0.5)
    for recorded, served in zip(windows, live.windows(9, shape(2, 1, slots=5, slot_s=0.5)), strict=False):
        for name in ("xy_m", "position_m", "speed_mps"):
            assert np.abs(getattr(recorded, name) - getattr(served, name)).max() <= 1 / 128 + 1e-4
        assert np.array_equal(recorded.may_be_client, served.may_be_client)
    live.close()
    replay = make_mobility("replay", scenario=output)
    assert len(take(replay.blocks(0, shape(2, 1, slots=5, slot_s=0.5)), 9)) == 9


def test_coming_and_going_is_recorded_as_sumo_served_it(tmp_path: Path) -> None:
    output = tmp_path / "mine.npz"
    arguments = ["two-way-road", "--output", str(output), "--episodes", "3", "--slots", "40", "--seed", "9"]
    assert record.main([*arguments, "--come-and-go"]) == 0
    with pytest.raises(SystemExit):
        record.main([*arguments, "--come-and-go"])
    live = SumoMobility("two-way-road")
    served = live.windows(9, shape(slots=40, come_and_go=True))
    for recorded, window in zip(read_recording(output)[2], served, strict=False):
        assert np.array_equal(recorded.present, window.present)
        assert not window.present.all()
        for name in ("xy_m", "position_m", "speed_mps"):
            assert np.abs(getattr(recorded, name) - getattr(window, name)).max() <= 1 / 128 + 1e-9
            assert (getattr(recorded, name)[~recorded.present] == 0.0).all()
        assert (np.sign(recorded.speed_mps) == np.sign(window.speed_mps)).all()
    live.close()


def test_vehicles_without_a_role_are_not_recorded() -> None:
    window = read_recording(RECORDINGS / "arterial.npz")[2][0]
    assert (window.may_be_client & window.may_be_service).all()
    client = np.arange(window.xy_m.shape[1]) % 3 == 0
    kept = with_roles(replace(window, may_be_client=client, may_be_service=~client & (np.arange(len(client)) % 3 == 1)))
    assert kept.may_be_client.tolist() == [True, False] * (len(client) // 3) + [True, False][: len(client) % 3]
    np.testing.assert_array_equal(kept.xy_m[:, ::2], window.xy_m[:, ::3])


def test_wrong_arguments_of_the_record_command_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        record.main(["nowhere"])
    names = "arterial, berlin-district, bremen-motorway, city-grid, fdr-drive, fdr-drive-dense, motorway, two-way-road"
    assert f"must be one of {names}" in capsys.readouterr().err
    assert record.main(["fdr-drive", "--clients", "99", "--slots", "3", "--output", str(tmp_path / "no.npz")]) == 1
    assert "99 clients" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (
            shape(slots=32),
            "has 31 slots of 1 s, but an episode needs 32 of 1 s; record them with: .*fdr-drive --slots 32",
        ),
        (shape(slot_s=0.5), r"an episode needs 6 of 0\.5 s; record them with: .* --slot-s 0\.5"),
        (
            shape(30, 30),
            r"30 clients and 30 service vehicles \(at most \d+ in all throughout 6 slots\); ask for fewer, or",
        ),
        (
            shape(come_and_go=True, slots=40),
            "an episode needs 40 of 1 s; record them with: .* --slots 40 .* --come-and-go, and",
        ),
    ],
)
def test_a_missing_recording_names_the_command_to_make_it(wanted: Any, words: str) -> None:
    with pytest.raises(TrafficError, match=words):
        ReplayMobility().blocks(0, wanted)


def _truncated(arrays: dict[str, np.ndarray], path: Path) -> None:
    path.write_bytes(SHIPPED.read_bytes()[:-5000])


def _foreign(arrays: dict[str, np.ndarray], path: Path) -> None:
    path.write_text("not an archive", encoding="utf-8")


def _other_npz(arrays: dict[str, np.ndarray], path: Path) -> None:
    np.savez(path, weights=np.zeros(3))


def _pickled(arrays: dict[str, np.ndarray], path: Path) -> None:
    np.savez(path, **{**arrays, "header": np.array([{"format": 1}], dtype=object)})


def _next_version(arrays: dict[str, np.ndarray], path: Path) -> None:
    np.savez(path, **{**arrays, "header": np.array(str(arrays["header"]).replace('"version": 1', '"version": 3'))})


def _without_road(arrays: dict[str, np.ndarray], path: Path) -> None:
    np.savez(path, **{**arrays, "header": np.array(str(arrays["header"]).replace('"rsu_xyz_m"', '"rsu"'))})


def _not_finite(arrays: dict[str, np.ndarray], path: Path) -> None:
    arrays["speed_mps"][3, 5] = np.nan
    np.savez(path, **arrays)


def _other_shape(arrays: dict[str, np.ndarray], path: Path) -> None:
    np.savez(path, **{**arrays, "xy_m": arrays["xy_m"][:-1]})


def _other_count(arrays: dict[str, np.ndarray], path: Path) -> None:
    np.savez(path, **{**arrays, "vehicles": arrays["vehicles"][:-1]})


def _gap(arrays: dict[str, np.ndarray], path: Path) -> None:
    write_recording(path, *read_recording(SHIPPED))
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["present"][3, 5] = False
    np.savez(path, **arrays)


def _without_presence(arrays: dict[str, np.ndarray], path: Path) -> None:
    write_recording(path, *read_recording(SHIPPED))
    with np.load(path) as file:
        np.savez(path, **{name: file[name] for name in file.files if name != "present"})


@pytest.mark.parametrize(
    "spoil",
    [
        _gap,
        _without_presence,
        _truncated,
        _foreign,
        _other_npz,
        _pickled,
        _next_version,
        _without_road,
        _not_finite,
        _other_shape,
        _other_count,
    ],
)
def test_a_damaged_file_is_refused(spoil: Callable[[dict[str, np.ndarray], Path], None], tmp_path: Path) -> None:
    with np.load(SHIPPED) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(tmp_path / "whole.npz", **arrays)
    ReplayMobility(tmp_path / "whole.npz")
    spoil(arrays, tmp_path / "spoilt.npz")
    with pytest.raises(
        TrafficError, match=r"spoilt\.npz is not a complete recording of traffic \(.*sumo_scenarios\.record"
    ):
        ReplayMobility(tmp_path / "spoilt.npz")


def test_replay_works_without_sumo(tmp_path: Path) -> None:
    script = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("libsumo", "traci", "sumolib", "sumo", "sumo_scenarios"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from vec_envs.mobility import EpisodeShape, make_mobility
shape = EpisodeShape(num_client_vehicles=7, num_service_vehicles=5, num_slots=31, slot_s=1.0)
for name in ("replay", "straight"):
    print(next(make_mobility(name).blocks(0, shape)).client_xy_m.shape)
"""
    process = start_script(tmp_path / "script.py", script)
    assert process.communicate(timeout=LIMIT_S) == ("(31, 7, 2)\n(31, 7, 2)\n", "")


def test_an_unwritable_path_is_refused_before_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "there.npz").touch()
    for name, why in (
        ("mine", "must end in .npz"),
        ("no/mine.npz", "must be in a folder that exists"),
        ("there.npz", "exists; choose"),
    ):
        with pytest.raises(SystemExit):
            record.main(["motorway", "--output", str(tmp_path / name)])
        assert why in capsys.readouterr().err
