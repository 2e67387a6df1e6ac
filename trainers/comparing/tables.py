"""The final tables of compared runs: of their evaluations, and of the end of their training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainers.comparing.runs import Group
from trainers.runs.tables import columns, label, print_aligned, rank_value, shown

END_OF_TRAINING = 0.1
"""The last part of a training whose rounds the second table averages."""


def print_evaluations(groups: Sequence[Group]) -> None:
    """Prints the evaluations of the groups and of the references, one table for each set of held-out episodes."""
    kinds = _episodes_of(groups)
    if not kinds:
        print("No run has an evaluation.json: python -m trainers.evaluate RUN_DIR writes one.")
    for seed, episodes in kinds:
        rows = final_rows(groups, seed, episodes)
        shown_columns = columns(evaluations(groups, seed, episodes)[0]["reported"])
        lines = [["policy", "seeds", *(head for head, _, _ in shown_columns), "return"]]
        for name, of_seeds in rows.items():
            cells = [_cell([of[key] for of in of_seeds], unit) for _, key, unit in shown_columns]
            lines.append([name, str(len(of_seeds)), *cells, _cell([of["return_mean"] for of in of_seeds], "")])
        print(f"\n{episodes} held-out episodes from seed {seed}: means per decision of all agents (range over seeds)")
        print_aligned(lines)
    missing = [str(of.path) for group in groups for of in group.runs if of.evaluation is None]
    if missing and kinds:
        print(f"without an evaluation.json: {', '.join(missing)}")


def _episodes_of(groups: Sequence[Group]) -> list[tuple[int, int]]:
    """Returns the seed and the number of the held-out episodes of each evaluation, without repetitions."""
    found = [of.evaluation for group in groups for of in group.runs if of.evaluation is not None]
    return list(dict.fromkeys((evaluation["seed"], evaluation["episodes"]) for evaluation in found))


def evaluations(groups: Sequence[Group], seed: int, episodes: int) -> list[Mapping[str, Any]]:
    """Returns the evaluations on some held-out episodes."""
    found = [of.evaluation for group in groups for of in group.runs if of.evaluation is not None]
    return [evaluation for evaluation in found if (evaluation["seed"], evaluation["episodes"]) == (seed, episodes)]


def final_rows(groups: Sequence[Group], seed: int, episodes: int) -> dict[str, list[Mapping[str, Any]]]:
    """Returns the evaluations by policy, ordered by the problem's first metric: one for each seed, or of a reference.

    References are those of the first run, because their episodes do not depend on the run.
    """
    rows: dict[str, list[Mapping[str, Any]]] = {
        group.name: found for group in groups if (found := evaluations([group], seed, episodes))
    }
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
