"""Imports of small inputs of our own, through SUMO's programs."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import pytest

from sumo_scenarios import check, import_scenario
from tests.mobility.conftest import needs_sumo, shape
from tests.sumo_scenarios.small_city import write_city, write_map
from vec_envs.mobility import Scenario, SumoMobility

pytestmark = [needs_sumo, pytest.mark.slow]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_city(tmp_path_factory.mktemp("a, ${strange} folder"))


def imported(*arguments: str | Path) -> int:
    return import_scenario.main([*map(str, arguments), "--measure", "300"])


def test_a_configuration_plays_as_its_author_meant(
    city: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(city, "--output", tmp_path / "city") == 0
    report = capsys.readouterr().out
    assert "| bike | bicycle |" in report
    assert "collision.stoptime of the configuration is left out" in report
    scenario = Scenario.load(tmp_path / "city")
    assert scenario.client_types == scenario.service_types == ("bus", "car")
    assert scenario.sumo == (("time-to-teleport", "120"),)
    assert scenario.start_s is not None
    assert scenario.end_s is not None
    assert 27000.0 <= scenario.start_s < scenario.end_s <= 28800.0
    before = sorted(path.name for path in (tmp_path / "city").iterdir())
    mobility = SumoMobility(tmp_path / "city")
    blocks = list(islice(mobility.blocks(0, shape(3, 2)), 3))
    mobility.close()
    assert len(blocks) == 3
    # The detector and the edge data of the configuration write nothing beside the scenario.
    assert sorted(path.name for path in (tmp_path / "city").iterdir()) == before
    assert {"report.md", "scenario.toml", "stops.add.xml", "types.add.xml"} <= set(before)
    assert check.main([str(tmp_path / "city"), "--measure", "60"]) == 0
    assert "| bus | bus |" in report or "bus" in capsys.readouterr().out


def test_a_street_of_a_configuration_is_the_axis(city: Path, tmp_path: Path) -> None:
    name = "Main Street Eastbound"
    assert imported(city, "--street", name, "--every", "150", "--range", "320", "--output", tmp_path / "main") == 0
    road = Scenario.load(tmp_path / "main").road
    assert road.axis_xy_m[0][0] < road.axis_xy_m[-1][0]
    assert len(road.units_xyz_m) == 6
    assert road.range_m == 320.0


def test_a_map_becomes_a_street_or_a_district(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    extract = write_map(tmp_path / "extract.osm")
    assert imported(extract, "--street") == 0
    assert "'River Road Westbound'" in capsys.readouterr().out
    assert imported(extract, "--street", "River Road", "--output", tmp_path / "river") == 0
    assert imported(extract, "--box", "9.0", "51.99", "9.012", "52.01", "--output", tmp_path / "part") == 0
    river, part = (Scenario.load(tmp_path / name) for name in ("river", "part"))
    assert len(river.road.axis_xy_m) >= 2
    assert part.road.axis_xy_m == ()
    assert part.end_s is not None
    capsys.readouterr()
    assert imported(extract, "--box", "51.99", "9.0", "52.01", "9.1", "--output", tmp_path / "none") == 1
    assert "which reaches from 8.99 51.99 to 9.03 52.01" in capsys.readouterr().err


MISTAKES = {
    "routes": (["--routes", "nope.xml"], "--routes and --additional need a network"),
    "street": (["--street", "Mian Street"], "'Main Street Eastbound': 7"),
    "flow": (["--flow", "100"], "--flow make traffic for a source without routes"),
    "range": (["--range", "5"], "range_m must be above the height"),
    "folder": (["--output", "nowhere/x"], "must be in a folder that exists"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_said_and_leaves_nothing_behind(
    case: str, city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, said = MISTAKES[case]
    assert imported(city, *arguments) == 1
    assert said in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_what_sumo_refuses_is_said_in_its_words(
    city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = city.parent
    net, routes = folder / "net" / "city.net.xml", folder / "city.rou.xml.gz"
    assert imported(net, "--routes", routes, "--additional", folder / "types.add.xml", "--output", "x") == 1
    assert "busStop 'before' is not known" in (said := capsys.readouterr().err)
    assert "--additional" in said
    (folder / "lacks.sumocfg").write_text(city.read_text().replace("city.rou.xml.gz", "lost.rou.xml"))
    assert imported(folder / "lacks.sumocfg", "--output", "x") == 1
    assert "names a file that does not exist: " in (said := capsys.readouterr().err)
    assert said.endswith("lost.rou.xml\n")
    assert os.listdir(tmp_path) == []


def test_a_damaged_file_is_said_by_its_own_name(
    city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = city.parent
    net, routes = folder / "net" / "city.net.xml", folder / "cut.rou.xml.gz"
    routes.write_bytes((folder / "city.rou.xml.gz").read_bytes()[:60])
    assert imported(net, "--routes", routes, "--output", "x") == 1
    assert "cut.rou.xml.gz is not a complete gzip file" in capsys.readouterr().err
    routes.write_text("<routes>\n<vType id='a'/>\n")
    assert imported(net, "--routes", routes, "--output", "x") == 1
    assert "ended before all started tags were ended" in capsys.readouterr().err
    routes.write_text("<routes><vehicle id='a'/></routes>")
    assert imported(net, "--routes", routes, "--output", "x") == 1
    assert "Attribute 'depart' is missing" in (said := capsys.readouterr().err)
    assert "Traceback" not in said
    assert "simulate.py" not in said
    (folder / "cut.sumocfg").write_text("<configuration><input>")
    assert imported(folder / "cut.sumocfg", "--output", "x") == 1
    assert "cut.sumocfg'" in (said := capsys.readouterr().err)
    assert "link0" not in said
    assert os.listdir(tmp_path) == []


def test_only_a_scenario_is_overwritten(city: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for extra, said in (([], "add --overwrite"), (["--overwrite"], "has no scenario.toml")):
        assert imported(city, "--output", tmp_path / "mine", *extra) == 1
        assert said in capsys.readouterr().err
    assert (tmp_path / "mine" / "thesis.txt").is_file()
