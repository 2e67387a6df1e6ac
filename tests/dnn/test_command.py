"""`python -m vec_envs.dnn`: lists, shows, draws and makes profiles, and says what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.dnn.onnx_networks import FILES
from vec_envs.dnn import DNNProfile, EarlyExit, MeasuredTimes
from vec_envs.dnn.__main__ import main
from vec_envs.dnn.workload import WORKLOADS

SOURCE = "tests.dnn.test_command:small"
INPUT = ("--input", "1,3,8,8")
EXISTING = nn.Linear(3, 2)


def small(width: int = 4, *, bias: bool = True) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 3, bias=bias), nn.ReLU(), nn.Flatten(), nn.Linear(36 * width, 2))


def test_the_library_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list"])
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()[1:]] == list(DNNProfile.library())
    assert "15.47" in next(line for line in printed.splitlines() if line.startswith("vgg16"))


@pytest.mark.slow
def test_layers_are_shown_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "nin", "--workload", "rtd", "--plot", str(tmp_path / "nin.svg")])
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1 + 17 + 2
    assert printed[-2].startswith("nin: 16 layers")
    assert "by 'rtd'" in printed[-2]
    assert (tmp_path / "nin.svg").read_text().count("cccp8") == 1
    with pytest.raises(SystemExit, match=r"nin\.what cannot be drawn"):
        main(["show", "nin", "--plot", "nin.what"])


@pytest.mark.parametrize(
    ("source", "more", "module"),
    [
        (SOURCE, (*INPUT, "--argument", "width=8", "-a", "bias=False"), small(8, bias=False)),
        (SOURCE, (*INPUT, "--argument", "2"), small(2)),
        ("tests.dnn.test_command:EXISTING", ("-i", "1,3"), EXISTING),
    ],
)
def test_a_module_becomes_a_file_for_every_environment(
    source: str, more: tuple[str, ...], module: nn.Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["profile", source, *more, "-o", str(tmp_path / "own.json")])
    example = np.zeros([int(size) for size in more[1].split(",")], np.float32)
    for workload in WORKLOADS:
        expected = DNNProfile.from_torch(module, torch.as_tensor(example), name="own", workload=workload)
        assert expected.workload == workload
        assert DNNProfile.read(tmp_path / "own.json", workload) == expected
    assert "written to" in capsys.readouterr().out
    main(["show", str(tmp_path / "own.json")])


class Skip(nn.Module):
    """A network of which two tensors are alive in the middle, with a cache as its second argument and result."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 6), nn.Linear(6, 6)

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.first(x + memory)
        return self.first(self.second(y) @ torch.ones(6, 8)) + self.second(y), y


def test_options_of_tracing_reach_the_module(tmp_path: Path) -> None:
    source = ("profile", "tests.dnn.test_command:Skip", "--input", "1,8", "--input", "1,8", "-o")
    more = ("--max-tensors", "2", "--activation-bits", "8", "--residents", "memory", "1")
    main([*source, str(tmp_path / "plain.json")])
    main([*source, str(tmp_path / "more.json"), *more])
    plain, profile = (DNNProfile.read(tmp_path / f"{name}.json") for name in ("plain", "more"))
    inputs = (torch.zeros(1, 8), torch.zeros(1, 8))
    residents = ("memory", 1)
    expected = DNNProfile.from_torch(Skip(), inputs, name="more", max_tensors=2, activation_bits=8, residents=residents)
    assert profile == expected
    assert (profile.input_mbit, plain.input_mbit) == (64 / 1e6, 512 / 1e6)
    assert profile.num_layers > plain.num_layers


def test_measured_times_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layers = DNNProfile.load("nin").layers[:2]
    times = MeasuredTimes(device="board", layer_s=(0.0125, 0.5))
    DNNProfile(name="own", input_mbit=1.0, layers=layers, measured=(times,)).write(tmp_path / "own.json")
    main(["show", str(tmp_path / "own.json")])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith("ms on board")
    assert [line.split()[-1] for line in printed[2:4]] == ["12.5", "500"]


def test_exits_are_given_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["profile", "nin", "--exit", "16:0.6", "--exit", "4:0.25", "-o", str(tmp_path / "own.json")])
    expected = (EarlyExit(after_layer=4, accuracy=0.25), EarlyExit(after_layer=16, accuracy=0.6))
    assert [DNNProfile.read(tmp_path / "own.json", of).exits for of in WORKLOADS] == [expected] * len(WORKLOADS)
    capsys.readouterr()
    main(["show", str(tmp_path / "own.json")])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith("exit accuracy")
    assert [line.split()[-1] for line in (printed[5], printed[17])] == ["0.25", "0.6"]
    main(["profile", str(tmp_path / "own.json"), "-o", str(tmp_path / "again.json")])
    assert DNNProfile.read(tmp_path / "again.json").exits == expected


def test_an_onnx_file_becomes_a_file(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    main(["profile", str(FILES / "chain.onnx"), "-o", str(tmp_path / "c.json"), "--name", "chain"])
    assert DNNProfile.read(tmp_path / "c.json", "rtd") == DNNProfile.from_onnx(FILES / "chain.onnx", workload="rtd")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "lenet99"), "must be one of 'alexnet'"),
        (("show", "none.json"), "'none.json', which does not exist"),
        (("profile", "no_package:net", *INPUT), "no_package:net cannot be imported"),
        (("profile", "tests.dnn.test_command:large", *INPUT), "has no attribute 'large'"),
        (("profile", "tests.dnn.test_command", *INPUT), "must be one of 'alexnet'"),
        (("profile", SOURCE), "needs the shape of its input: --input 1,3,224,224"),
        (("profile", SOURCE, "--input", "1,3,x"), "must be a shape such as 1,3,224,224, got '1,3,x'"),
        (("profile", SOURCE, "--input", "1,-3"), "must be a shape such as"),
        (
            ("profile", SOURCE, "--input", "1,3:float99"),
            "such as float32 or int64, got 'float99'",
        ),
        (("profile", SOURCE, *INPUT, "-a", "depth=3"), "cannot be called: TypeError"),
        (("profile", "pathlib:Path", *INPUT), "must be or return a torch.nn.Module, got PosixPath"),
        (("profile", SOURCE, "--input", "1,3,2,2"), "'o' (Sequential)"),
        (("profile", SOURCE, *INPUT, "--activation-bits", "4"), "activation_bits must be 8, 16, 32 or None, got 4"),
        (("profile", SOURCE, *INPUT, "--max-tensors", "0"), "max_tensors must be a whole number of at least 1, got 0"),
        (("profile", "vgg16", "--max-tensors", "2"), "--max-tensors can be given for a torch module"),
        (("profile", "net.onnx", "--residents", "a"), "--residents can be given for a torch module"),
        (("profile", "nin", "--exit", "4"), "an exit must be CUT:ACCURACY, such as 4:0.71, got '4'"),
        (("profile", "nin", "--exit", "4:71"), "accuracy must be a number from 0 to 1, got 71.0"),
        (("profile", "nin", "--exit", "17:0.5"), "after_layer of an exit of profile 'nin' must be at most 16, got 17"),
        (("profile", "net.onnx", *INPUT), "an ONNX file has its own inputs: leave out --input"),
    ],
)
def test_mistakes_have_a_sentence(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    output = ("-o", str(tmp_path / "o.json")) if arguments[0] == "profile" else ()
    with pytest.raises(SystemExit) as error:
        main([*arguments, *output])
    assert says in str(error.value)
    assert not list(tmp_path.iterdir())
