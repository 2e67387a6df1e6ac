"""The results of a policy on a case: the expected ones, one for each training seed, and those that are found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from benchmarks.jobs.plan import Job, jobs_of
from benchmarks.results import format1
from benchmarks.results import result as results
from benchmarks.results.kept import Kept
from benchmarks.results.result import Result
from benchmarks.results.statistics import Estimate, estimate, grows
from benchmarks.results.stores import ResultStore
from benchmarks.suites.suite import Suite

DECISIONS = "decisions"
"""The name of the metric for the number of decisions in an episode."""


@dataclass(frozen=True, kw_only=True)
class PolicyResults:
    """A policy on a case, with its results."""

    case: str
    x: float
    """The position of the case on the x axis of a picture."""
    policy: str
    kept: Kept
    """The metrics that the case asks for. A result may lack some of them, but not the first."""
    expected: tuple[str, ...]
    """The names of the results that are expected, one for each training seed."""
    found: tuple[Result, ...]

    @property
    def ranked_by(self) -> str:
        """The metric that ranks policies: the first of the case."""
        return self.kept.metrics[0]

    @property
    def runs(self) -> str:
        """The number of training seeds in words; "" for a policy without learning that is complete."""
        found, expected = len(self.found), len(self.expected)
        learns = any("-seed" in name for name in self.expected)
        if found < expected:
            return f"{found} of {expected} {'seeds' if learns else 'draws'}" if expected > 1 else "missing"
        return ("1 seed" if expected == 1 else f"{expected} seeds") if learns else ""

    @property
    def warnings(self) -> list[str]:
        """The warnings of the policy while it played, each once."""
        return list(dict.fromkeys(text for result in self.found for text in result.warnings))

    @property
    def warned(self) -> str:
        """The first warning, with the number of the others."""
        first, *more = self.warnings
        return f"{first} (and {len(more)} more)" if more else first

    def has(self, metric: str) -> bool:
        """Returns whether there are results, and all of them have a metric."""
        return bool(self.found) and all(metric == DECISIONS or metric in result.values for result in self.found)

    def values(self, metric: str) -> Float[np.ndarray, "seeds episodes"]:
        """Returns a metric of each episode: its mean over the decisions, or the number of decisions."""
        if metric == DECISIONS:
            return np.stack([result.decisions.astype(np.float64) for result in self.found])
        return np.stack([result.values[metric] for result in self.found])

    def mean(self, metric: str, *, widened: bool = True) -> Estimate:
        """Returns the mean of a metric over seeds and episodes."""
        return estimate(self.values(metric), name=self._bootstrap, widened=widened)

    def grows(self, queue: str) -> bool:
        """Returns whether a queue of these results grows, judged on all runs together. Its trend must be kept."""
        slope, epochs = self.mean(f"trend_{queue}"), float(self.values(DECISIONS).mean())
        return grows(slope, mean=float(self.values(queue).mean()), epochs=epochs)

    def last_trained(self, metric: str) -> Estimate:
        """Returns the mean of a metric over seeds and the last tenth of their learning curves."""
        curves = [result.curve[metric] for result in self.found if result.curve is not None]
        tail = max(1, min(map(len, curves)) // 10)
        return estimate(np.stack([curve[-tail:] for curve in curves]), name=self._bootstrap)

    def ratio(self, of: str, to: str) -> Estimate:
        """Returns the ratio of the sums of two metrics over all decisions.

        Raises `ValueError` where a sum of the divisor is not above 0 in a draw of the bootstrap.
        """
        decisions = np.stack([result.decisions for result in self.found])
        return estimate(self.values(of) * decisions, name=self._bootstrap, to=self.values(to) * decisions)

    @property
    def _bootstrap(self) -> str:
        """The name that seeds the bootstrap's draws of training seeds: a hash of the training and the case.

        The hash is the one of result format 1, which includes the metrics. So published intervals do not change.
        """
        definition = format1.definition_of(self.found[0].definition, self.kept)
        policy = {name: value for name, value in definition["policy"].items() if name != "seed"}
        return results.key_of({**definition, "policy": policy})


def run_grows(queue: str, result: Result) -> bool:
    """Returns whether a queue grows in the episodes of one run. Its trend must be kept."""
    slope = estimate(result.values[f"trend_{queue}"][None], name=queue)
    mean, epochs = float(result.values[queue].mean()), float(result.decisions.mean())
    return grows(slope, mean=mean, epochs=epochs)


def collect(suite: Suite, seeds: int, *stores: ResultStore) -> list[PolicyResults]:
    """Returns the results of a suite's policies on its cases. A policy has none on a case that it does not play.

    Args:
        suite: The suite.
        seeds: The number of training seeds that are expected.
        stores: Where results are looked for. The first result with all metrics of the case is taken, or else the first
            one. A result that cannot be read, or that lacks the metric that ranks policies, is missing.
    """
    return [
        policy_results(case.name, case.x, policy.name, jobs, *stores)
        for case in suite.cases
        for policy in case.policies
        if (jobs := jobs_of(case, policy, seeds))
    ]


def policy_results(case: str, x: float, policy: str, jobs: list[Job], *stores: ResultStore) -> PolicyResults:
    """Returns the results of the jobs of a policy on a case."""
    found = (_found(job, stores) for job in jobs)
    return PolicyResults(
        case=case,
        x=x,
        policy=policy,
        kept=jobs[0].kept if jobs else Kept(),
        expected=tuple(job.name for job in jobs),
        found=tuple(result for result in found if result is not None),
    )


def _found(job: Job, stores: tuple[ResultStore, ...]) -> Result | None:
    in_stores = (store.find(job.name) for store in stores)
    found = [result for result in in_stores if result is not None and job.kept.metrics[0] in result.values]
    whole = (result for result in found if not result.kept.lacking(job.kept))
    return next(whole, found[0] if found else None)


def ranking_metric(of_suite: list[PolicyResults]) -> str | None:
    """Returns the metric that ranks policies; None where there are no results."""
    return next((of_policy.ranked_by for of_policy in of_suite if of_policy.found), None)


def by_case(of_suite: list[PolicyResults]) -> dict[str, list[PolicyResults]]:
    """Returns the results of each case."""
    cases = dict.fromkeys(of_policy.case for of_policy in of_suite)
    return {case: [of_policy for of_policy in of_suite if of_policy.case == case] for case in cases}
