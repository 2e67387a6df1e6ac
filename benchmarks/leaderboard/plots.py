"""The lines of a board's plots: learning curves, queues slot by slot, trade-offs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from benchmarks.leaderboard.schema import Line, Plot
from benchmarks.reports.policy_results import Line as Played
from benchmarks.reports.policy_results import by_case, collect
from benchmarks.reports.tables import in_words
from benchmarks.suites.suite import Case, Suite


def curve_plot(case: Case, lines: Sequence[Played]) -> Plot | None:
    """Returns the learning curves of a case; None where nobody learns."""
    drawn, figure = list[Line](), ""
    for line in lines:
        curves = [result.curve for result in line.found if result.curve is not None]
        if curves:
            figure = line.found[0].ranked_by
            points = min(len(curve["episodes"]) for curve in curves)
            of_seeds = np.stack([curve[figure][:points] for curve in curves])
            drawn.append(_over_seeds(line.policy, curves[0]["episodes"][:points], of_seeds))
    if not drawn:
        return None
    return Plot(title=case.name, x_label="training episodes", y_label=in_words(figure), lines=tuple(drawn))


def queue_plots(case: Case, lines: Sequence[Played]) -> list[Plot]:
    """Returns the queues of a case that are kept point by point, means over the episodes."""
    return [_queue_plot(case, queue, lines) for queue in case.queues if queue in case.traces and lines]


def _queue_plot(case: Case, queue: str, lines: Sequence[Played]) -> Plot:
    drawn: list[Line] = []
    for line in lines:
        of_seeds = np.stack([result.traces[queue] for result in line.found])
        drawn.append(_over_seeds(line.policy, np.arange(1.0, of_seeds.shape[1] + 1.0), of_seeds))
    return Plot(title=case.name, x_label="slot", y_label=in_words(queue), lines=tuple(drawn))


def sweep_plots(suite: Suite, seeds: int, *folders: Path) -> list[Plot]:
    """Returns a plot for each of a suite's columns, over its cases' x; none where it has no results."""
    lines = [line for line in collect(suite, seeds, *folders) if line.found]
    plots: list[Plot] = []
    for figure in suite.columns:
        drawn: list[Line] = []
        for policy in dict.fromkeys(line.policy for line in lines):
            of_cases = [of[0] for of in by_case([line for line in lines if line.policy == policy]).values()]
            means = [line.mean(figure) for line in of_cases]
            drawn.append(
                Line(
                    name=policy,
                    x=tuple(line.x for line in of_cases),
                    value=tuple(mean.value for mean in means),
                    low=tuple(mean.interval[0] for mean in means),
                    high=tuple(mean.interval[1] for mean in means),
                )
            )
        if drawn:
            plots.append(Plot(title=suite.title, x_label=suite.axis, y_label=in_words(figure), lines=tuple(drawn)))
    return plots


def _over_seeds(name: str, x: Float[np.ndarray, "points"], of_seeds: Float[np.ndarray, "seeds points"]) -> Line:
    """Returns the mean over seeds, with their range: an interval of two or three would say nothing."""
    mean, low, high = of_seeds.mean(axis=0), of_seeds.min(axis=0), of_seeds.max(axis=0)
    return Line(name=name, x=_short(x), value=_short(mean), low=_short(low), high=_short(high))


def _short(of: np.ndarray) -> tuple[float, ...]:
    """Returns numbers with 5 significant digits: they are looked at."""
    return tuple(float(f"{x:.5g}") for x in of)
