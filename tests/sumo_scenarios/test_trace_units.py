"""Traces in other units, or with columns exchanged, are converted by their options or refused by a sentence."""

from __future__ import annotations

import math
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sumo_scenarios import convert
from tests.sumo_scenarios.test_convert import Rows, along, assert_says, converted, refused, table, windows
from vec_envs.mobility import Scenario

FT = 1.0 / 0.3048
NGSIM = "Vehicle_ID,Frame_ID,Total_Frames,Global_Time,Local_X,Local_Y,Global_X,Global_Y,v_length,v_Class,v_Vel"
START = datetime(2008, 2, 2, 15, 36)


def ngsim(rows: Rows) -> list[tuple[Any, ...]]:
    """The columns of NGSIM: milliseconds since 1970, ten frames a second, feet, and y along the road."""
    return [
        (
            v,
            round(10 * t) + 1,
            600,
            round(1118846980200 + 1000 * t),
            y * FT,
            x * FT,
            6e6 + y * FT,
            2e6 + x * FT,
            15,
            2,
            33,
        )
        for v, t, x, y in rows
    ]


def stop_and_go() -> Rows:
    """Vehicles that brake and start again by 2.5 m/s^2."""
    for n in range(12):
        x_m, mps = 20.0 * n, 0.0
        for t in range(60):
            mps = min(max(mps + (2.5 if (t // 6 + n) % 2 else -2.5), 0.0), 10.0)
            x_m += mps
            yield f"v{n}", t, x_m, 5.0


def at(seconds: float, written: str) -> str:
    return (START + timedelta(seconds=seconds)).strftime(written)


def scaled(rows: Rows, length: float = 1.0, time: float = 1.0, away: float = 0.0) -> list[tuple[Any, ...]]:
    return [(v, round(t * time, 3), round(away + x * length, 4), round(y * length, 4)) for v, t, x, y in rows]


READ: dict[str, tuple[str, Rows, tuple[str, ...]]] = {
    "ngsim": (
        NGSIM,
        ngsim(along(every_s=0.1)),
        ("--id=Vehicle_ID", "--time=Global_Time", "--time-unit=ms", "--x=Local_X", "--y=Local_Y", "--length-unit=ft"),
    ),
    "ngsim by frames, in the plane of a state": (
        NGSIM,
        ngsim(along(every_s=0.1)),
        ("--id=Vehicle_ID", "--time=Frame_ID", "--frame-rate=10", "--x=Global_X", "--y=Global_Y", "--length-unit=ft"),
    ),
    "highd": (
        "frame,id,x,y,width,height,xVelocity,laneId",
        [(round(25 * t), v, x, y, 4, 2, 10, 2) for v, t, x, y in along(every_s=0.2)],
        ("--time=frame", "--frame-rate=25"),
    ),
    "ind": (
        "recordingId,trackId,frame,xCenter,yCenter",
        [(0, v, round(25 * t), x, y) for v, t, x, y in along(every_s=0.2)],
        ("--id=trackId", "--time=frame", "--frame-rate=25", "--x=xCenter", "--y=yCenter"),
    ),
    "interaction": (
        "track_id,frame_id,timestamp_ms,agent_type,x,y",
        [(v, 1, round(1000 * t), "car", x, y) for v, t, x, y in along()],
        ("--id=track_id", "--time=timestamp_ms", "--time-unit=ms", "--type=agent_type"),
    ),
    "kilometres": ("id,time,x_km,y_km", scaled(along(), 1e-3), ("--x=x_km", "--y=y_km", "--length-unit=km")),
    "times of a day": (
        "id,time,x,y",
        [(v, at(t, "%H:%M:%S"), x, y) for v, t, x, y in along()],
        ("--time-unit=date",),
    ),
    "other dates": (
        "id,time,x,y",
        [(v, at(t, "%m/%d/%Y %I:%M:%S %p"), x, y) for v, t, x, y in along()],
        ("--time-format=%m/%d/%Y %I:%M:%S %p",),
    ),
}


@pytest.mark.parametrize("kind", READ)
def test_the_formats_of_known_data_sets_are_read(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header, rows, options = READ[kind]
    (window,) = windows(converted(table(tmp_path / "t.csv", header, rows), *options))
    assert window.present.shape == (60, 12)
    assert np.abs(np.diff(window.position_m, axis=0) - 10.0).max() < 0.1
    assert "warning" not in capsys.readouterr().out


def test_columns_between_blanks_are_read(tmp_path: Path) -> None:
    lines = [f"  {v[1:]:>4} {round(10 * t):>5}   {x * FT:.3f}  {y}" for v, t, x, y in along()]
    (tmp_path / "t.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = ("--no-header", "--id=1", "--time=2", "--frame-rate=10", "--x=3", "--y=4", "--length-unit=ft")
    assert windows(converted(tmp_path / "t.txt", *options))[0].present.shape == (60, 12)


def degrees(lat: float, rows: Rows) -> list[tuple[Any, ...]]:
    east_m = 111_320.0 * math.cos(math.radians(lat))
    return [(v, t, round(13.4 + x / east_m, 7), round(lat + y / 110_574.0, 7)) for v, t, x, y in rows]


REFUSED: dict[str, tuple[str, Rows, tuple[str, ...], str]] = {
    "ngsim in metres": (
        NGSIM,
        ngsim(along()),
        ("--id=Vehicle_ID", "--time=Global_Time", "--time-unit=ms", "--x=Local_X", "--y=Local_Y"),
        "'Local_X' is one of NGSIM, whose lengths are in feet: give --length-unit ft",
    ),
    "ngsim's time in seconds": (
        NGSIM,
        ngsim(along()),
        ("--id=Vehicle_ID", "--time=Global_Time", "--x=Local_X", "--y=Local_Y", "--length-unit=ft"),
        "'Global_Time' seems to be in ms: give --time-unit ms",
    ),
    "frames as seconds": (
        "frame,id,x,y",
        [(round(25 * t), v, x, y) for v, t, x, y in along()],
        ("--time=frame",),
        "'frame' seems to have numbers of frames: give --frame-rate, such as 25",
    ),
    "a unit in a name": (
        "id,time,X [ft],Y [ft]",
        scaled(along(), FT),
        ("--x=X [ft]", "--y=Y [ft]"),
        r"'X \[ft\]' seems to be in ft: give --length-unit ft",
    ),
    "milliseconds in a name": ("id,t_ms,x,y", scaled(along(), time=1e3), ("--time=t_ms",), "give --time-unit ms"),
    "milliseconds": (
        "id,time,x,y",
        scaled(along(), time=1e3),
        (),
        "1000 s as a rule, .* half of the speeds are above 0.01 m/s .* 10 m/s with --time-unit ms",
    ),
    "milliseconds since 1970": (
        "id,time,x,y",
        [(v, round(1118846980200 + 1000 * t), x, y) for v, t, x, y in along()],
        (),
        "got 1.11885e\\+12 s .* --time-unit, which is ms, us or ns for such times",
    ),
    "kilometres far from 0": (
        "id,time,x,y",
        scaled(along(), 1e-3, away=583.0),
        (),
        "hardly any vehicle moves: .* at most 0.01 m/s .* 10 m/s with --length-unit km",
    ),
    "feet on a fast road": (
        "id,time,x,y",
        scaled(along(mps=30.0), FT),
        (),
        "100 % of the steps .* half of them are faster than 98.4 m/s .it would be 30 m/s with --length-unit ft",
    ),
    "latitude as longitude": (
        "id,time,longitude,latitude",
        degrees(52.5, along()),
        ("--lon=latitude", "--lat=longitude"),
        "--lon names the column 'latitude' and --lat the column 'longitude': are the two swapped",
    ),
    "minutes": (
        "id,time,x,y",
        [(v, at(t, "%Y-%m-%d %H:%M"), x, y) for v, t, x, y in along()],
        ("--time-unit=date",),
        "one place at a time, .* times are not rounded",
    ),
    "ids of several vehicles": (
        "id,time,x,y",
        [(int(str(v)[1:]) % 3, t, x, y) for v, t, x, y in along()],
        (),
        "one place at a time, .* check that ids are those of vehicles",
    ),
    "another order of dates": (
        "id,time,x,y",
        [(v, at(t, "%d.%m.%Y %H:%M:%S"), x, y) for v, t, x, y in along()],
        ("--time-unit=date",),
        "got '02.02.2008 15:36:00'; give --time-format",
    ),
    "a format that is another one": ("id,time,x,y", along(), ("--time-format=%H:%M",), "as --time-format '%H:%M' says"),
    "a format of numbers": ("id,time,x,y", along(), ("--time-format=%H", "--time-unit=s"), "is of dates: leave"),
    "a table of trajectories": ("id,time,x,y", [("a", 0, 1, 2, 0, 3, 4)], (), "write a sample in a row"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_wrong_unit_is_refused_with_the_right_one(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, rows, options, message = REFUSED[kind]
    assert_says(refused(capsys, str(table(tmp_path / "t.csv", header, rows)), *options), message)


@pytest.mark.parametrize(
    ("rows", "options", "warning"),
    [
        (scaled(along(mps=13.0), FT), (), r"drive 42.7 m/s, which is no usual speed \(it would be 13 m/s with .* ft"),
        (
            scaled(along(mps=8.0), FT),
            ("--speed-limit-mps", "9"),
            "2.9 times the speed limit .* 8 m/s with --length-unit",
        ),
        (scaled(stop_and_go(), FT), (), "accelerations is above 8.2 m/s2, .* in feet they would be 2.5 m/s2"),
        (scaled(along(mps=33.0), time=25.0), ("--max-gap-s", "30"), "drive 1.32 m/s, .* 33 m/s with --frame-rate 25"),
        (scaled(stop_and_go()), (), ""),
        (scaled(along(mps=33.0)), (), ""),
    ],
)
def test_unlikely_numbers_are_told_with_the_unit_that_makes_them_likely(
    rows: Rows, options: tuple[str, ...], warning: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    converted(table(tmp_path / "t.csv", "id,time,x,y", rows), *options)
    said = [line for line in capsys.readouterr().out.splitlines() if "warning: " in line and "ask for" not in line]
    assert len(said) == bool(warning)
    if warning:
        assert_says(said[0], warning)


def test_a_standing_trace_is_accepted_where_its_units_are_said(tmp_path: Path) -> None:
    parked = table(tmp_path / "t.csv", "id,time,x,y", scaled(along(mps=0.001)))
    assert convert.main([str(parked), "--output", str(tmp_path / "a.npz")]) == 1
    assert windows(converted(parked, "--length-unit", "m", "--time-unit", "s"))


@pytest.mark.parametrize(
    ("length", "code", "words"),
    [
        (1.0, 0, ""),
        (-1.0, 0, "warning: 100 % of the way is driven against the axis of the road: is the trace mirrored"),
        (FT, 1, "half of the moving vehicles drive 32.8 m/s, but the speed limit of 'straight' is 17.9 m/s"),
    ],
)
def test_a_trace_on_the_straight_road_of_a_scenario_has_its_unit_and_direction(
    length: float, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "straight"
    shutil.copytree(Scenario.load("fdr-drive").net_file.parent, folder)
    toml = (folder / "scenario.toml").read_text(encoding="utf-8")
    axis = "axis_xy_m = [[-1000.0, 5.0], [1000.0, 5.0]]\n"
    (folder / "scenario.toml").write_text(toml[: toml.index("# The centre line")] + axis, encoding="utf-8")
    rows = [(v, t, (x - 300.0) * length, 5.0) for v, t, x, _ in along()]
    trace = table(tmp_path / "t.csv", "id,time,x,y", rows)
    assert convert.main([str(trace), "--scenario", str(folder), "--output", str(tmp_path / "o.npz")]) == code
    said = capsys.readouterr()
    assert words in said.out + said.err
    assert bool(words) == ("warning: " in said.out or bool(said.err))
