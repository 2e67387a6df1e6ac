"""Tables of a suite's results: means with 95% confidence intervals, and differences to a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from benchmarks.reports.policy_results import PolicyResults, by_case, ranking_metric
from benchmarks.results.statistics import Estimate
from benchmarks.suites.suite import Suite
from trainers.runs.tables import UNITS, label, shown
from vec_envs.dnn import DNNProfile

Row = list[str]
SPELLED = {"j": "J", "w": "W", "ghz": "GHz", "gcycles": "Gcycles", "mbit": "Mbit", "mbps": "Mbit/s", "gb": "GB"}
"""Ending of a metric's name -> its unit, where they differ."""
SMOOTHED = 5
"""The number of training rounds whose mean must reach a milestone."""
LAYER_GHZ = 5.0
"""The mean speed of a client vehicle in MAD2RL."""


def case_table(suite: Suite, of_case: list[PolicyResults], ranked_by: str) -> list[Row]:
    """Returns the table of a case with its head. The best policy is first, those without results are last.

    A metric that a stored result lacks is shown as "-". Columns of the suite that the case does not ask for are left
    out.
    """
    found = {of.policy: of for of in of_case if of.found}
    baseline = found.get(suite.baseline)
    columns = dict.fromkeys([ranked_by, *suite.columns])
    metrics = [metric for metric in columns if any(metric in of.kept.values for of in of_case)]
    compared = list(dict.fromkeys([ranked_by, *suite.compared])) if suite.baseline else []
    head = ["policy", "runs", *map(in_words, metrics), *(f"{label(metric)} {minus(suite)}" for metric in compared)]
    head += [f"{label(ranked_by)} {minus(suite)}, plain bootstrap"] if suite.plain else []
    head += [f"times {name}'s" for name in suite.times]
    rows: list[Row] = []
    for of in sorted(found.values(), key=lambda of: of.mean(ranked_by).value):
        row = [of.policy, of.runs, *(_mean(of, metric) for metric in metrics)]
        row += [_difference(of, baseline, metric) for metric in compared]
        row += [_difference(of, baseline, ranked_by, widened=False)] if suite.plain else []
        row += [_times(of, found.get(name), ranked_by) for name in suite.times]
        rows.append(row + _ratio_cells(suite, of, baseline))
    rows += [[of.policy, of.runs] for of in of_case if not of.found]
    return _padded([head + ([suite.ratio.head, minus(suite)] if suite.ratio else []), *rows])


def _mean(results: PolicyResults, metric: str) -> str:
    return with_interval(results.mean(metric)) if results.has(metric) else "-"


def _difference(results: PolicyResults, baseline: PolicyResults | None, metric: str, *, widened: bool = True) -> str:
    if baseline is None or results is baseline or not (results.has(metric) and baseline.has(metric)):
        return "-"
    return with_interval(results.mean(metric, widened=widened) - baseline.mean(metric, widened=widened), sign="+")


def _times(results: PolicyResults, other: PolicyResults | None, metric: str) -> str:
    if other is None or results is other or other.mean(metric).draws.min() <= 0.0:
        return "-"
    return with_interval(results.mean(metric) / other.mean(metric))


def _ratio_cells(suite: Suite, results: PolicyResults, baseline: PolicyResults | None) -> Row:
    """Returns the suite's ratio and its difference to the baseline's; nothing where the suite has no ratio."""
    if suite.ratio is None:
        return []
    ratio = _ratio(suite, results)
    if ratio is None:
        return ["-", "-"]
    if baseline is None or results is baseline:
        return [with_interval(ratio), "-"]
    of_baseline = _ratio(suite, baseline)
    if of_baseline is None:
        return ["-", "-"]
    return [with_interval(ratio), with_interval(ratio - of_baseline, sign="+")]


def _ratio(suite: Suite, results: PolicyResults) -> Estimate | None:
    """Returns the suite's ratio; None where a metric is missing, or where the divisor may be 0."""
    if suite.ratio is None or not (results.has(suite.ratio.of) and results.has(suite.ratio.to)):
        return None
    try:
        return results.ratio(suite.ratio.of, suite.ratio.to)
    except ValueError:
        return None


def metric_table(of_suite: list[PolicyResults], metric: str) -> list[Row]:
    """Returns the table of a metric with a column for each case, sorted by the last column, the lowest value first."""
    cases = by_case(of_suite)
    found = {(of.policy, of.case): of for of in of_suite if of.has(metric)}
    last = list(cases)[-1]

    def rank(policy: str) -> float:
        return found[policy, last].mean(metric).value if (policy, last) in found else np.inf

    rows: list[Row] = []
    for policy in sorted(dict.fromkeys(of.policy for of in of_suite), key=rank):
        row = [found.get((policy, case)) for case in cases]
        rows.append([policy, *("-" if of is None else with_interval(of.mean(metric)) for of in row)])
    return [["policy", *cases], *rows]


def growth_table(suite: Suite, of_suite: list[PolicyResults]) -> list[Row]:
    """Returns the growth of the suite's metric from its first case to its last, the smallest first."""
    cases = list(by_case(of_suite).values())
    ends = [{of.policy: of for of in case if of.has(suite.shows)} for case in (cases[0], cases[-1])]
    grown = {
        name: ends[1][name].mean(suite.shows) - of.mean(suite.shows) for name, of in ends[0].items() if name in ends[1]
    }
    head = ["policy", f"growth of the {in_words(suite.shows)}", minus(suite)]
    baseline = grown.get(suite.baseline)
    rows: list[Row] = []
    for name, growth in sorted(grown.items(), key=lambda item: item[1].value):
        less = "-" if baseline is None or growth is baseline else with_interval(growth - baseline, sign="+")
        rows.append([name, with_interval(growth, sign="+"), less])
    return [head, *rows]


def claim_table(suite: Suite, of_suite: list[PolicyResults], ranked_by: str) -> list[Row]:
    """Returns the claims of a paper about the suite's baseline, in percent, beside the measured values."""
    found = {(of.case, of.policy): of for of in of_suite if of.found}
    rows: list[Row] = []
    for claim in suite.claims:
        metric = claim.metric or ranked_by
        both = [found[claim.case, name] for name in (suite.baseline, claim.than) if (claim.case, name) in found]
        where = f"{label(metric)}, in training" if claim.in_training else label(metric)
        measured = "-"
        if len(both) == 2 and (claim.in_training or all(of.has(metric) for of in both)):
            measured = _percent_less(
                *(of.last_trained(metric) if claim.in_training else of.mean(metric) for of in both)
            )
        rows.append([claim.case, where, claim.than, f"{claim.percent:g} %", measured])
    return [["case", "metric", f"{suite.baseline} better than", "in the paper", "here"], *rows]


def _percent_less(of: Estimate, than: Estimate) -> str:
    less = (than - of) / than
    value, low, high = (f"{100.0 * part:+.2f}" for part in (less.value, *less.interval))
    return f"{value} % [{low}, {high}]"


def layer_table(name: str) -> list[Row]:
    """Returns the layers of a DNN in their order, with their work, its time at `LAYER_GHZ`, and their output."""
    rows = [
        [layer.name, f"{layer.gflops:.4f}", f"{layer.gflops / LAYER_GHZ:.4f}", f"{layer.output_mbit:.3f}"]
        for layer in DNNProfile.load(name).layers
    ]
    return [["layer", "work [Gcycles]", f"time at {LAYER_GHZ:g} GHz [s]", "output [Mbit]"], *rows]


def milestone_table(suite: Suite, of_case: list[PolicyResults], ranked_by: str) -> list[Row]:
    """Returns the number of training episodes until each policy reaches the suite's milestones, for each seed.

    A milestone is reached where the mean of `SMOOTHED` rounds, with exploration, is at or below it.
    """
    means = {of.policy: of.mean(ranked_by).value for of in of_case if of.found}
    milestones: dict[str, float] = {}
    for milestone in suite.milestones:
        if not isinstance(milestone, str):
            milestones[f"{milestone:g}"] = milestone
        elif milestone in means:
            milestones[f"{milestone}'s {shown(means[milestone])}"] = means[milestone]
    rows = [
        [of.policy, of.runs, *(_reached(of, ranked_by, value) for value in milestones.values())]
        for of in sorted(filter(lambda of: of.found, of_case), key=lambda of: means[of.policy])
        if of.found[0].curve is not None
    ]
    return [["policy", "runs", *(f"{in_words(ranked_by)} of {name}" for name in milestones)], *rows]


def _reached(results: PolicyResults, metric: str, value: float) -> str:
    """Returns the training episodes of each seed until the metric is at or below a value; "-" where it never is."""
    cells: list[str] = []
    for curve in (result.curve for result in results.found if result.curve is not None):
        ends = range(SMOOTHED, len(curve[metric]) + 1)
        first = next((n for n in ends if curve[metric][n - SMOOTHED : n].mean() <= value), None)
        cells.append("-" if first is None else f"{curve['episodes'][first - 1]:.0f}")
    return ", ".join(cells)


def suite_tables(suite: Suite, of_suite: list[PolicyResults]) -> list[tuple[str, list[Row]]]:
    """Returns the suite's tables with their titles."""
    if suite.picture == "layers":
        return [(suite.shows, layer_table(suite.shows))]
    ranked_by = ranking_metric(of_suite)
    if ranked_by is None:
        return []
    cases = by_case(of_suite)
    if suite.tables == "metrics":
        return [(in_words(metric), metric_table(of_suite, metric)) for metric in suite.columns]
    tables = [(case, case_table(suite, of, ranking_metric(of) or ranked_by)) for case, of in cases.items()]
    if suite.picture == "sweep" and len(cases) > 1:
        names = list(cases)
        tables.append((f"From {names[0]} to {names[-1]}", growth_table(suite, of_suite)))
    if suite.milestones:
        tables += [
            (f"{case}: training episodes until a mean of {SMOOTHED} rounds is reached", table)
            for case, of in cases.items()
            if len(table := milestone_table(suite, of, ranking_metric(of) or ranked_by)) > 1
        ]
    if suite.claims:
        tables.append(("What the paper says", claim_table(suite, of_suite, ranked_by)))
    return tables


def markdown(table: list[Row]) -> str:
    """Returns a table as Markdown."""
    head, *rows = table
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows]) + "\n"


def aligned(table: list[Row]) -> str:
    """Returns a table for a terminal."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [row[0].ljust(widths[0]) + "".join(f"  {c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))
             for row in table]  # fmt: skip
    return "\n".join(line.rstrip() for line in lines) + "\n"


def conditions(of_suite: list[PolicyResults], *, pictured: bool = True) -> str:
    """Returns sentences on how the metrics were measured: episodes, statistics, code, and the time of training."""
    found = [result for of_policy in of_suite for result in of_policy.found]
    if not found:
        return "Computed from the profile.\n"
    sets = {(r.definition["evaluation"]["seed"], r.definition["evaluation"]["episodes"]) for r in found}
    played = " or ".join(
        f"{_or([episodes for first, episodes in sorted(sets) if first == seed])} held-out episodes from seed {seed}"
        for seed in sorted({seed for seed, _ in sets})
    )
    trained = [result.training_s for result in found if result.curve is not None]
    sentences = [
        f"Means over {played}, the same for all policies, and over training seeds.",
        "In brackets: 95% intervals of a hierarchical bootstrap, paired on the episodes; with a single seed, of the "
        "episodes alone." + (" An arrow in the picture marks a value beyond its scale." if pictured else ""),
        f"Code: {in_code(result.provenance for result in found)}.",
    ]
    if trained:
        sentences.append(f"Training took {np.median(trained) / 60:.1f} minutes (median).")
    return " ".join(sentences) + "\n"


def _or(numbers: list[int]) -> str:
    *before, last = map(str, numbers)
    return f"{', '.join(before)} or {last}" if before else last


def in_code(provenances: Iterable[Mapping[str, Any]]) -> str:
    """Returns the versions and commits of the code that made results, in words."""
    commits: dict[str, set[str]] = {}
    for provenance in provenances:
        commit, changed = provenance["commit"], " with changes" if provenance["dirty"] else ""
        names = {commit[:10] + changed} if commit else set[str]()
        names |= {trained_by[:10]} if (trained_by := provenance.get("trained_by")) else set()
        commits.setdefault(provenance["version"], set()).update(names)
    return "; ".join(
        f"version {version}" + (f", commit{'s' * (len(names) > 1)} {', '.join(sorted(names))}" if names else "")
        for version, names in sorted(commits.items())
    )


def minus(suite: Suite) -> str:
    """Returns the head of a column of differences to the baseline."""
    return f"minus {suite.baseline}'s"


def in_words(metric: str) -> str:
    """Returns a metric's name with its unit."""
    unit = unit_of(metric)
    return f"{label(metric)} [{unit}]" if unit else label(metric)


def unit_of(metric: str) -> str:
    """Returns a metric's unit; "" where it has none. The unit of a trend is per step of an episode."""
    unit = metric.rsplit("_", 1)[-1]
    written = SPELLED.get(unit, unit) if "_" in metric and unit in UNITS else ""
    return f"{written} per step".strip() if metric.startswith("trend_") else written


def with_interval(of: Estimate, sign: str = "") -> str:
    """Returns a value with four significant digits, and its interval with as many decimals."""
    decimals = len(shown(of.value).partition(".")[2])
    value, low, high = (f"{number:{sign}.{decimals}f}" for number in (of.value, *of.interval))
    return f"{value} [{low}, {high}]"


def _padded(table: list[Row]) -> list[Row]:
    return [[*row, *["-"] * (len(table[0]) - len(row))] for row in table]
