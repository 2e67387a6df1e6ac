"""A policy on a case, with its results: those of all its seeds that there should be, and those that there are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from benchmarks.jobs.plan import jobs_of
from benchmarks.results import result as results
from benchmarks.results.result import Result
from benchmarks.results.statistics import Estimate, estimate
from benchmarks.suites.suite import Suite

DECISIONS = "decisions"
"""The figure that is how many decisions an episode had."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A policy on a case: the results that there should be, by name, and those that there are."""

    case: str
    x: float
    policy: str
    expected: tuple[str, ...]
    found: tuple[Result, ...]

    @property
    def runs(self) -> str:
        """How complete it is, in words."""
        there, wanted = len(self.found), len(self.expected)
        learns = any("-seed" in name for name in self.expected)
        if there < wanted:
            return f"{there} of {wanted} seeds" if learns else "missing"
        return ("1 seed" if wanted == 1 else f"{wanted} seeds") if learns else ""

    @property
    def warnings(self) -> list[str]:
        """What the policy warned of while it played, each once."""
        return list(dict.fromkeys(text for result in self.found for text in result.warnings))

    @property
    def warned(self) -> str:
        """The first of its warnings, and how many more there are."""
        first, *more = self.warnings
        return f"{first} (and {len(more)} more)" if more else first

    def values(self, figure: str) -> Float[np.ndarray, "seeds episodes"]:
        """Returns a figure of each seed's episodes: means over an episode's decisions, or the number of these."""
        if figure == DECISIONS:
            return np.stack([result.decisions.astype(np.float64) for result in self.found])
        return np.stack([result.values[figure] for result in self.found])

    def mean(self, figure: str, *, widened: bool = True) -> Estimate:
        """Returns the mean over seeds and episodes."""
        return estimate(self.values(figure), name=self._stream, widened=widened)

    def last_trained(self, figure: str) -> Estimate:
        """Returns the mean over seeds and the last tenth of their learning curves."""
        curves = [result.curve[figure] for result in self.found if result.curve is not None]
        tail = max(1, min(map(len, curves)) // 10)
        return estimate(np.stack([curve[-tail:] for curve in curves]), name=self._stream)

    def ratio(self, of: str, to: str) -> Estimate:
        """Returns the ratio of the sums over all decisions. Raises `ValueError` where the divisor may be 0."""
        decisions = np.stack([result.decisions for result in self.found])
        return estimate(self.values(of) * decisions, name=self._stream, to=self.values(to) * decisions)

    @property
    def _stream(self) -> str:
        """What the results have in common: who was trained on what, whatever a suite calls it."""
        definition = self.found[0].definition
        of_all = {name: value for name, value in definition["policy"].items() if name != "seed"}
        return results.key_of({**definition, "policy": of_all})


def collect(suite: Suite, seeds: int, *folders: Path) -> list[Line]:
    """Returns a suite's lines with the results in the first folder that has them; unreadable ones count as missing."""
    lines: list[Line] = []
    for case in suite.cases:
        for policy in case.policies:
            names = tuple(job.name for job in jobs_of(case, policy, seeds))
            there = (next(filter(None, (readable(f / f"{name}.json") for f in folders)), None) for name in names)
            found = tuple(result for result in there if result is not None)
            lines.append(Line(case=case.name, x=case.x, policy=policy.name, expected=names, found=found))
    return lines


def readable(path: Path) -> Result | None:
    """Returns the result in a file; None where there is none, or one that cannot be read."""
    try:
        return results.read(path)
    except (OSError, ValueError):
        return None


def first_figure(lines: list[Line]) -> str | None:
    """Returns the figure by which policies are ranked; None where there are no results."""
    return next((result.ranked_by for line in lines for result in line.found), None)


def by_case(lines: list[Line]) -> dict[str, list[Line]]:
    """Returns the lines of each case."""
    return {case: [line for line in lines if line.case == case] for case in dict.fromkeys(line.case for line in lines)}
