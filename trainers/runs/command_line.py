"""The command line of a run."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from trainers.registry import Learner
from trainers.runs.configuration import configured, located_run
from trainers.runs.directory import newest_path
from trainers.runs.options import R, Run, check_fit, preset_run
from vec_envs.command_parser import add_version


def parse(
    learner: Learner, arguments: Sequence[str] | None = None, *, kind: type[R] = Run, module: str | None = None
) -> R:
    """Returns the run that a command line describes; exits with a message where the command line is wrong.

    Args:
        learner: The learner.
        arguments: The arguments; None for those of this process.
        kind: The type of the run.
        module: The name of the command's module in `trainers`; by default the name of the learner.
    """
    module = module or learner.name
    arguments = _spelled_out(learner, [_dashed(a) for a in (sys.argv[1:] if arguments is None else arguments)])
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_version(first)
    first.add_argument("--preset", default="tuned")
    first.add_argument("--env-id", default=learner.default_env_id)
    first.add_argument("--output", type=Path)
    first.add_argument("--resume", action="store_true")
    chosen = first.parse_known_args(arguments)[0]
    try:
        if chosen.resume and kind is Run:
            default: Any = configured(learner, chosen.output or newest_path(learner.name))
        else:
            default = preset_run(learner, chosen.preset, chosen.env_id, kind)
    except (OSError, ValueError) as error:
        sys.exit(f"trainers.{module}: {error}")
    program = f"python -m trainers.{module}"
    groups = [("env", type(default.env)), ("learner", type(default.learner))]
    typed = dataclasses.make_dataclass("Run", groups, bases=(kind,), frozen=True, kw_only=True)
    values = {f.name: getattr(default, f.name) for f in dataclasses.fields(default)}
    try:
        run = tyro.cli(
            typed, prog=program, args=arguments, default=typed(**values), description=_description(learner, kind)
        )
        check_fit(learner, run)
    except (TypeError, ValueError) as error:
        sys.exit(f"trainers.{module}: {error}")
    return located_run(run)


def _dashed(argument: str) -> str:
    """Returns an argument with dashes in the option's name; tyro takes underscores too, our own parser does not."""
    name, equals, value = argument.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}" if name.startswith("--") else argument


def _spelled_out(learner: Learner, arguments: list[str]) -> list[str]:
    """Returns the arguments with each shortcut replaced by its preset; exits where --preset is given as well."""
    used = [flag for flag in learner.shortcuts if flag in arguments]
    if used and any(argument.split("=")[0] == "--preset" for argument in arguments):
        preset = learner.shortcuts[used[0]]
        sys.exit(f"trainers.{learner.name}: {used[0]} means --preset {preset}: give only one of the two")
    return [part for a in arguments for part in (("--preset", learner.shortcuts[a]) if a in used else (a,))]


def _description(learner: Learner, kind: type[Run]) -> str:
    """Returns the first paragraph of the help."""
    presets = f"Presets: {', '.join(learner.presets)}."
    shortcuts = [f"{flag} means --preset {preset}." for flag, preset in learner.shortcuts.items()]
    return " ".join([str(kind.__doc__), presets, *shortcuts, "--version prints the version."])
