"""Traces of several kinds become traffic that plays, and files that are none are refused by a sentence."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sumo_scenarios import convert
from tests.mobility.conftest import assert_in_range, assert_seats_hold, of_seats, same, shape, take
from vec_envs.mobility import ReplayMobility, TrafficError, make_mobility
from vec_envs.mobility.recording import read_recording
from vec_envs.mobility.traffic import TrafficWindow

Rows = Iterable[tuple[Any, ...]]


def table(path: Path, header: str, rows: Rows, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    lines = [header.replace(",", delimiter), *(delimiter.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(line for line in lines if line) + "\n", encoding=encoding)
    return path


def along(vehicles: int = 12, seconds: int = 60, every_s: float = 1.0, mps: float = 10.0) -> list[tuple[Any, ...]]:
    """Vehicles behind one another on a straight road to the east, 5 m north of the axis of x."""
    times = np.arange(0.0, seconds, every_s).tolist()
    return [(f"v{n}", t, round(mps * t + 20.0 * n, 4), 5.0) for n in range(vehicles) for t in times]


def fcd(rows: Rows, more: str = "") -> str:
    steps: dict[float, list[str]] = {}
    for vehicle, time, x, y in rows:
        kind = "bus" if vehicle == "v0" else "car"
        steps.setdefault(time, []).append(f'<vehicle id="{vehicle}" x="{x}" y="{y}" type="{kind}" speed="1"/>')
    inside = "".join(
        f'<timestep time="{time}">{"".join(of)}<person id="p" x="0" y="0"/></timestep>' for time, of in steps.items()
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by a test -->\n<fcd-export>{more}{inside}</fcd-export>'


def converted(trace: Path, *options: str) -> ReplayMobility:
    output = trace.with_name("out.npz")
    assert convert.main([str(trace), "--output", str(output), "--overwrite", *options]) == 0
    return make_mobility("trace", scenario=output)  # pyright: ignore[reportReturnType]


def windows(mobility: ReplayMobility) -> list[TrafficWindow]:
    return read_recording(mobility._path)[2]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Returns the message of a conversion that fails, and checks that it wrote nothing."""
    output = Path(arguments[0]).with_name("refused.npz")
    try:
        code = convert.main([*arguments, "--output", str(output)])
    except SystemExit as error:
        code = int(str(error.code))
    assert code != 0
    assert not list(output.parent.glob("refused.npz*"))
    return capsys.readouterr().err


def test_a_table_becomes_traffic_on_its_road(tmp_path: Path) -> None:
    mobility = converted(table(tmp_path / "a.csv", "id,time,x,y", along()))
    assert mobility.road.axis_xy_m[0][1] == 5.0
    assert mobility.road.speed_limit_mps == 10.0
    assert 300.0 < mobility.road.rsu_xyz_m[0] < 500.0
    for block in take(mobility.blocks(0, shape(7, 5, slots=31)), 5):
        assert_in_range(mobility, block)
        assert np.abs(of_seats(block, "speed_mps") - 10.0).max() < 0.05
        assert np.abs(np.diff(of_seats(block, "position_m"), axis=0) - 10.0).max() < 0.05
        assert np.abs(of_seats(block, "xy_m")[..., 1] - 5.0).max() < 0.01
    assert same(take(mobility.blocks(3, shape()), 3), take(mobility.blocks(3, shape()), 3))


KINDS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "ngsim": (
        lambda path: table(
            path / "t.csv",
            "Vehicle_ID,Frame_ID,Global_Time,Local_X,Local_Y",
            [(v, 1, int(1118846980200 + 1000 * t), 12.0, x / 0.3048) for v, t, x, _ in along(every_s=0.1)],
        ),
        (
            "--id",
            "Vehicle_ID",
            "--time",
            "Global_Time",
            "--time-unit",
            "ms",
            "--x",
            "Local_X",
            "--y",
            "Local_Y",
            "--length-unit",
            "ft",
        ),
    ),
    "highd": (
        lambda path: table(
            path / "t.csv",
            "frame,id,x,y,width,height",
            [(int(25 * t), v, x, y, 4, 2) for v, t, x, y in along(every_s=0.2)],
        ),
        ("--time", "frame", "--frame-rate", "25"),
    ),
    "taxi": (
        lambda path: table(
            path / "t.csv",
            "",
            [
                (v, f"2008/02/02 15:{int(t) // 60:02}:{int(t) % 60:02}", 116.4 + x / 85_390.0, 39.9 + y / 111_035.0)
                for v, t, x, y in along(every_s=6.0, seconds=66)
            ],
            delimiter=";",
        ),
        ("--no-header", "--id", "1", "--time", "2", "--time-unit", "date", "--lon", "3", "--lat", "4"),
    ),
    "excel": (
        lambda path: table(path / "t.txt", " ID ,Time,X,Y", along(), delimiter="\t", encoding="utf-16"),
        (),
    ),
    "fcd": (lambda path: _written(path / "t.xml", fcd(along()).encode()), ()),
    "packed fcd": (lambda path: _written(path / "t.xml.gz", gzip.compress(fcd(along()).encode())), ()),
    "packed table": (
        lambda path: _written(path / "t.csv.gz", gzip.compress(table(path / "a", "id,time,x,y", along()).read_bytes())),
        (),
    ),
}


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_trace_is_the_same_traffic(kind: str, tmp_path: Path) -> None:
    make, options = KINDS[kind]
    mobility = converted(make(tmp_path), *options)
    (window,) = windows(mobility)
    assert window.present.shape == (60 if kind != "taxi" else 61, 12)
    assert window.present.all()
    assert np.abs(np.diff(window.position_m, axis=0) - 10.0).max() < 0.1
    assert np.abs(np.diff(np.sort(window.position_m, axis=1), axis=1) - 20.0).max() < 0.1
    for block in take(mobility.blocks(1, shape(slots=30, come_and_go=True)), 3):
        assert_seats_hold(mobility, block, top_speed_mps=11.0, rounding_m=1 / 16)


def test_gaps_and_jumps_are_cut_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row for row in along() if not (row[0] == "v3" and 20 <= row[1] < 40)]  # out of sight for 20 s
    rows += [("v5", t + 0.5, 9_000.0 + t, 0.0) for t in (10, 30)]  # two errors of the receiver
    rows += [rows[0], ("v1", 7.0, "", 5.0)]
    (window,) = windows(converted(table(tmp_path / "a.csv", "id,time,x,y", rows[::-1])))
    said = capsys.readouterr().out
    assert "left out 1 rows without a value, 1 samples of one vehicle at one time" in said
    assert "cut at 1 gaps above 10 s, 4 jumps above 60 m/s" in said
    stays = window.present.sum(axis=0)
    assert sorted(stays.tolist()) == sorted([60] * 10 + [20, 20] + [11, 20, 29])
    moved_m = np.hypot(*np.diff(window.xy_m, axis=0).transpose(2, 0, 1))
    assert moved_m[window.present[1:] & window.present[:-1]].max() < 10.1
    (whole,) = windows(converted(table(tmp_path / "b.csv", "id,time,x,y", rows), "--max-gap-s", "30"))
    assert sorted(whole.present.sum(axis=0).tolist()) == sorted([60] * 11 + [11, 20, 29])


def test_slots_are_those_asked_for_and_long_traces_have_many_windows(tmp_path: Path) -> None:
    trace = table(tmp_path / "a.csv", "id,time,x,y", along(seconds=100, mps=5.0))
    found = windows(converted(trace, "--slot-s", "0.5", "--slots", "40"))
    assert [len(window.present) for window in found] == [40] * 5
    assert np.abs(np.diff(found[0].position_m, axis=0) - 2.5).max() < 0.1
    assert found[-1].position_m[-1].max() == pytest.approx(found[0].position_m[0].max() + 5.0 * 99.0, abs=0.1)
    (part,) = windows(converted(trace, "--begin-s", "20", "--end-s", "50"))
    assert part.present.shape == (30, 12)


def test_traffic_that_follows_no_road_is_that_of_an_area(tmp_path: Path) -> None:
    cross = [*along(6), *((f"n{v}", t, 5.0 + y, x - 300.0) for v, t, x, y in along(6))]
    mobility = converted(table(tmp_path / "a.csv", "id,time,x,y", cross), "--unit", "300", "0")
    assert mobility.road.axis_xy_m == ()
    (window,) = windows(mobility)
    away_m = np.hypot(*(window.xy_m - (300.0, 0.0)).transpose(2, 0, 1))
    assert np.abs(np.abs(window.position_m) - away_m)[window.present].max() < 0.05
    assert np.abs(window.speed_mps[window.present] - 10.0).max() < 0.1
    assert converted(tmp_path / "a.csv", "--unit", "0", "0", "--range-m", "200").road.range_m == 200.0


def test_types_have_roles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = _written(tmp_path / "a.xml", fcd(along()).encode())
    (window,) = windows(converted(trace, "--service-types", "bus"))
    assert window.may_be_client.all()
    assert window.may_be_service.sum() == 1
    assert "types of the trace, 'bus', 'car', got 'tram'" in refused(capsys, str(trace), "--client-types", "tram")


def test_a_trace_is_played_by_its_file_alone(tmp_path: Path) -> None:
    trace = table(tmp_path / "a.csv", "id,time,x,y", along())
    mobility = converted(trace)
    for name in ("trace", "replay"):
        with pytest.raises(ValueError, match=r"has not been converted: run python -m sumo_scenarios.convert .*a\.csv"):
            make_mobility(name, scenario=trace)
        with pytest.raises(
            TrafficError, match=r"has 60 slots of 1 s, .* convert 'a\.csv' again with --slots 90 --slot-s 1"
        ):
            make_mobility(name, scenario=tmp_path / "out.npz").blocks(0, shape(slots=90))
    for absent in ("fdr-drive", "nowhere.npz"):
        with pytest.raises(ValueError, match=r"must be the path of a file that python -m sumo_scenarios.convert has"):
            make_mobility("trace", scenario=absent)
    assert mobility.road.name == "a"


def one(row: Callable[[int], str], rows: int = 9, header: str = "id,time,x,y") -> str:
    return "\n".join([header, *map(row, range(rows))]) + "\n"


TABLES: dict[str, tuple[str | bytes, tuple[str, ...], str]] = {
    "empty": ("", (), "must have rows, but it is empty"),
    "only a header": ("id,time,x,y\n", (), "at least two samples, got 0"),
    "another column": (
        "taxi,time,x,y\na,0,0,0\n",
        (),
        "one column 'id', got 0; its columns are taxi, time, x, y: .* --id",
    ),
    "a column twice": ("id,time,x,x,y\na,0,0,0,0\n", (), "one column 'x', got 2"),
    "text": ("id,time,x,y\na,0,0,0\na,1,here,0\n", (), "row 3: x must be a number .*, got 'here'"),
    "decimal commas": ("id;time;x;y\na;0;1,5;0\n", (), "decimal point, got '1,5'"),
    "dates": ("id,time,x,y\na,2008-02-02 15:00:00,0,0\n", (), "dates need --time-unit date"),
    "no dates": ("id,time,x,y\na,17,0,0\n", ("--time-unit", "date"), "must be a date such as"),
    "another encoding": (b"id,time,x,y\n\xe4,0,0,0\n", (), "must be text in utf-8: .* --encoding latin-1"),
    "an unknown encoding": ("id,time,x,y\n", ("--encoding", "x"), "must be text in x: unknown encoding"),
    "a long line": ("id,time,x,y\n" + "a" * 70_000, (), "at most 65536 characters in a line"),
    "a long quotation": ('id,time,x,y\n"' + "a\n" * 200_000, (), "not a table of comma-separated values"),
    "a long name": (f"id,time,x,y\n{'a' * 300},0,0,0\n", (), "at most 200 characters"),
    "infinite": (
        "id,time,x,y\na,1e300,0,0\n",
        (),
        "row 2: a sample must have a time of at most .* --time-unit, which is ms",
    ),
    "one sample each": (one(lambda n: f"{n},0,{9 * n},0"), (), "no vehicle has two samples"),
    "no vehicles as ids": (one(lambda n: f"1,{n // 9},{20 * n},0", 90), (), "one place at a time"),
    "too fast": (one(lambda n: f"1,{n},{700 * n},0", 90), (), "100 % of the steps .* faster"),
    "rare samples": (one(lambda n: f"1,{300 * n},{70 * n},0"), (), "at least 300 s apart, .* --max-gap-s is 10"),
    "long slots": (one(lambda n: f"1,{n},{7 * n},0"), ("--slot-s", "50"), "two slots of 50 s"),
    "degrees": (one(lambda n: f"1,{n},{116.4 + n * 1e-4},39.9"), (), "look like degrees .* --lon and --lat"),
    "swapped degrees": (
        one(lambda n: f"1,{n},39.9,{116.4 + n * 1e-4}", header="id,time,lon,lat"),
        ("--lon", "lon", "--lat", "lat"),
        "latitudes from -90 to 90, .* swapped",
    ),
    "swapped degrees within bounds": (
        one(lambda n: f"1,{n},40.75,{-73.98 + n * 1e-4}", header="id,time,lon,lat"),
        ("--lon", "lon", "--lat", "lat"),
        "latitudes must be from -56 to 81, .* swapped",
    ),
    "decimal commas between commas": (one(lambda n: f"a,{n},{7 * n},5,0,5"), (), "at most 4 values in a row, .* got 6"),
    "an open quotation": (one(lambda n: f'"a,{n},{7 * n},0'), (), "not a table of comma-separated values"),
    "colons between columns": ("id:time:x:y\na:0:0:0\n", (), "by --delimiter"),
    "types without a column": (one(lambda n: f"1,{n},{7 * n},0"), ("--client-types", "car"), "column by --type"),
    "a late part": (one(lambda n: f"1,{n},{7 * n},0"), ("--begin-s", "99"), "two samples from 99 s on, counted"),
    "a far unit": (
        one(lambda n: f"1,{n},{7 * n},0"),
        ("--unit", "5e4", "0"),
        r"no vehicle is within 750 m of \(50000, 0\)",
    ),
    "too many slots": (one(lambda n: f"1,{n}e7,{n}e7,0"), ("--max-gap-s", "1e9"), "at most 20000000 places"),
    "another road": (one(lambda n: f"1,{n},{7 * n},300"), ("--scenario", "motorway"), "axis of 'motorway'"),
    "an unknown scenario": (
        "id,time,x,y\n1,0,0,0\n1,1,9,0\n",
        ("--scenario", "nowhere"),
        "scenario must be one of arterial",
    ),
}


@pytest.mark.parametrize("missing", ["", "NA", "nan", "null", "-"])
def test_a_missing_value_is_left_out_whatever_it_is_written_as(missing: str, tmp_path: Path) -> None:
    rows = one(lambda n: f"1,{n},{missing if n == 4 else 7 * n},0").replace("\n", "\r")
    assert converted(_written(tmp_path / "a.csv", rows.encode())).road.name == "a"


def test_two_samples_are_enough(tmp_path: Path) -> None:
    road = converted(_written(tmp_path / "a.csv", one(lambda n: f"1,{n},{7 * n},0", 2).encode())).road
    assert road.rsu_xyz_m == (3.5, 0.0, 8.0)


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_that_is_no_trace_is_refused(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, options, message = TABLES[kind]
    trace = _written(tmp_path / "a.csv", content if isinstance(content, bytes) else content.encode())
    assert_says(refused(capsys, str(trace), *options), message)


def assert_says(said: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        raise ValueError(" ".join(said.split()))


ENTITY = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">]><fcd-export><timestep time="&a;"/></fcd-export>'
FILES: dict[str, tuple[str, bytes, str]] = {
    "entities": ("a.xml", ENTITY.encode(), "without a document type"),
    "another root": ("a.xml", b"<additional/>", "first tag is <fcd-export>, got <additional>"),
    "no xml": ("a.xml", b"hello", "not complete XML"),
    "cut": ("a.xml", fcd(along()).encode()[:5000], "not complete XML"),
    "a long tag": ("a.xml", f'<fcd-export a="{"a" * 3_000_000}"/>'.encode(), "tags of at most 1048576 bytes"),
    "a deep tree": ("a.xml", b"<fcd-export>" + b"<a>" * 100, "deeper than 16"),
    "no id": ("a.xml", fcd(along()).replace(' id="v3"', "").encode(), "a vehicle must have an id"),
    "no number": (
        "a.xml",
        fcd(along()).replace('y="5.0"', 'y="north"').encode(),
        "line 3: y must be a number, got 'north'",
    ),
    "no time": ("a.xml", fcd(along()).replace(' time="3.0"', "").encode(), "time must be a number, got nothing"),
    "not a number": ("a.xml", fcd(along()).replace('y="5.0"', 'y="nan"').encode(), "a place of at most"),
    "no vehicles": ("a.xml", b"<fcd-export/>", "at least two samples, got 0"),
    "degrees": ("a.xml", fcd([(v, t, x / 1e5, 40 + y / 1e5) for v, t, x, y in along()]).encode(), "Give --geo"),
    "no gzip": ("a.csv.gz", b"\x1f\x8b" + b"a" * 100, "not a complete gzip file"),
    "cut gzip": ("a.xml.gz", gzip.compress(fcd(along()).encode())[:-50], "not a complete gzip file"),
    "a bomb": ("a.csv.gz", gzip.compress(b"0" * 10_000_000), "characters in a line"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_trace_is_refused(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, content, message = FILES[kind]
    assert_says(refused(capsys, str(_written(tmp_path / name, content))), message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--slot-s", "0"), "--slot-s must be a finite number above 0"),
        (("--slots", "1"), "--slots must be an integer of at least 2"),
        (("--range-m", "5"), "--range-m must be above --height-m"),
        (("--unit", "nan", "0"), "--unit must be two finite numbers"),
        (("--lon", "x"), "both --lon and --lat"),
        (("--geo",), "--geo is an option of FCD"),
        (("--frame-rate", "25", "--time-unit", "s"), "leave --time-unit out"),
        (("--begin-s", "9", "--end-s", "9"), "--begin-s must be below --end-s"),
        (("--format", "fcd", "--id", "taxi"), "FCD has its own columns and units, so leave out --id"),
        (
            ("--format", "fcd", "--time-format", "%H:%M"),
            "FCD has its own columns and units, so leave out --time-format",
        ),
        (("--scenario", "motorway", "--unit", "0", "0"), "give only one of --scenario and --unit"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_says(refused(capsys, str(table(tmp_path / "a.csv", "id,time,x,y", along())), *options), message)


def test_a_file_is_not_replaced_without_being_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = table(tmp_path / "a.csv", "id,time,x,y", along())
    (tmp_path / "there.npz").write_text("mine")
    with pytest.raises(SystemExit):
        convert.main([str(trace), "--output", str(tmp_path / "there.npz")])
    assert "exists; choose another --output" in capsys.readouterr().err
    assert (tmp_path / "there.npz").read_text() == "mine"
    for missing in (tmp_path / "nowhere.csv", tmp_path):
        assert refused(capsys, str(missing))
