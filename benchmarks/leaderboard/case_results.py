"""What results a leaderboard's cases have: files read and checked, and a case with the lines of all who play it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jobs.plan import given_job, jobs_of, options_of, problem_of
from benchmarks.leaderboard.schema import Rejected
from benchmarks.report import INDEX
from benchmarks.reports.policy_results import Line
from benchmarks.results import result as results
from benchmarks.results.result import Result
from benchmarks.suites.suite import Case
from trainers.evaluate import label


def read_all(folders: Sequence[Path], cases: Sequence[Case]) -> tuple[dict[str, Result], list[Rejected]]:
    """Returns the results of folders by name, and files that are none, or that differ from one of their name.

    Results of other people's policies are those that can play all cases of their environment.
    """
    there, rejected = dict[str, Result](), list[Rejected]()
    for path in (path for folder in folders for path in sorted(folder.glob("*.json*"))):
        if path.name == INDEX:  # of a page beside which results were published
            continue
        try:
            result = _checked(results.read(path), cases)
            first = there.setdefault(path.stem, result)
            if not _same(first, result):
                raise ValueError(f"in {path.parent} has other values than in {first.path.parent}, which count")
        except (OSError, TypeError, ValueError) as error:  # a field that an environment lacks is a TypeError
            rejected.append(Rejected(what=path.name, why=str(error).removeprefix(f"{path} ")))
    return there, rejected


def _same(one: Result, other: Result) -> bool:
    """Returns whether two results of a name are of the same episodes, up to rounding."""
    return one.values.keys() == other.values.keys() and all(
        of.shape == other.values[name].shape and np.allclose(of, other.values[name], rtol=1e-6, equal_nan=True)
        for name, of in one.values.items()
    )


def _checked(result: Result, cases: Sequence[Case]) -> Result:
    """Returns a result.

    Raises `ValueError` or `TypeError` where it is of an environment, or sees by fields, that do not exist or do not fit
    a case, a trace is not of all points of an episode, or what it is ranked by is not above 0.
    """
    env_id, of, who = result.definition["env_id"], result.definition["evaluation"], result.definition["policy"]
    options_of(env_id, who.get("sees", {}))
    for case in (case for case in cases if "given" in who and case.env_id == env_id):
        given_job(case, dict(who))
    problem = problem_of(env_id, of["env"])
    for name, trace in result.traces.items():
        if len(trace) != problem.episode_epochs and not problem.one_at_a_time:
            raise ValueError(f"its trace of {name} has {len(trace)} points, an episode {problem.episode_epochs}")
    if not (mean := result.values[figure := result.ranked_by].mean()) > 0.0:
        raise ValueError(f"its {label(figure)} is {mean:g} on average, which is not above 0")
    return result


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A case and the lines of all who play it, with or without results."""

    case: Case
    lines: tuple[Line, ...]

    @staticmethod
    def of(case: Case, seeds: int, there: Mapping[str, Result]) -> Stage:
        """Returns a case with the suite's policies and those of other people that have results on any case."""
        lines = [
            _line(case, policy.name, [job.name for job in jobs_of(case, policy, seeds)], there)
            for policy in case.policies
        ]
        for name, who in given_policies(there, case.env_id).items():
            lines.append(_line(case, name, [given_job(case, who).name], there))
        return Stage(case=case, lines=tuple(lines))

    @functools.cached_property
    def found(self) -> dict[str, Line]:
        """The lines with results, by policy."""
        return {line.policy: line for line in self.lines if line.found}


def given_policies(there: Mapping[str, Result], env_id: str) -> dict[str, dict[str, Any]]:
    """Returns other people's policies that have results on an environment, by name.

    Of the same name one is told by a hash of what defines it too.
    """
    known = {
        results.key_of(who): who
        for result in there.values()
        if "given" in (who := dict(result.definition["policy"])) and result.definition["env_id"] == env_id
    }
    sources = [who["given"] for who in known.values()]
    return {
        who["given"] if sources.count(who["given"]) == 1 else f"{who['given']} ({key[:6]})": who
        for key, who in known.items()
    }


def _line(case: Case, policy: str, names: list[str], there: Mapping[str, Result]) -> Line:
    found = tuple(there[name] for name in names if name in there)
    return Line(case=case.name, x=case.x, policy=policy, expected=tuple(names), found=found)
