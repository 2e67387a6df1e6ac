"""Results of a leaderboard's cases: reads and checks files, and collects the results of each policy on each case."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.jobs.plan import Job, custom_policy_job, jobs_of, kept_of, options_of, problem_of
from benchmarks.leaderboard.schema import Rejected
from benchmarks.leaderboard.skill import have_references
from benchmarks.reports.policy_results import PolicyResults
from benchmarks.results import result as results
from benchmarks.results.result import Result
from benchmarks.results.stores import ResultStore, joined
from benchmarks.suites.suite import Case, CustomPolicy
from trainers.runs.tables import label
from vec_envs.files import shortened


def read_all(
    stores: Sequence[ResultStore], cases: Sequence[Case], *, reached: Callable[[int], None] = lambda number: None
) -> tuple[dict[str, Result], list[Rejected]]:
    """Returns the results in folders and files by name, and the files and lines that are left out.

    `reached` takes the number of each result before it is read.

    A file or line is left out where it is not a valid result, or where an earlier result with its name has other
    values. A custom policy must be able to play all cases of its environment.
    """
    found, rejected, places = dict[str, Result](), list[Rejected](), dict[str, ResultStore]()
    for number, (store, entry) in enumerate((of, entry) for of in stores for entry in of.entries):
        reached(number)
        try:
            result = _checked(entry.read(), cases)
            first, place = found.setdefault(entry.name, result), places.setdefault(entry.name, store)
            if not _equal_values(first, result):
                raise ValueError(f"has other values in {store.path} than in {place.path}, which is used")
            found[entry.name] = first if result is first else joined(first, result)
        except (OSError, TypeError, ValueError) as error:  # a field that an environment lacks is a TypeError
            rejected.append(Rejected(what=entry.label, why=shortened(str(error).removeprefix(f"{entry.path} "))))
    return found, rejected


def _equal_values(one: Result, other: Result) -> bool:
    """Returns whether two results have the same values up to rounding, in all metrics that both have."""
    both = [(one.values[name], other.values[name]) for name in one.values.keys() & other.values.keys()]
    return all(a.shape == b.shape and np.allclose(a, b, rtol=1e-6, equal_nan=True) for a, b in both)


def _checked(result: Result, cases: Sequence[Case]) -> Result:
    """Returns a result after checking it. Results on environments without a case are not used, and not checked.

    Raises `ValueError` or `TypeError` in these cases:

    - The environment lacks an option of the result.
    - A custom policy does not fit a case.
    - A trace is not as long as an episode.
    - The metric that ranks policies is missing, or not above 0 where skill is computed from it.
    """
    env_id, evaluation, policy = (result.definition[name] for name in ("env_id", "evaluation", "policy"))
    cases = [case for case in cases if case.env_id == env_id]
    if not cases:  # an id may name a module to import, and only the suite may cause an import
        return result
    options_of(env_id, policy.get("sees", {}))
    if "given" in policy:
        for case in cases:
            custom_policy_job(case, dict(policy))
    problem = problem_of(env_id, evaluation["env"])
    for name, trace in result.traces.items():
        if len(trace) != problem.episode_epochs and not problem.one_at_a_time:
            raise ValueError(f"its trace of {name} has {len(trace)} values, an episode {problem.episode_epochs} epochs")
    ranking = {kept_of(case, problem).metrics[0]: None for case in cases}
    if not any(metric in result.values for metric in ranking):
        raise ValueError(f"it lacks {' and '.join(ranking)}, which ranks policies")
    for metric in ranking if have_references(cases) else ():
        if metric in result.values and not (mean := result.values[metric].mean()) > 0.0:
            raise ValueError(f"its {label(metric)} is {mean:g} on average, which is not above 0")
    return result


def _is_usable(case: Case, job: Job, found: Mapping[str, Result]) -> bool:
    """Returns whether a job has a result with the metric that ranks policies and with the trends of all queues."""
    needed = (job.kept.metrics[0], *case.queues, *(f"trend_{name}" for name in case.queues))
    return job.name in found and all(name in found[job.name].values for name in needed)


@dataclass(frozen=True, kw_only=True)
class CaseResults:
    """The results of all policies on a case."""

    case: Case
    policies: tuple[PolicyResults, ...]
    """Every policy that plays the case, whether it has results or not."""

    @staticmethod
    def of(case: Case, seeds: int, found: Mapping[str, Result], custom: Mapping[str, Mapping[str, Any]]) -> CaseResults:
        """Returns the results of the case's own policies and of custom policies.

        Args:
            case: The case.
            seeds: The expected number of training seeds.
            found: Results by name, of this and other cases.
            custom: Definitions of custom policies that are not in the suite, by name.
        """
        jobs = {policy.name: jobs_of(case, policy, seeds) for policy in case.policies}
        jobs |= {name: [custom_policy_job(case, definition)] for name, definition in custom.items()}
        return CaseResults(
            case=case,
            policies=tuple(
                PolicyResults(
                    case=case.name,
                    x=case.x,
                    policy=policy,
                    kept=of_policy[0].kept,
                    expected=tuple(job.name for job in of_policy),
                    found=tuple(found[job.name] for job in of_policy if _is_usable(case, job, found)),
                )
                for policy, of_policy in jobs.items()
                if of_policy  # a custom policy of the suite may not play this environment
            ),
        )

    @functools.cached_property
    def found(self) -> dict[str, PolicyResults]:
        """The policies with results, by name."""
        return {of_policy.policy: of_policy for of_policy in self.policies if of_policy.found}


def custom_policies(found: Mapping[str, Result], cases: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """Returns the definitions of custom policies that have results on the cases' environment, by name.

    Policies of the cases themselves are left out. Policies that share a name are distinguished by a hash of their
    definition.
    """
    env_ids = {case.env_id for case in cases}
    own = {policy.source for case in cases for policy in case.policies if isinstance(policy, CustomPolicy)}
    used = [result for result in found.values() if result.definition["env_id"] in env_ids]
    definitions = [dict(result.definition["policy"]) for result in used]
    by_key = {
        results.key_of(definition): definition
        for definition in definitions
        if "given" in definition and definition["given"] not in own
    }
    sources = [definition["given"] for definition in by_key.values()]

    def name_of(key: str, source: str) -> str:
        return source if sources.count(source) == 1 else f"{source} ({key[:6]})"

    return {name_of(key, definition["given"]): definition for key, definition in by_key.items()}
