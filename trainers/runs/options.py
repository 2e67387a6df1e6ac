"""What a run is: its options, its presets, and how the command line spells them."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import shlex
import sys
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import tyro

from trainers.runs import provenance as checkout
from trainers.runs.env_options import env_options_type
from vec_envs.registration import factory_of
from trainers.registry import Learner
from trainers.runs.directory import CONFIG, RunDirectory, newest_path
from vec_envs.validation import count, not_negative

R = TypeVar("R", bound="Run")

LARGEST_SEED = 2**63
ADJUSTABLE = ("device", "threads", "checkpoint_s", "evaluation_episodes", "evaluation_seed")
"""What may be changed when a run is resumed."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run. `env` and `learner` are dataclasses of their own, with options of the same names."""

    env: Any
    """Fields of the environment."""
    learner: Any
    """Fields of the learner."""
    env_id: str
    """Which environment."""
    preset: str = "tuned"
    """Where the defaults come from: "tuned", "paper", or another of the learner's."""
    seed: int = 0
    """Seed of everything: traffic, exogenous, networks, exploration, replay."""
    episodes: int = 1920
    """Training episodes over all lanes, rounded up to whole rounds of the lanes."""
    num_envs: int = 16
    """EnvironmentBatch played at the same time."""
    init_from: Path | None = None
    """Start with the weights of a checkpoint: of `trainers.pretrain`, or of another run of the same learner."""
    output: Path | None = None
    """Where the run is written; by default a new folder under runs/."""
    resume: bool = False
    """Go on with the run in --output, or with the newest one under runs/, as it was configured; device,
    threads, checkpoint_s and evaluation may be changed."""
    device: str = "auto"
    """"auto" (CUDA where there is one), "cpu", "cuda", ..."""
    threads: int = 1
    """Torch's threads; 0 leaves the choice to torch. Small networks and a busy machine do best with one, MAD2RL alone
    on two cores with two. Results are bit-identical for the same number, on a CPU."""
    checkpoint_s: float = 60.0
    """Seconds between checkpoints."""
    evaluation_episodes: int = 32
    """Held-out episodes of the final table; 0 for none."""
    evaluation_seed: int = 1000
    """Seed of the first held-out episode. From 1000 on are the leaderboard's own: tune on others, from 500000 on."""

    def __post_init__(self) -> None:
        count(1, episodes=self.episodes, num_envs=self.num_envs)
        count(0, evaluation_episodes=self.evaluation_episodes, evaluation_seed=self.evaluation_seed, seed=self.seed)
        for name in ("seed", "evaluation_seed"):
            if getattr(self, name) >= LARGEST_SEED:
                raise ValueError(f"{name}={getattr(self, name)} must be below 2**63, or torch cannot draw from it")
        count(0, threads=self.threads)
        not_negative(checkpoint_s=self.checkpoint_s)

    @property
    def rounds(self) -> int:
        """Rounds of an episode in every lane."""
        return math.ceil(self.episodes / self.num_envs)


def preset_run(learner: Learner, preset: str, env_id: str, kind: type[R] = Run) -> R:
    """Returns a preset's run; of another kind than a training run with that kind's own defaults.

    Raises `ValueError` listing what exists for an unknown preset or environment.
    """
    if preset not in learner.presets:
        raise ValueError(f"preset {preset!r} is unknown; there are {', '.join(map(repr, learner.presets))}")
    if env_id not in learner.env_ids:
        listed = ", ".join(map(repr, learner.env_ids))
        raise ValueError(f"{learner.name} does not train on {env_id!r}, but on {listed}")
    env, options, run = learner.presets[preset]
    own = run if kind is Run else {}
    return kind(env=env_options_type(factory_of(env_id))(**env), learner=options, env_id=env_id, preset=preset, **own)


def parse(
    learner: Learner, arguments: Sequence[str] | None = None, *, kind: type[R] = Run, module: str | None = None
) -> R:
    """Returns the run that a command line of `trainers.MODULE`, by default the learner's, describes.

    Exits with a message where it is wrong.
    """
    module = module or learner.name
    arguments = _spelled_out(learner, [_dashed(a) for a in (sys.argv[1:] if arguments is None else arguments)])
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--preset", default="tuned")
    first.add_argument("--env-id", default=learner.env_ids[0])
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
    own = [("env", type(default.env)), ("learner", type(default.learner))]
    typed = dataclasses.make_dataclass("Run", own, bases=(kind,), frozen=True, kw_only=True)
    values = {f.name: getattr(default, f.name) for f in dataclasses.fields(default)}
    try:
        return tyro.cli(
            typed, prog=program, args=arguments, default=typed(**values), description=_described(learner, kind)
        )
    except ValueError as error:
        sys.exit(f"trainers.{module}: {error}")


def _dashed(argument: str) -> str:
    """Returns an argument with its option's name, of which tyro takes both spellings, written with dashes."""
    name, is_, value = argument.partition("=")
    return f"{name.replace('_', '-')}{is_}{value}" if name.startswith("--") else argument


def _spelled_out(learner: Learner, arguments: list[str]) -> list[str]:
    """Returns the arguments with flags that stand for a preset spelled out; exits with a message where two differ."""
    used = [flag for flag in learner.shortcuts if flag in arguments]
    if used and any(argument.split("=")[0] == "--preset" for argument in arguments):
        sys.exit(f"trainers.{learner.name}: {used[0]} is --preset {learner.shortcuts[used[0]]}; give one of the two")
    return [part for a in arguments for part in (("--preset", learner.shortcuts[a]) if a in used else (a,))]


def _described(learner: Learner, kind: type[Run]) -> str:
    """Returns what the help says first."""
    presets = f"Presets: {', '.join(learner.presets)}."
    return " ".join(
        [str(kind.__doc__), presets, *(f"{flag}: --preset {to}." for flag, to in learner.shortcuts.items())]
    )


def as_json(run: Run, learner: str) -> str:
    """Returns the run as JSON text, for `config.json`."""
    values = dataclasses.asdict(run)
    values |= {"output": None, "resume": False, "init_from": run.init_from and str(run.init_from)}
    own = {f.name for f in dataclasses.fields(Run)}
    more = {name: values.pop(name) for name in list(values) if name not in own}
    more = {name: value for name, value in more.items() if not isinstance(value, Path | None)}  # where files lie
    versions = {name: metadata.version(name) for name in ("vec-envs", "tianshou", "torch", "numpy", "libsumo")}
    kind = {"pretraining": more} if more else {}
    code = {**versions, "commit": checkout.commit()}
    return json.dumps({"learner_name": learner, "versions": code, **values, **kind}, indent=2) + "\n"


def learner_of(text: str) -> object:
    """Returns the learner's name in the text of a configuration. Raises `ValueError` where it is none."""
    try:
        return json.loads(text)["learner_name"]
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise ValueError("config.json is damaged: it cannot be read as a configuration") from error


def from_json(text: str, learner: Learner) -> Run:
    """Returns the run that `as_json` wrote. Raises `ValueError` where the text is of another learner or version."""
    if learner_of(text) != learner.name:
        raise ValueError(f"the configuration is not one of {learner.name}")
    values = json.loads(text)
    values.pop("learner_name")
    values.pop("versions", None)
    values.pop("pretraining", None)
    try:
        default = preset_run(learner, values["preset"], values["env_id"])
        env = type(default.env)(**as_tuples(values.pop("env")))
        options = _nested(type(default.learner), values.pop("learner"))
        paths = {"output": None, "init_from": Path(values["init_from"]) if values.get("init_from") else None}
        return dataclasses.replace(default, env=env, learner=options, **{**values, **paths})
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"the configuration is of another version: {error}") from error


def configured(learner: Learner, path: Path) -> Run:
    """Returns the run in a folder, as it goes on. Raises where there is none of the learner, or a pre-training."""
    text = RunDirectory(path).config()
    run = from_json(text, learner)
    if "pretraining" in json.loads(text):
        raise ValueError(
            f"{path} is a pre-training: begin with it by --init-from {path}; it goes on by its own command again"
        )
    return dataclasses.replace(run, output=path, resume=True)


def resumed(begun: Run, asked: Run) -> Run:
    """Returns a run that was begun with what may be changed of it as it is asked for now.

    Raises `ValueError` where it is asked for with something else changed.
    """
    was, now = dataclasses.asdict(begun), dataclasses.asdict(asked)
    if asked.init_from is None:
        now["init_from"] = begun.init_from
    wrong = [name for name in _changed(was, now) if name not in (*ADJUSTABLE, "output", "resume")]
    if wrong:
        raise ValueError(
            f"--resume goes on as configured: {', '.join(wrong)} cannot be changed, only {', '.join(ADJUSTABLE)}"
        )
    return dataclasses.replace(begun, resume=True, **{name: now[name] for name in ADJUSTABLE})


def spelled(run: Run, learner: Learner, more: Mapping[str, Any]) -> str:
    """Returns how a command line asks for what a run's environment and learner have otherwise than its preset.

    And for `more`, such as `{"learner.hidden": 64}`, whatever they have.
    """
    changed = _changed(_fields(preset_run(learner, run.preset, run.env_id)), _fields(run))
    return " ".join(_flag(name, value) for name, value in {**changed, **more}.items())


def _fields(run: Run) -> dict[str, Any]:
    return {"env": dataclasses.asdict(run.env), "learner": dataclasses.asdict(run.learner)}


def _flag(name: str, value: Any) -> str:
    group, _, name = name.replace("_", "-").partition(".")
    if isinstance(value, bool):
        return f"--{group}.{name}" if value else f"--{group}.no-{name}"
    values = value if isinstance(value, tuple) else (value,)
    return shlex.join([f"--{group}.{name}", *map(str, typing.cast(tuple[Any, ...], values))])


def other_options(run: Run, learner: Learner, checkpoint: Path) -> list[str]:
    """Returns which options of environment and learner a checkpoint was learned with otherwise than a run has them.

    As far as a configuration beside it tells. Raises `ValueError` where that is damaged, or of another version.
    """
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    if not (folder / CONFIG).exists():
        return []
    return list(_changed(_fields(from_json(RunDirectory(folder).config(), learner)), _fields(run)))


def _changed(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what differs as it is now, under the names that the command line has for it."""
    found: dict[str, Any] = {}
    for name, value in now.items():
        if isinstance(value, dict) and isinstance(was[name], dict):
            inside = _changed(was[name], typing.cast(dict[str, Any], value))
            found |= {f"{name}.{of.rpartition('.')[2]}": changed for of, changed in inside.items()}
        elif value != was[name]:
            found[name] = value
    return found


def _nested(kind: type[Any], values: dict[str, Any]) -> Any:
    hints = typing.get_type_hints(kind)
    return kind(
        **{
            name: _nested(hints[name], value) if isinstance(value, dict) else _tuple(value)
            for name, value in values.items()
        }
    )


def as_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns options as dataclasses have them: JSON knows lists alone."""
    return {name: _tuple(value) for name, value in values.items()}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
