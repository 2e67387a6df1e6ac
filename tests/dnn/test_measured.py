"""Tables of measured times: read for the layers of a profile, and refused by a sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.dnn.test_profile import tiny
from vec_envs.dnn import DNNProfile, MeasuredTimes
from vec_envs.dnn.__main__ import main
from vec_envs.problems.dnn_partition import DNNPartition

TABLE = "layer,device,seconds,note\nb,board,0.25,x\na,board,1e-3,y\na,phone,0,z\nb,phone,2,\n"


def measured(text: str, tmp_path: Path, profile: DNNProfile | None = None) -> tuple[MeasuredTimes, ...]:
    (tmp_path / "times.csv").write_text(text)
    return (profile or tiny()).with_times(tmp_path / "times.csv").measured


def test_a_table_is_read_in_the_order_of_the_layers(tmp_path: Path) -> None:
    board = MeasuredTimes(device="board", layer_s=(1e-3, 0.25), source="times.csv")
    phone = MeasuredTimes(device="phone", layer_s=(0.0, 2.0), source="times.csv")
    assert measured(TABLE, tmp_path) == (board, phone)
    old = replace(board, layer_s=(9.0, 9.0)), MeasuredTimes(device="laptop", layer_s=(1.0, 1.0))
    assert measured(TABLE, tmp_path, replace(tiny(), measured=old)) == (old[1], board, phone)


@pytest.mark.parametrize("name", ["alexnet", "mobilenetv2", "nin", "resnet18", "resnet50", "tinyyolov2", "vgg16"])
def test_the_library_has_a_table_for_some_networks(name: str) -> None:
    (times,) = DNNProfile.load(name).with_times().measured
    assert times.device == "x86-core"
    assert 0.0 < sum(times.layer_s) < 10.0


def test_an_environment_runs_on_the_library_s_tables(tmp_path: Path) -> None:
    for name in ("nin", "vgg16"):
        main(["profile", name, "--times", "library", "-o", str(tmp_path / f"{name}.json")])
    files = [str(tmp_path / f"{name}.json") for name in ("nin", "vgg16")]
    problem = DNNPartition(dnns=files, processors=("x86-core", "x86-core"), client_ghz=(5.0, 5.0), rsu_ghz=50.0)
    seconds = sum(problem.profiles[0].layer_s("x86-core"))
    assert problem.choices.table.local_gcycles[0].max() == pytest.approx(5.0 * seconds)
    assert problem.choices.table.edge_gcycles[0].max() == pytest.approx(50.0 * seconds)
    for missing in (tiny(), DNNProfile.load("vgg19")):
        with pytest.raises(ValueError, match=rf"with times in the library must be one of 'alexnet'.*'{missing.name}'"):
            missing.with_times()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must have the columns layer, device, seconds; it lacks layer, device, seconds"),
        ("layer,seconds\na,1\n", "it lacks device"),
        (TABLE + "c,board,1,\n", r"line 6 of .*times.csv: the layer 'c' is none of the profile's: \('a', 'b'\)"),
        (TABLE + "a,board,1,\n", "line 6 of .*: the layer 'a' is in the table twice"),
        ("layer,device,seconds\na,board,1\n", r"has no time on 'board' for the layers \['b'\]"),
        ("layer,device,seconds\na,board,fast\n", "seconds in line 2 of .* must be a number, got 'fast'"),
        ("layer,device,seconds\na,board\n", "seconds in line 2 of .* must be a number, got None"),
        (
            "layer,device,seconds\na,board,-1\n",
            "seconds in line 2 of .* must be a finite number of at least 0, got -1.0",
        ),
        ("layer,device,seconds\na,board,nan\n", "must be a finite number of at least 0, got nan"),
    ],
)
def test_a_wrong_table_is_refused_by_a_sentence(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says):
        measured(text, tmp_path)


@pytest.mark.parametrize(
    ("times", "says"),
    [
        ((1.0,), "must have a time for each of 2 layers, got 1"),
        ((1.0, -1.0), r"layer_s\[1\] on 'board' must be a finite number of at least 0, got -1.0"),
    ],
)
def test_times_fit_the_layers(times: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(tiny(), measured=(MeasuredTimes(device="board", layer_s=times),))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must hold MeasuredTimes, got 5"):
        replace(tiny(), measured=(5,))  # type: ignore[arg-type]


def test_layers_of_one_name_are_refused(tmp_path: Path) -> None:
    layer = tiny().layers[0]
    with pytest.raises(ValueError, match=r"must have different names to be read from .*times\.csv, got 'a' twice"):
        measured(TABLE, tmp_path, replace(tiny(), layers=(layer, layer)))
