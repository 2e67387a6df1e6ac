"""The final tables of compared runs: of their evaluations, and of the end of their training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from trainers.comparing.runs import Group, TrainedRun
from trainers.runs.tables import columns, label, print_aligned, rank_value, shown

NOT_OF_THE_WORLD = ("reward", "observation", "sumo_backend", "num_workers")
"""Options of an environment that change no held-out episode, but what learners see and get."""
END_OF_TRAINING = 0.1
"""The last part of a training whose rounds the second table averages."""


def print_evaluations(groups: Sequence[Group]) -> None:
    """Prints the evaluations of the groups and of the references, one table for each set of held-out episodes."""
    kinds = held_out(groups)
    if not kinds:
        print("No run has an evaluation.json: python -m trainers.evaluate RUN_DIR writes one.")
    for evaluated in kinds.values():
        first = next(iter(evaluated.values()))[0]
        seed, episodes, rows = first["seed"], first["episodes"], final_rows(evaluated)
        shown_columns = columns(first["reported"])
        lines = [["policy", "seeds", *(head for head, _, _ in shown_columns), "return"]]
        for name, of_seeds in rows.items():
            cells = [_cell([of[key] for of in of_seeds], unit) for _, key, unit in shown_columns]
            lines.append([name, str(len(of_seeds)), *cells, _cell([of["return_mean"] for of in of_seeds], "")])
        print(f"\n{episodes} held-out episodes from seed {seed}: means per decision of all agents (range over seeds)")
        print_aligned(lines)
    missing = [str(of.path) for group in groups for of in group.runs if of.evaluation is None]
    if missing and kinds:
        print(f"without an evaluation.json: {', '.join(missing)}")


Evaluated = Mapping[str, list[Mapping[str, Any]]]
"""Name of a group -> the evaluations of its runs, on the same held-out episodes."""


def held_out(groups: Sequence[Group]) -> Mapping[object, Evaluated]:
    """Returns the evaluations of the groups for each set of held-out episodes: of a seed, a number and a world."""
    kinds: dict[object, dict[str, list[Mapping[str, Any]]]] = {}
    for group in groups:
        for of in group.runs:
            if of.evaluation is not None:
                key = (of.evaluation["seed"], of.evaluation["episodes"], _world(of))
                kinds.setdefault(key, {}).setdefault(group.name, []).append(of.evaluation)
    return kinds


def _world(of: TrainedRun) -> str:
    """Returns the options on which the episodes of a run depend, such as the number of vehicles."""
    return repr({name: value for name, value in asdict(of.run.env).items() if name not in NOT_OF_THE_WORLD})


def final_rows(evaluated: Evaluated) -> dict[str, list[Mapping[str, Any]]]:
    """Returns evaluations by policy, ordered by the problem's first metric: one for each seed, or of a reference.

    References are those of the first run, because all runs play the same episodes.
    """
    rows = dict(evaluated)
    first = next(iter(rows.values()))[0]
    rows |= {name: [reference] for name, reference in first["references"].items()}
    means = {name: float(np.mean([rank_value(first["reported"], of) for of in rows[name]])) for name in rows}
    return {name: rows[name] for name in sorted(rows, key=means.__getitem__)}


def print_ends_of_training(groups: Sequence[Group], metrics: Sequence[str]) -> None:
    """Prints the means of some metrics over the last rounds of the trainings, with exploration."""
    lines = [["training", "seeds", "episodes", *map(label, metrics)]]
    for group in groups:
        cells = [_cell([_end(of.rounds[name]) for of in group.runs], "") for name in metrics]
        played = min(int(of.rounds["episodes"][-1]) for of in group.runs)
        lines.append([group.name, str(len(group.runs)), f"{played:,}", *cells])
    print(f"\nthe last {END_OF_TRAINING:.0%} of the training, with exploration (range over seeds)")
    print_aligned(lines)


def _end(values: np.ndarray) -> float:
    return float(np.nanmean(values[-max(round(END_OF_TRAINING * len(values)), 1) :]))


def _cell(values: Sequence[float], unit: str) -> str:
    """Returns the mean over seeds, and their range where there are several."""
    mean = shown(float(np.mean(values)), unit)
    return mean if len(values) == 1 else f"{mean} ({shown(min(values))} to {shown(max(values))})"
