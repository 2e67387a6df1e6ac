"""Runs to compare: read from their folders, and grouped by everything but their seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float

from trainers.registry import Learner, learner_named
from trainers.runs.configuration import from_json, learner_of, spelled
from trainers.runs.directory import EVALUATION, RunDirectory
from trainers.runs.options import ADJUSTABLE, Run
from vec_envs.files import parse_json, read_json

OF_NO_INTEREST = ("seed", "output", "resume", *ADJUSTABLE)
"""Options in which the runs of a group may differ."""


@dataclass(frozen=True, kw_only=True)
class TrainedRun:
    """A run: its options, its metrics of each round, and the content of its `evaluation.json`."""

    path: Path
    learner: Learner
    run: Run
    rounds: Mapping[str, Float[np.ndarray, "rounds"]]
    """Values by the name of a metric. A value that a round lacks is not a number."""
    evaluation: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Runs of one learner with equal options and different seeds."""

    name: str
    runs: tuple[TrainedRun, ...]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A learning curve: the mean over the runs of a group, and their range."""

    name: str
    episodes: Float[np.ndarray, "points"]
    mean: Float[np.ndarray, "points"]
    low: Float[np.ndarray, "points"]
    high: Float[np.ndarray, "points"]


def read_run(path: Path) -> TrainedRun:
    """Returns the run of a folder.

    Raises `FileNotFoundError` where the folder holds no run, and `ValueError` where the run cannot be read, or has no
    finished round.
    """
    directory = RunDirectory(path)
    text = directory.config()
    try:
        learner = learner_named(learner_of(text))
        run = from_json(text, learner)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not run.rounds:
        raise ValueError(f"{path} has no learning curve: it was begun with episodes=0")
    lines = [cast(dict[str, Any], parse_json(line)) for line in directory.metrics(run.rounds, num_envs=run.num_envs)]
    if not lines:
        raise ValueError(f"{path} has not finished a round of training: metrics.jsonl has no line that can be read")
    names = dict.fromkeys(name for line in lines for name in line)
    rounds = {name: np.array([float(line.get(name, math.nan)) for line in lines]) for name in names}
    return TrainedRun(path=path, learner=learner, run=run, rounds=rounds, evaluation=_evaluation(path))


def _evaluation(path: Path) -> Mapping[str, Any] | None:
    """Returns the content of `evaluation.json`; None where there is none. Raises `ValueError` where it is damaged."""
    file = path / EVALUATION
    if not file.exists():
        return None
    content = read_json(file)
    if not isinstance(content, dict) or not {"seed", "episodes", "reported", "references"} <= content.keys():
        raise ValueError(f"{file} is damaged: repeat python -m trainers.evaluate {path}")
    return cast(dict[str, Any], content)


def grouped(runs: Sequence[TrainedRun]) -> list[Group]:
    """Returns the groups of runs, in the order of their first runs.

    Raises `ValueError` where the runs are of several environments, or two runs have equal options and seeds.
    """
    env_ids = list(dict.fromkeys(of.run.env_id for of in runs))
    if len(env_ids) > 1:
        raise ValueError(f"runs to compare must be of one environment, got {' and '.join(env_ids)}: compare them apart")
    groups: dict[str, list[TrainedRun]] = {}
    for of in runs:
        group = groups.setdefault(_options_of(of), [])
        twin = next((other for other in group if other.run.seed == of.run.seed), None)
        if twin is not None:
            raise ValueError(f"{twin.path} and {of.path} are the same run: equal options and the seed {of.run.seed}")
        group.append(of)
    names = _names([group[0] for group in groups.values()])
    return [Group(name=name, runs=tuple(group)) for name, group in zip(names, groups.values(), strict=True)]


def _options_of(of: TrainedRun) -> str:
    values = {name: value for name, value in asdict(of.run).items() if name not in OF_NO_INTEREST}
    return repr((of.learner.name, values))


def _names(firsts: Sequence[TrainedRun]) -> list[str]:
    """Returns a name for each group: learner and preset, and where groups share these, the options that differ."""
    short = [f"{of.learner.name} ({of.run.preset})" for of in firsts]
    flags = [spelled(of.run, of.learner, {}) for of in firsts]
    shared_flags = set(flags[0]).intersection(*flags)
    changed = [" ".join(flag for flag in of_group if flag not in shared_flags) for of_group in flags]
    sizes = [f"episodes={of.run.episodes} num_envs={of.run.num_envs}" for of in firsts]
    starts = [f"from {of.run.init_from}" if of.run.init_from else "from scratch" for of in firsts]
    names = short
    for more in (changed, sizes, starts):
        is_shared = [names.count(name) > 1 for name in names]
        extras = [f" {extra}" if extra and again else "" for extra, again in zip(more, is_shared, strict=True)]
        names = [name + extra for name, extra in zip(names, extras, strict=True)]
    return names


def metrics_of(groups: Sequence[Group]) -> list[str]:
    """Returns the names of the metrics of rounds that all runs have."""
    every = [set(of.rounds) for group in groups for of in group.runs]
    return [name for name in groups[0].runs[0].rounds if all(name in names for names in every) and name != "episodes"]


def curve_of(group: Group, metric: str, *, window: int) -> Curve:
    """Returns the learning curve of a group, up to the last round that all of its runs have played.

    Args:
        group: The runs.
        metric: The name of a metric.
        window: The number of rounds of the moving average, the present one and those before it.
    """
    points = min(len(of.rounds["episodes"]) for of in group.runs)
    of_seeds = np.stack([_moving_average(of.rounds[metric][:points], window) for of in group.runs])
    return Curve(
        name=group.name,
        episodes=group.runs[0].rounds["episodes"][:points],
        mean=of_seeds.mean(axis=0),
        low=of_seeds.min(axis=0),
        high=of_seeds.max(axis=0),
    )


def _moving_average(values: Float[np.ndarray, "rounds"], window: int) -> Float[np.ndarray, "rounds"]:
    """Returns the mean of each value and those before it; fewer at the beginning, and without missing values."""
    known = np.isfinite(values)
    sums, counts = (np.concatenate(([0.0], np.cumsum(of))) for of in (np.where(known, values, 0.0), known))
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - window, 0)
    number = counts[ends] - counts[begins]
    return np.divide(sums[ends] - sums[begins], number, out=np.full(len(values), math.nan), where=number > 0)
