"""What results say of a suite, in tables: means with 95% intervals, and differences to a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from benchmarks.reports.policy_results import Line, by_case, first_figure
from benchmarks.results.statistics import Estimate
from benchmarks.suites.suite import Suite
from trainers.evaluate import UNITS, label, shown
from vec_envs.dnn import DNNProfile

Row = list[str]
SPELLED = {"j": "J", "w": "W", "ghz": "GHz", "gcycles": "Gcycles", "mbit": "Mbit", "mbps": "Mbit/s", "gb": "GB"}
"""Units as they are written."""
SMOOTHED = 5
"""Rounds of training whose mean is looked at."""
LAYER_GHZ = 5.0
"""The mean speed of a client of MAD2RL."""


def case_table(suite: Suite, lines: list[Line], ranked_by: str) -> list[Row]:
    """Returns the table of a case, its head first, the best policy on top and those without results below."""
    found = {line.policy: line for line in lines if line.found}
    baseline = found.get(suite.baseline)
    kept = [result.values for line in lines for result in line.found]
    asked = dict.fromkeys([ranked_by, *suite.columns])
    figures = [figure for figure in asked if all(figure in values for values in kept)]
    compared = list(dict.fromkeys([ranked_by, *suite.compared])) if suite.baseline else []
    head = ["policy", "runs", *map(in_words, figures), *(f"{label(figure)} {minus(suite)}" for figure in compared)]
    head += [f"{label(ranked_by)} {minus(suite)}, plain bootstrap"] if suite.plain else []
    head += [f"times {name}'s" for name in suite.times]
    rows: list[Row] = []
    for line in sorted(filter(lambda line: line.found, lines), key=lambda line: line.mean(ranked_by).value):
        row = [line.policy, line.runs, *(with_interval(line.mean(figure)) for figure in figures)]
        row += [_difference(line, baseline, figure) for figure in compared]
        row += [_difference(line, baseline, ranked_by, widened=False)] if suite.plain else []
        row += [_times(line, found.get(name), ranked_by) for name in suite.times]
        rows.append(row + _ratio_cells(suite, line, baseline))
    rows += [[line.policy, line.runs] for line in lines if not line.found]
    return _padded([head + ([suite.ratio.head, minus(suite)] if suite.ratio else []), *rows])


def _difference(line: Line, baseline: Line | None, figure: str, *, widened: bool = True) -> str:
    if baseline is None or line is baseline:
        return "-"
    return with_interval(line.mean(figure, widened=widened) - baseline.mean(figure, widened=widened), sign="+")


def _times(line: Line, other: Line | None, figure: str) -> str:
    if other is None or line is other or other.mean(figure).draws.min() <= 0.0:
        return "-"
    return with_interval(line.mean(figure) / other.mean(figure))


def _ratio_cells(suite: Suite, line: Line, baseline: Line | None) -> Row:
    """Returns the suite's ratio and how it differs from the baseline's; nothing where the suite has none."""
    if suite.ratio is None:
        return []
    try:
        ratio = line.ratio(suite.ratio.of, suite.ratio.to)
        if baseline is None or line is baseline:
            return [with_interval(ratio), "-"]
        return [with_interval(ratio), with_interval(ratio - baseline.ratio(suite.ratio.of, suite.ratio.to), sign="+")]
    except ValueError:
        return ["-", "-"]


def figure_table(lines: list[Line], figure: str) -> list[Row]:
    """Returns the table of a figure, a column for each case, the policies that are least on the last one on top."""
    cases = by_case(lines)
    found = {(line.policy, line.case): line for line in lines if line.found}
    last = list(cases)[-1]

    def rank(policy: str) -> float:
        return found[policy, last].mean(figure).value if (policy, last) in found else np.inf

    rows: list[Row] = []
    for policy in sorted(dict.fromkeys(line.policy for line in lines), key=rank):
        row = [found.get((policy, case)) for case in cases]
        rows.append([policy, *("-" if line is None else with_interval(line.mean(figure)) for line in row)])
    return [["policy", *cases], *rows]


def growth_table(suite: Suite, lines: list[Line]) -> list[Row]:
    """Returns by how much the suite's figure grows from its first case to its last, the least on top."""
    cases = list(by_case(lines).values())
    ends = [{line.policy: line for line in case if line.found} for case in (cases[0], cases[-1])]
    grown = {
        name: ends[1][name].mean(suite.shows) - line.mean(suite.shows)
        for name, line in ends[0].items()
        if name in ends[1]
    }
    head = ["policy", f"growth of the {in_words(suite.shows)}", minus(suite)]
    baseline = grown.get(suite.baseline)
    rows: list[Row] = []
    for name, growth in sorted(grown.items(), key=lambda item: item[1].value):
        less = "-" if baseline is None or growth is baseline else with_interval(growth - baseline, sign="+")
        rows.append([name, with_interval(growth, sign="+"), less])
    return [head, *rows]


def claim_table(suite: Suite, lines: list[Line], ranked_by: str) -> list[Row]:
    """Returns what a paper says of the suite's baseline, in per cent, beside what was measured."""
    found = {(line.case, line.policy): line for line in lines if line.found}
    rows: list[Row] = []
    for claim in suite.claims:
        figure = claim.figure or ranked_by
        both = [found[claim.case, name] for name in (suite.baseline, claim.than) if (claim.case, name) in found]
        means = [line.last_trained(figure) if claim.in_training else line.mean(figure) for line in both]
        where = f"{label(figure)}, in training" if claim.in_training else label(figure)
        here = _percent_less(*means) if len(means) == 2 else "-"
        rows.append([claim.case, where, claim.than, f"{claim.percent:g} %", here])
    return [["case", "figure", f"{suite.baseline} better than", "in the paper", "here"], *rows]


def _percent_less(of: Estimate, than: Estimate) -> str:
    less = (than - of) / than
    value, low, high = (f"{100.0 * part:+.2f}" for part in (less.value, *less.interval))
    return f"{value} % [{low}, {high}]"


def layer_table(name: str) -> list[Row]:
    """Returns the layers of a DNN, the first on top: their work, how long it takes, and what they send on."""
    rows = [
        [layer.name, f"{layer.gflops:.4f}", f"{layer.gflops / LAYER_GHZ:.4f}", f"{layer.output_mbit:.3f}"]
        for layer in DNNProfile.load(name).layers
    ]
    return [["layer", "work [Gcycles]", f"time at {LAYER_GHZ:g} GHz [s]", "output [Mbit]"], *rows]


def milestone_table(suite: Suite, lines: list[Line], ranked_by: str) -> list[Row]:
    """Returns after how many training episodes each policy has reached the suite's milestones, seed by seed.

    Reached is one where the mean of `SMOOTHED` rounds, exploration included, is at or below it.
    """
    means = {line.policy: line.mean(ranked_by).value for line in lines if line.found}
    wanted: dict[str, float] = {}
    for of in suite.milestones:
        if not isinstance(of, str):
            wanted[f"{of:g}"] = of
        elif of in means:
            wanted[f"{of}'s {shown(means[of])}"] = means[of]
    rows = [
        [line.policy, line.runs, *(_reached(line, ranked_by, value) for value in wanted.values())]
        for line in sorted(filter(lambda line: line.found, lines), key=lambda line: means[line.policy])
        if line.found[0].curve is not None
    ]
    return [["policy", "runs", *(f"{in_words(ranked_by)} of {of}" for of in wanted)], *rows]


def _reached(line: Line, figure: str, value: float) -> str:
    """Returns the episodes of the seeds in their order, "-" for one that never is so low."""
    cells: list[str] = []
    for curve in (result.curve for result in line.found if result.curve is not None):
        ends = range(SMOOTHED, len(curve[figure]) + 1)
        first = next((n for n in ends if curve[figure][n - SMOOTHED : n].mean() <= value), None)
        cells.append("-" if first is None else f"{curve['episodes'][first - 1]:.0f}")
    return ", ".join(cells)


def suite_tables(suite: Suite, lines: list[Line]) -> list[tuple[str, list[Row]]]:
    """Returns the suite's tables with their titles."""
    if suite.picture == "layers":
        return [(suite.shows, layer_table(suite.shows))]
    ranked_by = first_figure(lines)
    if ranked_by is None:
        return []
    cases = by_case(lines)
    if suite.tables == "figures":
        return [(in_words(figure), figure_table(lines, figure)) for figure in suite.columns]
    tables = [(case, case_table(suite, of_case, first_figure(of_case) or ranked_by)) for case, of_case in cases.items()]
    if suite.picture == "sweep" and len(cases) > 1:
        names = list(cases)
        tables.append((f"From {names[0]} to {names[-1]}", growth_table(suite, lines)))
    if suite.milestones:
        tables += [
            (f"{case}: training episodes until a mean of {SMOOTHED} rounds is reached", table)
            for case, of_case in cases.items()
            if len(table := milestone_table(suite, of_case, first_figure(of_case) or ranked_by)) > 1
        ]
    if suite.claims:
        tables.append(("What the paper says", claim_table(suite, lines, ranked_by)))
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


def conditions(lines: list[Line], *, pictured: bool = True) -> str:
    """Returns how the figures were had: episodes, statistics, and the code and machines of the results."""
    found = [result for line in lines for result in line.found]
    if not found:
        return "Computed from the profile.\n"
    of = {(r.definition["evaluation"]["seed"], r.definition["evaluation"]["episodes"]) for r in found}
    played = " or ".join(
        f"{_or([episodes for first, episodes in sorted(of) if first == seed])} held-out episodes from seed {seed}"
        for seed in sorted({seed for seed, _ in of})
    )
    trained = [result.training_s for result in found if result.curve is not None]
    sentences = [
        f"Means over {played}, the same for all policies, and over training seeds.",
        "In brackets: 95% intervals of a hierarchical bootstrap, paired on the episodes; with a single seed, of the "
        "episodes alone." + (" In the picture an arrow stands for a value that is beyond it." if pictured else ""),
        f"Code: {in_code(result.provenance for result in found)}.",
    ]
    if trained:
        sentences.append(f"Training took {np.median(trained) / 60:.1f} minutes (median).")
    return " ".join(sentences) + "\n"


def _or(numbers: list[int]) -> str:
    *before, last = map(str, numbers)
    return f"{', '.join(before)} or {last}" if before else last


def in_code(of: Iterable[Mapping[str, Any]]) -> str:
    """Returns in words what code results of these provenances are of."""
    commits: dict[str, set[str]] = {}
    for provenance in of:
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


def in_words(figure: str) -> str:
    """Returns a figure's name with its unit."""
    unit = unit_of(figure)
    return f"{label(figure)} [{unit}]" if unit else label(figure)


def unit_of(figure: str) -> str:
    """Returns a figure's unit as it is written; "" where it has none. A trend is by the steps of an episode."""
    unit = figure.rsplit("_", 1)[-1]
    written = SPELLED.get(unit, unit) if "_" in figure and unit in UNITS else ""
    return f"{written} per step".strip() if figure.startswith("trend_") else written


def with_interval(of: Estimate, sign: str = "") -> str:
    """Returns a value and its interval, with as many decimals as the value's own four digits have."""
    decimals = len(shown(of.value).partition(".")[2])
    value, low, high = (f"{number:{sign}.{decimals}f}" for number in (of.value, *of.interval))
    return f"{value} [{low}, {high}]"


def _padded(table: list[Row]) -> list[Row]:
    return [[*row, *["-"] * (len(table[0]) - len(row))] for row in table]
