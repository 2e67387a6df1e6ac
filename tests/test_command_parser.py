"""What every command line has: `--version`, and proposals for misspelt options, choices and names."""

from __future__ import annotations

import ast
import importlib.util
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import vec_envs
from vec_envs.command_parser import CommandParser

ROOT = Path(vec_envs.__file__).parents[1]
PACKAGES = ("vec_envs", "trainers", "benchmarks", "sumo_scenarios")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
INTERNAL = {
    "vec_envs.mobility.sumo_worker",
    "benchmarks.jobs.execute",
    "benchmarks.speed.mobility_cost",
    "sumo_scenarios.measuring.simulate",
}
"""Modules that other processes of this project start, and no user."""


def commands() -> list[str]:
    """Returns the modules that `python -m` runs."""
    run = [path.relative_to(ROOT) for path in SOURCES if 'if __name__ == "__main__"' in path.read_text()]
    return sorted({".".join(path.with_suffix("").parts).removesuffix(".__main__") for path in run} - INTERNAL)


def answered(module: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    """Runs a command that must exit, and returns its exit status, or the message that it exits with."""
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    # Here modules are compiled with checks of their annotations. Users' processes must not find such bytecode.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    return ended.value.code


def misspelt(option: str) -> str:
    """Returns an option with two letters in the middle exchanged, or one twice where these are equal."""
    at = len(option) // 2
    swapped = option[:at] + option[at + 1] + option[at] + option[at + 2 :]
    return swapped if swapped != option else option[:at] + option[at:][:1] + option[at:]


def test_all_commands_are_found() -> None:
    assert {"vec_envs", "trainers.qmix", "benchmarks.leaderboard", "sumo_scenarios.record"} <= set(commands())


def test_running_a_command_here_leaves_no_bytecode_for_users(monkeypatch: pytest.MonkeyPatch) -> None:
    bytecode = Path(importlib.util.cache_from_source(str(ROOT / "vec_envs" / "__main__.py")))
    bytecode.unlink(missing_ok=True)
    assert answered("vec_envs", ["--version"], monkeypatch) == 0
    assert not bytecode.exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("module", commands())
def test_every_command_prints_its_version_and_proposes_the_option_that_was_meant(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answered(module, ["--version"], monkeypatch) == 0
    assert capsys.readouterr().out == f"VEC-Envs {vec_envs.__version__}\n"
    assert answered(module, ["--help"], monkeypatch) == 0
    options = set(re.findall(r"(?:\[|^\W*)(--[a-z][\w-]{4,})", capsys.readouterr().out, re.MULTILINE)) - {
        "--help",
        "--version",
    }
    for option in sorted(options or {"--version"})[:3]:
        assert answered(module, [misspelt(option)], monkeypatch) not in (None, 0)
        said = capsys.readouterr().err
        assert re.search(rf"(did you mean |Perhaps you meant:\W+){re.escape(option)}\b", said), (misspelt(option), said)


def made() -> CommandParser:
    """Returns a parser with options, a choice and a command that has options of its own."""
    parser = CommandParser(prog="command")
    parser.add_argument("--episodes", type=int)
    parser.add_argument("--engine", choices=("local", "ray"))
    plot = parser.add_subparsers().add_parser("plot")
    plot.add_argument("--output", required=True)
    plot.add_argument("--metric", choices=("delay_s", "energy_j"))
    return parser


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["--episodse", "3"], ["--episodes"]),
        (["--Episodes=3"], ["--episodes"]),
        (["--episodse", "3", "--enigne", "ray"], ["--episodes", "--engine"]),
        (["--engine", "rya"], ["ray"]),
        (["plto"], ["plot"]),
        (["plot", "--output", "a", "--metrics", "delay_s"], ["--metric"]),
        (["plot", "--ouput", "a"], ["--output"]),
        (["plot", "--output", "a", "--metric", "energy"], ["energy_j"]),
        (["--colour", "red"], []),
        (["plot", "--output"], []),
        (["--episodes", "many"], []),
    ],
    ids=" ".join,
)
def test_a_misspelt_option_or_choice_is_answered_with_what_was_meant(
    arguments: list[str], meant: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        made().parse_args(arguments)
    said = capsys.readouterr().err
    assert re.findall(r"did you mean ([\w-]+)\?", said) == meant, said


def test_an_abbreviated_option_is_not_misspelt(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        made().parse_args(["plot", "--out", "a", "--colour"])
    assert "did you mean" not in capsys.readouterr().err
    assert made().parse_args(["plot", "--out", "a"]).output == "a"


def test_every_command_is_parsed_so() -> None:
    first = {
        "trainers/runs/command_line.py",
        "trainers/pretrain.py",
        "vec_envs/command_parser.py",
    }  # tyro reads the rest
    using = {path.relative_to(ROOT).as_posix() for path in SOURCES if "argparse.ArgumentParser(" in path.read_text()}
    assert using <= first  # tyro parses the rest of these, and proposes options itself
    tyro = {path.relative_to(ROOT).as_posix() for path in SOURCES if "tyro.cli(" in path.read_text()}
    assert tyro == {"trainers/runs/command_line.py", "trainers/watch.py"}


REFUSALS = re.compile(r"(?<!work of these operations )is unknown[;:]|must be one of|the unknown|has no (option|metric)")


def _refusals(tree: ast.AST) -> Iterator[tuple[ast.FunctionDef, str]]:
    """Yields each message that refuses a name and lists the known names, after the function that has it."""
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for text in (node for node in ast.walk(function) if isinstance(node, ast.JoinedStr)):
            written = "".join(str(part.value) for part in text.values if isinstance(part, ast.Constant))
            if REFUSALS.search(written) and "join(" in ast.unparse(text):
                yield function, written


@pytest.mark.parametrize("package", PACKAGES)
def test_every_message_that_lists_the_known_names_proposes_one(package: str) -> None:
    found = 0
    for path in (path for path in SOURCES if path.relative_to(ROOT).parts[0] == package):
        for function, message in _refusals(ast.parse(path.read_text(encoding="utf-8"))):
            found += 1
            assert re.search(r"did_you_mean\(|near_misses\(", ast.unparse(function)), (path, function.name, message)
    assert found
