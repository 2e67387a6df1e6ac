"""Compares runs: `python -m trainers.compare RUN_DIR RUN_DIR ... [--output PLOT.png] [--metric NAME]`.

Runs of one learner with equal options form a group. Its curve is the mean over seeds, with a band for the range. The
command prints tables of the end of the training and of the final evaluations. With --output it writes a plot.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from trainers.comparing.plot import Final, check_plot, write_plot
from trainers.comparing.runs import Group, curve_of, grouped, metrics_of, read_run
from trainers.comparing.tables import held_out, print_ends_of_training, print_evaluations
from trainers.runs.env_options import problem_of
from vec_envs.command_parser import CommandParser
from vec_envs.validation import did_you_mean

SMOOTHED_PART = 40
"""The default window of the moving average is the number of rounds divided by this, so that curves stay legible."""


def compare(groups: Sequence[Group], *, metric: str | None, window: int | None, output: Path | None) -> None:
    """Prints the tables of groups of runs, and writes their plot where `output` gives a path.

    Args:
        groups: The groups.
        metric: The metric of the plot; None for the first one that the environment reports.
        window: The number of rounds of the moving average; None for a fortieth of the training.
        output: The file of the plot; None for none.

    Raises:
        ValueError: The metric is unknown; the message lists those that exist.
    """
    first = groups[0].runs[0].run
    reported = {of.name: of.unit for of in problem_of(first.env_id, asdict(first.env)).reported_metrics}
    known = metrics_of(groups)
    metric = metric or next(iter(reported), "return_mean")
    if metric not in known:
        raise ValueError(f"--metric must be one of {', '.join(known)}, got {metric!r}{did_you_mean(metric, known)}")
    runs = sum(len(group.runs) for group in groups)
    print(f"{first.env_id}: {runs} run{'s' * (runs > 1)} in {len(groups)} group{'s' * (len(groups) > 1)}")
    print_ends_of_training(groups, [*(name for name in reported if name in known), "return_mean"])
    print_evaluations(groups)
    if output is not None:
        rounds = max(len(of.rounds["episodes"]) for group in groups for of in group.runs)
        window = window or max(rounds // SMOOTHED_PART, 1)
        curves = [curve_of(group, metric, window=window) for group in groups]
        baseline, finals = _finals(groups, metric)
        unit = reported.get(metric, "")
        write_plot(output, curves, metric=metric, unit=unit, window=window, baseline=baseline, finals=finals)


def _finals(groups: Sequence[Group], metric: str) -> tuple[Final | None, list[Final]]:
    """Returns the reference to beat and the final values of the groups.

    There is no reference where groups were evaluated on different episodes, such as with other numbers of vehicles.
    """
    kinds = held_out(groups)
    key = metric if metric.endswith("_mean") else f"{metric}_mean"
    found = [(name, of) for evaluated in kinds.values() for name, of in evaluated.items() if key in of[0]]
    finals = [Final(name=name, values=tuple(of[key] for of in of_seeds)) for name, of_seeds in found]
    if len(kinds) != 1 or not found:
        return None, finals
    first = found[0][1][0]
    to_beat = first["references"].get(first["to_beat"])
    return None if to_beat is None else Final(name=first["to_beat"], values=(to_beat[key],)), finals


def main(arguments: list[str] | None = None) -> None:
    """Compares the runs of the command line; exits with a message where that is not possible."""
    parser = CommandParser(
        prog="python -m trainers.compare",
        description="Compares runs of one environment: learning curves with bands over seeds, and final tables.",
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN_DIR", help="folders that trainers wrote")
    parser.add_argument("--output", type=Path, metavar="FILE", help="a plot to write, in .png, .svg or .pdf")
    parser.add_argument("--metric", metavar="NAME", help="the metric of the plot (default: the first reported one)")
    parser.add_argument("--window", type=int, help="rounds of the moving average (default: a fortieth of all)")
    options = parser.parse_args(arguments)
    if options.window is not None and options.window < 1:
        parser.error(f"--window must be at least 1, got {options.window}")
    try:
        if options.output is not None:
            check_plot(options.output)
        groups = grouped([read_run(path) for path in options.runs])
        compare(groups, metric=options.metric, window=options.window, output=options.output)
    except (ImportError, OSError, TypeError, ValueError) as error:
        sys.exit(f"trainers.compare: {error}")
    if options.output is not None:
        print(f"\nwritten to {options.output}")


if __name__ == "__main__":
    main()
