"""The options of a run in `config.json`, and their comparison with those of other runs."""

from __future__ import annotations

import dataclasses
import json
import shlex
import typing
import warnings
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from trainers.registry import LEARNERS, Learner
from trainers.runs import provenance
from trainers.runs.directory import CONFIG, RunDirectory
from trainers.runs.options import ADJUSTABLE, R, Run, preset_run
from vec_envs.files import parse_json, shortened
from vec_envs.mobility.contents import hash_of_traffic
from vec_envs.mobility.origin import version_of_traffic, warn_of_other_version
from vec_envs.mobility.scenario import located
from vec_envs.validation import near_misses


def as_json(run: Run, learner: str) -> str:
    """Returns the text of `config.json`: the options of a run, the name of its learner, and versions of the code."""
    values = dataclasses.asdict(run)
    values |= {"output": None, "resume": False, "init_from": run.init_from and str(run.init_from)}
    of_run = {f.name for f in dataclasses.fields(Run)}
    more = {name: values.pop(name) for name in list(values) if name not in of_run}
    more = {name: value for name, value in more.items() if not isinstance(value, Path | None)}  # paths of this machine
    versions = {name: metadata.version(name) for name in ("vec-envs", "tianshou", "torch", "numpy", "libsumo")}
    pretraining = {"pretraining": more} if more else {}
    code = {**versions, "sumo": sumo_of_traffic(run), "commit": provenance.commit()}
    content = _hash_of_traffic(run)
    files = {"files": {run.env.scenario: content}} if content else {}
    return json.dumps({"learner_name": learner, "versions": code, **values, **pretraining, **files}, indent=2) + "\n"


def _hash_of_traffic(run: Run) -> str | None:
    """Returns the hash of the files of an own scenario, recording or trace; None for others, and where one is lost."""
    try:
        return hash_of_traffic(run.env.mobility, run.env.scenario)
    except (OSError, ValueError):
        return None


def sumo_of_traffic(run: Run) -> str | None:
    """Returns the version of SUMO that makes, or has recorded, a run's traffic; None where it is not known."""
    return version_of_traffic(run.env.mobility, run.env.scenario, run.env.sumo_backend)


def warn_of_other_sumo(text: str, run: Run) -> None:
    """Issues a `RuntimeWarning` where a run's `config.json` says another version of SUMO than its traffic has here."""
    versions = _values(text).get("versions")
    made_by: Any = typing.cast(dict[str, Any], versions).get("sumo") if isinstance(versions, dict) else None
    if isinstance(made_by, str):
        warn_of_other_version(made_by, sumo_of_traffic(run), "the run")


def warn_of_other_files(text: str, run: Run) -> None:
    """Issues a `RuntimeWarning` where an own road, recording or trace has changed since a run's `config.json`."""
    files = _values(text).get("files")
    if isinstance(files, dict) and (found := _hash_of_traffic(run)) and found not in files.values():
        warnings.warn(
            f"{run.env.scenario} has changed since the run began: its traffic is another one, and results before and "
            "after the change cannot be compared",
            RuntimeWarning,
            stacklevel=2,
        )


def learner_of(text: str) -> str:
    """Returns the name of the learner in the text of a `config.json`. Raises `ValueError` where it is damaged."""
    return shortened(_values(text)["learner_name"])


def _values(text: str) -> dict[str, Any]:
    """Returns the content of a `config.json`. Raises `ValueError` where it is none, or has no learner."""
    try:
        values = parse_json(text)
    except ValueError as error:
        raise ValueError(f"config.json is damaged: {shortened(error)}") from error
    if not isinstance(values, dict) or "learner_name" not in values:
        raise ValueError("config.json is damaged: it cannot be read as a configuration")
    return typing.cast(dict[str, Any], values)


def check_env_id(text: str, env_id: str) -> None:
    """Raises `ValueError` where a `config.json` is of another environment, whose id may name a module to import."""
    if (found := _values(text).get("env_id")) != env_id:
        raise ValueError(f"config.json must be of {env_id!r}, got {shortened(repr(found))}")


def from_json(text: str, learner: Learner) -> Run:
    """Returns the run whose `config.json` has this text.

    Raises `ValueError` where the file is damaged, is of another learner, or does not fit this version of the project.
    """
    if (name := learner_of(text)) != learner.name:
        command = f": use python -m {LEARNERS[name]}" if name in LEARNERS else ""
        raise ValueError(f"the run is one of {name!r}, not one of {learner.name!r}{command}")
    values = _values(text)
    versions = values.pop("versions", None)
    values.pop("learner_name")
    values.pop("pretraining", None)
    values.pop("revision", None)
    values.pop("files", None)
    try:
        default = preset_run(learner, values["preset"], values["env_id"])
        env = _with_values(type(default.env), values.pop("env"))
        options = _with_values(type(default.learner), values.pop("learner"))
        paths = {"output": None, "init_from": Path(values["init_from"]) if values.get("init_from") else None}
        return dataclasses.replace(default, env=env, learner=options, **{**values, **paths})
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else shortened(error)
        raise ValueError(
            f"the run was written by {_version_in_words(versions)} and does not fit this version: {why}"
        ) from error


def _version_in_words(versions: Any) -> str:
    """Returns the version in a `config.json`, such as "vec-envs 0.1.0 (commit 5a8c80c)"."""
    if not isinstance(versions, dict) or "vec-envs" not in versions:
        return "an unknown version of vec-envs"
    known = typing.cast(dict[str, Any], versions)
    commit = f" (commit {str(known['commit'])[:7]})" if known.get("commit") else ""
    return f"vec-envs {str(known['vec-envs'])[:40]}{commit}"


def configured(learner: Learner, path: Path) -> Run:
    """Returns the run in a folder, ready to be resumed.

    Raises `FileNotFoundError` where the folder holds no run, and `ValueError` where it is of another learner or
    version, or a pre-training.
    """
    text = RunDirectory(path).config()
    try:
        run = from_json(text, learner)
    except ValueError as error:
        raise ValueError(f"{path} cannot be resumed: {error}") from error
    if "pretraining" in _values(text):
        raise ValueError(
            f"{path} is a pre-training, which cannot be resumed here: repeat its own command to continue it, or give "
            f"--init-from {path} to start a training with its weights"
        )
    return dataclasses.replace(located_run(run), output=path, resume=True)


def located_run(run: R) -> R:
    """Returns the run with the absolute paths of a scenario of your own and of its first weights.

    So they are found from other working directories, too.
    """
    env = dataclasses.replace(run.env, scenario=located(run.env.scenario))
    return dataclasses.replace(run, env=env, init_from=run.init_from and run.init_from.absolute())


def resumed(written: Run, requested: Run) -> Run:
    """Returns the run of a folder with the `ADJUSTABLE` options of the command line.

    Raises `ValueError` where the command line changes any other option.
    """
    old, new = dataclasses.asdict(written), dataclasses.asdict(requested)
    if requested.init_from is None:
        new["init_from"] = written.init_from
    fixed = [name for name in _changed(old, new) if name not in (*ADJUSTABLE, "output", "resume")]
    if fixed:
        raise ValueError(
            f"--resume continues a run with its own options: {', '.join(fixed)} cannot be changed, only "
            f"{', '.join(ADJUSTABLE)}"
        )
    return dataclasses.replace(written, resume=True, **{name: new[name] for name in ADJUSTABLE})


def spelled(run: Run, learner: Learner, more: Mapping[str, Any]) -> list[str]:
    """Returns an argument for each option of environment and learner in which a run differs from its preset.

    `more` gives further options, such as `{"learner.hidden": 64}`, which replace those of the run.
    """
    changed = _changed(_fields(preset_run(learner, run.preset, run.env_id)), _fields(run))
    return [_flag(name, value) for name, value in {**changed, **more}.items()]


def _fields(run: Run) -> dict[str, Any]:
    return {"env": dataclasses.asdict(run.env), "learner": dataclasses.asdict(run.learner)}


def _flag(name: str, value: Any) -> str:
    group, _, name = name.replace("_", "-").partition(".")
    if isinstance(value, bool):
        return f"--{group}.{name}" if value else f"--{group}.no-{name}"
    values = value if isinstance(value, tuple) else (value,)
    return shlex.join([f"--{group}.{name}", *map(_word, typing.cast(tuple[Any, ...], values))])


def _word(value: Any) -> str:
    """Returns the word of a value on a command line; for the document of a network, the name of its file."""
    return f"{value['name']}.json" if isinstance(value, dict) else str(value)


def other_options(run: Run, learner: Learner, checkpoint: Path) -> list[str]:
    """Returns the options of environment and learner in which a checkpoint differs from a run.

    Returns none where no `config.json` lies beside the checkpoint. Raises `ValueError` where that file is damaged, or
    does not fit this version.
    """
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    if not (folder / CONFIG).exists():
        return []
    return list(_changed(_fields(from_json(RunDirectory(folder).config(), learner)), _fields(run)))


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the new values that differ from the old ones, under their names on the command line."""
    found: dict[str, Any] = {}
    for name, value in new.items():
        if isinstance(value, dict) and isinstance(old[name], dict):
            inside = _changed(old[name], typing.cast(dict[str, Any], value))
            found |= {f"{name}.{of.rpartition('.')[2]}": changed for of, changed in inside.items()}
        elif value != old[name]:
            found[name] = value
    return found


def _with_values(kind: type[Any], values: Mapping[str, Any]) -> Any:
    """Returns a dataclass of options with the values of a `config.json`, and the defaults of options that it lacks.

    Raises `TypeError` with the names of options that the dataclass does not have.
    """
    hints = typing.get_type_hints(kind)
    if unknown := sorted(set(values) - set(hints)):
        raise TypeError(f"it has the unknown options {', '.join(unknown)}{near_misses(unknown, hints)}")
    return kind(
        **{
            name: _with_values(hints[name], typing.cast(dict[str, Any], value))
            if dataclasses.is_dataclass(hints[name])
            else as_tuples(value)
            for name, value in values.items()
        }
    )


def as_tuples(value: Any) -> Any:
    """Returns a value of JSON with tuples instead of lists, at every depth of lists and dictionaries."""
    if isinstance(value, dict):
        return {name: as_tuples(of) for name, of in typing.cast(dict[str, Any], value).items()}
    return tuple(map(as_tuples, typing.cast(list[Any], value))) if isinstance(value, list) else value
