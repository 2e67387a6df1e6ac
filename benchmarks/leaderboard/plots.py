"""Plots of a board: learning curves, queues over an episode, and trade-offs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from benchmarks.leaderboard.schema import Line, Plot
from benchmarks.reports.policy_results import PolicyResults, by_case, collect
from benchmarks.reports.tables import in_words
from benchmarks.results.stores import ResultStore
from benchmarks.suites.suite import Case, Suite


def curve_plot(case: Case, found: Sequence[PolicyResults]) -> Plot | None:
    """Returns the learning curves of a case; None where no policy learns."""
    lines, metric = list[Line](), ""
    for results in found:
        metric = results.ranked_by
        curves = [result.curve for result in results.found if result.curve is not None and metric in result.curve]
        if curves:
            points = min(len(curve["episodes"]) for curve in curves)
            of_seeds = np.stack([curve[metric][:points] for curve in curves])
            lines.append(_over_seeds(results.policy, curves[0]["episodes"][:points], of_seeds))
    if not lines:
        return None
    return Plot(title=case.name, x_label="training episodes", y_label=in_words(metric), lines=tuple(lines))


def queue_plots(case: Case, found: Sequence[PolicyResults]) -> list[Plot]:
    """Returns a plot for each queue of a case whose trace is kept: means over the episodes, epoch by epoch."""
    return [_queue_plot(case, queue, found) for queue in case.queues if queue in case.traces and found]


def _queue_plot(case: Case, queue: str, found: Sequence[PolicyResults]) -> Plot:
    lines: list[Line] = []
    for results in (of for of in found if all(queue in result.traces for result in of.found)):
        of_seeds = np.stack([result.traces[queue] for result in results.found])
        lines.append(_over_seeds(results.policy, np.arange(1.0, of_seeds.shape[1] + 1.0), of_seeds))
    return Plot(title=case.name, x_label="slot", y_label=in_words(queue), lines=tuple(lines))


def sweep_plots(suite: Suite, env_id: str, seeds: int, *stores: ResultStore) -> list[Plot]:
    """Returns the trade-off plots of a suite on one environment: each of its columns over the x of the cases."""
    of_environment = replace(suite, cases=tuple(case for case in suite.cases if case.env_id == env_id))
    found = [results for results in collect(of_environment, seeds, *stores) if results.found]
    plots = [_sweep_plot(suite, metric, found) for metric in suite.columns]
    return [plot for plot in plots if plot.lines]


def _sweep_plot(suite: Suite, metric: str, found: Sequence[PolicyResults]) -> Plot:
    lines: list[Line] = []
    for policy in dict.fromkeys(results.policy for results in found):
        of_cases = [
            first for first, *_ in by_case([of for of in found if of.policy == policy and of.has(metric)]).values()
        ]
        means = [results.mean(metric) for results in of_cases]
        if not of_cases:
            continue
        lines.append(
            Line(
                name=policy,
                x=tuple(results.x for results in of_cases),
                value=tuple(mean.value for mean in means),
                low=tuple(mean.interval[0] for mean in means),
                high=tuple(mean.interval[1] for mean in means),
            )
        )
    return Plot(title=suite.title, x_label=suite.axis, y_label=in_words(metric), lines=tuple(lines))


def _over_seeds(name: str, x: Float[np.ndarray, "points"], of_seeds: Float[np.ndarray, "seeds points"]) -> Line:
    """Returns the mean over seeds with their range: a confidence interval of two or three seeds says nothing."""
    mean, low, high = of_seeds.mean(axis=0), of_seeds.min(axis=0), of_seeds.max(axis=0)
    return Line(name=name, x=_short(x), value=_short(mean), low=_short(low), high=_short(high))


def _short(values: np.ndarray) -> tuple[float, ...]:
    """Returns numbers with 5 significant digits, enough for a plot."""
    return tuple(float(f"{x:.5g}") for x in values)
