"""Scenarios: the shipped ones, folders, and what is wrong with a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from sumo_scenarios import build
from tests.mobility.conftest import needs_sumo
from vec_envs.mobility import Road, Scenario, StraightMobility, make_mobility, roadside_units, scenario_names
from vec_envs.mobility.axis import RoadAxis
from vec_envs.mobility.recording import RECORDINGS, read_recording, write_recording


def test_the_shipped_roads() -> None:
    with_axis = ["arterial", "fdr-drive", "fdr-drive-dense", "motorway", "two-way-road"]
    assert scenario_names() == sorted([*with_axis, "berlin-district", "bremen-motorway", "city-grid"])
    street, city, dense, motorway, two_way = (Scenario.load(name).road for name in with_axis)
    grid = Scenario.load("city-grid").road
    assert (grid.axis_xy_m, len(grid.units_xyz_m), grid.rsu_xyz_m) == ((), 4, (-88.0, -112.0, 8.0))
    assert (street.range_m, street.rsu_xyz_m, street.speed_limit_mps) == (960.0, (0.0, -12.0, 10.0), 13.9)
    assert street.units_xyz_m == tuple((x, -12.0, 10.0) for x in (-600.0, 0.0, 600.0))
    assert (city.name, city.speed_limit_mps, city.range_m) == ("fdr-drive", 17.9, 750.0)
    assert (dense.name, dense.axis_xy_m, dense.rsu_xyz_m) == ("fdr-drive-dense", city.axis_xy_m, city.rsu_xyz_m)
    assert motorway.speed_limit_mps == 31.0
    assert motorway.range_m >= 1000.0
    assert (two_way.range_m, two_way.rsu_xyz_m, two_way.speed_limit_mps) == (1000.0, (0.0, -15.0, 4.0), 16.7)
    length_m = np.hypot(*np.diff(np.array(city.axis_xy_m), axis=0).T).sum()
    assert abs(length_m - 2200.0) < 1.0


def test_the_roadside_unit_stands_at_half_the_length_off_the_road() -> None:
    for name in build.BLUEPRINTS:
        road = Scenario.load(name).road
        ends_m = RoadAxis(road).position_m(np.array(road.axis_xy_m)[[0, -1]])
        assert abs(ends_m.sum()) < 1.0
        assert ends_m[0] < 0.0 < ends_m[1]
        assert np.hypot(*(np.array(road.axis_xy_m)[:, None] - road.rsu_xyz_m[:2]).T).min() > 10.0


def test_the_arterial_has_signals_every_300_m_with_streets_that_cross() -> None:
    net = ElementTree.parse(build.FOLDER / "arterial" / "net.xml")
    crossings = [node for node in net.iter("junction") if node.get("type") == "traffic_light"]
    assert sorted(float(node.get("x", "nan")) for node in crossings) == [-750.0, -450.0, -150.0, 150.0, 450.0, 750.0]
    lanes = {edge.get("id"): len(edge.findall("lane")) for edge in net.iter("edge") if edge.get("function") is None}
    road = {f"road{k}{back}": 2 for k in range(7) for back in ("", "-back")}
    sides = {f"side{k}-{arm}{back}": 1 for k in range(6) for arm in ("left", "right") for back in ("", "-back")}
    assert lanes == road | sides
    points = np.array(Scenario.load("arterial").road.axis_xy_m)
    assert np.hypot(*np.diff(points, axis=0).T).sum() >= 1800.0


def test_the_grid_has_signals_at_all_crossings_and_none_at_its_ends() -> None:
    net = ElementTree.parse(build.FOLDER / "city-grid" / "net.xml")
    kinds = {str(node.get("id")): node.get("type") for node in net.iter("junction")}
    signals = {name for name, kind in kinds.items() if kind == "traffic_light"}
    assert signals == {f"crossing{i}.{j}" for i in range(4) for j in range(4)}
    assert sum(kind == "dead_end" for kind in kinds.values()) == 16


@needs_sumo
def test_a_scenario_can_read_its_network_out_of_sumos_package() -> None:
    net_file = Scenario.load("bremen-motorway").net_file
    assert net_file.parts[-4:] == ("tools", "game", "highway", "highway.net.xml")
    assert net_file.is_file()


@pytest.mark.parametrize(
    ("name", "said"), [("sumo:nowhere.net.xml", "does not exist"), ("sumo:../x.net.xml", "inside of the package")]
)
@needs_sumo
def test_only_a_file_of_sumos_package_is_read_out_of_it(
    name: str, said: str, edited_scenario: Callable[..., Path]
) -> None:
    folder = edited_scenario("scenario.toml", lambda text: text.replace('"net.xml"', f'"{name}"'))
    with pytest.raises(ValueError, match=said):
        Scenario.load(folder)


def test_without_sumos_package_the_installation_is_named(
    edited_scenario: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vec_envs.mobility.scenario_table.find_spec", lambda _: None)
    folder = edited_scenario("scenario.toml", lambda text: text.replace('"net.xml"', '"sumo:tools/x.net.xml"'))
    with pytest.raises(ValueError, match=r'pip install "vec-envs\[sumo\]"'):
        Scenario.load(folder)


@pytest.mark.slow
@needs_sumo
def test_the_files_are_as_built() -> None:
    assert build.main(["--check"]) == 0


def test_the_files_do_not_contain_paths_of_the_build_machine() -> None:
    for path in build.FOLDER.glob("*/*.*ml"):
        text = path.read_text(encoding="utf-8")
        assert "generated on" not in text
        assert str(Path.home()) not in text


def test_a_folder_is_a_scenario_too(edited_scenario: Callable[..., Path]) -> None:
    folder = edited_scenario("scenario.toml", lambda text: text.replace("range_m = 750.0", "range_m = 600"))
    assert Scenario.load(folder).road.range_m == 600.0
    assert Scenario.load(str(folder)).road.name == "mine"


def test_a_road_can_list_several_units(edited_scenario: Callable[..., Path], tmp_path: Path) -> None:
    listed = "units_xyz_m = [[-300, -15, 8], [1.0, -14.97, 8.0], [300.0, -15.0, 6.0]]"
    road = Scenario.load(edited_scenario("scenario.toml", lambda t: t.replace("[road]", f"[road]\n{listed}"))).road
    assert road.units_xyz_m == ((-300.0, -15.0, 8.0), (1.0, -14.97, 8.0), (300.0, -15.0, 6.0))
    write_recording(tmp_path / "mine.npz", road, 1.0, read_recording(RECORDINGS / "fdr-drive.npz")[2][:1])
    assert read_recording(tmp_path / "mine.npz")[0] == road
    assert Scenario.load("fdr-drive").road.units_xyz_m == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("range_m = 750.0", "", "road.range_m is missing; it must be a number above 0"),
        ("range_m = 750.0", "range_m = -1", "road.range_m must be a number above 0, got -1"),
        ("range_m = 750.0", "range_m = nan", "road.range_m must be a number above 0, got nan"),
        ("range_m = 750.0", "range_m = 5", "road.range_m must be above the height of the roadside unit"),
        (
            "range_m = 750.0",
            "reach_m = 750.0\nrange_m = 750.0",
            "road.reach_m is an unknown key; the known ones are axis_xy_m",
        ),
        ("rsu_xyz_m = [", "rsu_xyz_m = [0.0, ", "road.rsu_xyz_m must be 3 finite numbers"),
        ("axis_xy_m = [", "axis_xy_m = [[1],", "road.axis_xy_m must be two to 10000 points"),
        ("[road]", "[road]\nunits_xyz_m = [[0.0, 1.0]]", "road.units_xyz_m must be one to 1000 places [x, y, z], got"),
        ("[road]", "[road]\nunits_xyz_m = []", "road.units_xyz_m must be one to 1000 places [x, y, z], got []"),
        (
            "[road]",
            "[road]\nunits_xyz_m = [[0.0, 0.0, 8.0]]",
            "units_xyz_m must contain the road's own unit, rsu_xyz_m",
        ),
        (
            "[road]",
            "[road]\nunits_xyz_m = [[1.0, -14.97, 8.0], [-300.0, -14.97, 8.0]]",
            "road.units_xyz_m must be in the order of the road, got the positions 0, -",
        ),
        ('net_file = "net.xml"', 'net_file = "away.xml"', "names 'away.xml', but the file does not exist"),
        ('["rou.xml"]', "[]", "route_files must be a list of at least one string, got "),
        ("warm_up_s", "client_types = 'car'\nwarm_up_s", "client_types must be a list of at least one string"),
        ("warm_up_s = ", "warm_up_s = -", "warm_up_s must be a number of at least 0"),
        ("[road]", "[road", "is not TOML"),
    ],
)
def test_a_wrong_file_names_the_key_and_the_bound(
    edited_scenario: Callable[..., Path], old: str, new: str, words: str
) -> None:
    folder = edited_scenario("scenario.toml", lambda text: text.replace(old, new))
    with pytest.raises(ValueError, match=r"scenario\.toml") as raised:
        Scenario.load(folder)
    assert words in str(raised.value)


def test_unknown_names_list_the_known_ones(tmp_path: Path) -> None:
    roads = "arterial, berlin-district, bremen-motorway, city-grid, fdr-drive, fdr-drive-dense, motorway, two-way-road"
    known = f"scenario must be one of {roads}, or a path to a folder .*, got"
    with pytest.raises(ValueError, match=f"{known} 'nowhere'"):
        make_mobility("sumo", scenario="nowhere")
    with pytest.raises(ValueError, match=known):
        make_mobility("sumo", scenario=tmp_path)
    recordings = (
        "scenario must be one of arterial, fdr-drive, motorway, two-way-road, or a path to a file .*, got 'nowhere'"
    )
    with pytest.raises(ValueError, match=recordings):
        make_mobility("replay", scenario="nowhere")
    with pytest.raises(ValueError, match=f"{known} 'nowhere'"):
        make_mobility("straight", scenario="nowhere")
    with pytest.raises(
        ValueError,
        match=r"one of 'sumo', 'replay', 'straight', 'still', 'trace', .*, or a Mobility object, got 'walking'",
    ):
        make_mobility("walking")
    with pytest.raises(ValueError, match=r"must be an object with road, blocks and close, .* got 7"):
        make_mobility(7)  # type: ignore[arg-type]
    mine = StraightMobility()
    for mobility in ("sumo", "straight", mine):
        with pytest.raises(ValueError, match=r"sumo_backend must be one of 'libsumo', 'traci', .*, got 'sumo'"):
            make_mobility(mobility, sumo_backend="sumo")  # type: ignore[arg-type]
        for wrong in (0, 1.5, "2", True):
            with pytest.raises(ValueError, match=f"num_workers must be an integer of at least 1, got {wrong!r}"):
                make_mobility(mobility, num_workers=wrong)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="scenario must be a name or a path, got 3"):
            make_mobility(mobility, scenario=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="gui_delay_ms must be an integer of at least 0, got -1"):
        make_mobility("sumo", gui_delay_ms=-1)
    assert make_mobility(mine) is mine


def test_positions_on_a_bent_axis() -> None:
    corner = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0))
    road = Road(name="l", rsu_xyz_m=(4.0, -3.0, 1.0), range_m=9.0, speed_limit_mps=1.0, axis_xy_m=corner)
    places = np.array([[[4.0, 2.0], [0.0, 0.0], [-5.0, 1.0]], [[9.0, 7.0], [12.0, 3.0], [11.0, 99.0]]])
    assert np.allclose(RoadAxis(road).position_m(places), [[0.0, -4.0, -4.0], [13.0, 9.0, 16.0]])


def test_positions_are_those_of_the_nearest_point() -> None:
    road = Scenario.load("fdr-drive").road
    axis = RoadAxis(road)
    ends = np.array(road.axis_xy_m)
    parts = np.linspace(0.0, 1.0, 200)[:, None, None]
    dense = (ends[:-1] * (1 - parts) + ends[1:] * parts).swapaxes(0, 1).reshape(-1, 2)
    places = dense[::97] + np.random.default_rng(0).uniform(-20.0, 20.0, size=dense[::97].shape)
    nearest = np.hypot(*(places[:, None] - dense).T).argmin(axis=0)
    assert np.abs(axis.position_m(places) - axis.position_m(dense)[nearest]).max() < 2.0
    assert (np.diff(axis.position_m(dense)) >= 0.0).all()


def test_roadside_units_on_a_straight_road_are_evenly_spaced() -> None:
    road = Scenario.load("two-way-road").road
    units_m = roadside_units(road, 4, 500.0)
    assert np.array_equal(units_m, [[x, -15.0, 4.0] for x in (-750.0, -250.0, 250.0, 750.0)])
    assert np.array_equal(roadside_units(road, 1, 99.0), [road.rsu_xyz_m])
    far_m = roadside_units(road, 9, 1000.0)
    assert np.array_equal(far_m[:, 0], 1000.0 * np.arange(-4, 5))


@pytest.mark.parametrize("name", ["fdr-drive", "motorway"])
def test_roadside_units_follow_a_bent_road(name: str) -> None:
    road = Scenario.load(name).road
    axis = RoadAxis(road)
    units_m = roadside_units(road, 7, 300.0)
    assert np.allclose(units_m[3], road.rsu_xyz_m, atol=1e-9)
    assert (units_m[:, 2] == road.rsu_xyz_m[2]).all()
    # Beside a bend the nearest point of a chord may be on the next one.
    assert np.allclose(axis.position_m(units_m[:, :2]), 300.0 * np.arange(-3, 4), atol=2.0)
    feet_m, forward, left = axis.frame(300.0 * np.arange(-3, 4))
    offset_m = units_m[:, :2] - feet_m
    assert np.allclose((offset_m * left).sum(axis=-1), (offset_m * left).sum(axis=-1)[3])
    assert np.allclose((offset_m * forward).sum(axis=-1), 0.0, atol=0.1)
    assert (np.diff(np.arctan2(*forward.T)) != 0.0).any()


def test_roadside_units_beyond_the_ends_go_straight_on() -> None:
    corner = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0))
    road = Road(name="l", rsu_xyz_m=(4.0, -3.0, 1.0), range_m=9.0, speed_limit_mps=1.0, axis_xy_m=corner)
    wanted = [[-16.0, -3.0, 1.0], [4.0, -3.0, 1.0], [13.0, 14.0, 1.0]]
    assert np.allclose(roadside_units(road, 3, 20.0), wanted)
    before = replace(road, rsu_xyz_m=(-2.0, -3.0, 1.0))
    assert np.allclose(roadside_units(before, 3, 5.0), [[-7.0, -3.0, 1.0], [-2.0, -3.0, 1.0], [3.0, -3.0, 1.0]])


@pytest.mark.parametrize(
    ("number", "spacing_m", "words"),
    [
        (0, 10.0, "count must be at least 1, got 0"),
        (2, 0.0, "spacing_m must be above 0, got 0.0"),
        (2, -1.0, "spacing_m must be above 0, got -1.0"),
        (2, float("nan"), "spacing_m must be above 0, got nan"),
    ],
)
def test_roadside_units_out_of_bounds_are_refused(number: int, spacing_m: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        roadside_units(StraightMobility().road, number, spacing_m)
