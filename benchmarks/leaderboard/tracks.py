"""A track of a leaderboard: the ranking of policies over the cases of an environment, and its plots.

Policies are ranked by their mean skill over the cases that are ranked: those in which the seer is at least 10 % below
the best blind policy. The other cases replicate a paper's setting: they have tables, and no ranks. Where the blind
policies and the seer of no case are known, policies are ranked by the mean of the first metric over all cases.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from benchmarks.leaderboard.aggregates import aggregates, improvements, interval, mean_of, profiles
from benchmarks.leaderboard.case_boards import case_board, decision_ms, head_of
from benchmarks.leaderboard.case_results import CaseResults
from benchmarks.leaderboard.plots import curve_plot, queue_plots
from benchmarks.leaderboard.schema import Entry, Head, Improvement, Interval, Kind, Plot, Rejected, Track
from benchmarks.leaderboard.skill import Scale, grows, have_references, run_skills, scale_of
from benchmarks.reports.policy_results import PolicyResults
from benchmarks.results.result import Result
from benchmarks.suites.suite import Learned, Reference
from trainers.runs.tables import shown

MOST_NAMED = 2
"""The largest number of cases that a note names one by one."""


@dataclass(frozen=True, kw_only=True)
class CaseOfTrack:
    """The results of a case, and the scale of skill on it."""

    results: CaseResults
    scale: Scale | None
    """None in a track whose references are not known."""

    @property
    def is_ranked(self) -> bool:
        """Whether the case counts for the ranking."""
        return self.scale is None or self.scale.is_ranked

    @property
    def metric(self) -> str:
        """The metric that ranks policies on the case."""
        return next(iter(self.results.found.values())).ranked_by

    def run_values(self, name: str) -> Float[np.ndarray, "runs"]:
        """Returns a value of each run of a policy, the greater the better: its skill, or minus its metric."""
        results = self.results.found[name]
        if self.scale is not None:
            return run_skills(self.scale, results)
        return -results.values(self.metric).mean(axis=1)


@dataclass(frozen=True, kw_only=True)
class TrackResults:
    """The results of an environment's cases, for its ranking."""

    env_id: str
    cases: tuple[CaseOfTrack, ...]
    """The cases that can be shown."""
    left_out: tuple[Rejected, ...]
    """The cases that cannot be shown, and the reasons."""
    has_skill: bool
    """Whether the blind policies and the seer of any case are known, so that policies are ranked by skill."""
    suite: str
    """The suite's name on a command line."""
    seeds: int

    @staticmethod
    def of(env_id: str, results: Sequence[CaseResults], *, suite: str, seeds: int) -> TrackResults:
        """Returns the cases of an environment, each with its scale."""
        has_skill = have_references([of_case.case for of_case in results])
        cases, left_out = list[CaseOfTrack](), list[Rejected]()
        for of_case in results:
            try:
                if not of_case.found:
                    raise ValueError(f"the case {of_case.case.name!r} has no results")
                scale = scale_of(of_case.case, of_case.found) if has_skill else None
                cases.append(CaseOfTrack(results=of_case, scale=scale))
            except ValueError as error:
                left_out.append(Rejected(what=of_case.case.name, why=str(error)))
        return TrackResults(
            env_id=env_id, cases=tuple(cases), left_out=tuple(left_out), has_skill=has_skill, suite=suite, seeds=seeds
        )

    @property
    def ranked(self) -> tuple[CaseOfTrack, ...]:
        """The cases that count for the ranking; without known references, those with the metric of the first one."""
        return tuple(case for case in self.cases if self._counts(case))

    def _counts(self, case: CaseOfTrack) -> bool:
        return case.is_ranked and (self.has_skill or case.metric == self.cases[0].metric)

    @cached_property
    def names(self) -> list[str]:
        """The policies that have results on any case, or are in the suite, in the order of the suite."""
        everybody = [of_policy for case in self.cases for of_policy in case.results.policies]
        with_results = {of_policy.policy for of_policy in everybody if of_policy.found}
        return [
            name
            for name in dict.fromkeys(of_policy.policy for of_policy in everybody)
            if name in with_results or self.kind_of(name) != "custom"
        ]

    @cached_property
    def complete(self) -> list[str]:
        """The policies that have all their results on all ranked cases."""
        if self.left_out or not self.ranked:
            return []
        return [name for name in self.names if all(_is_complete(case.results.found.get(name)) for case in self.ranked)]

    def run_values(self, name: str) -> Float[np.ndarray, "runs cases"]:
        """Returns the values of each run on all ranked cases; of the first runs, where a case has more than another."""
        values = [case.run_values(name) for case in self.ranked]
        count = min(map(len, values))
        return np.stack([of_case[:count] for of_case in values], axis=1)

    def ranked_results(self, name: str) -> list[tuple[CaseOfTrack, PolicyResults]]:
        """Returns a policy's results on each ranked case that it plays."""
        return [(case, of_policy) for case, of_policy in self.of_policy(name) if self._counts(case)]

    def of_policy(self, name: str) -> list[tuple[CaseOfTrack, PolicyResults]]:
        """Returns a policy's results on each case that it plays."""
        return [
            (case, of_policy) for case in self.cases for of_policy in case.results.policies if of_policy.policy == name
        ]

    def kind_of(self, name: str) -> Kind:
        """Returns the kind of a policy."""
        policies = [policy for case in self.cases for policy in case.results.case.policies if policy.name == name]
        if any(isinstance(policy, Learned) for policy in policies):
            return "learned"
        return "reference" if any(isinstance(policy, Reference) for policy in policies) else "custom"


def track_of(results: TrackResults, *, title: str, sweeps: Sequence[Plot]) -> Track:
    """Returns a track with its ranking and plots. `sweeps` are plots of trade-offs on the same environment."""
    values = {name: results.run_values(name) for name in results.complete}
    skills = aggregates(values) if values and results.has_skill else {}
    entries = [_with_rank_value(_entry(name, results), results, skills) for name in results.names]
    ranked = [entry.name for entry in sorted(entries, key=_order) if entry.name in values]
    pairs = improvements({name: values[name] for name in ranked}) if len(ranked) > 1 else {}
    return Track(
        env_id=results.env_id,
        title=title,
        metric=None if results.has_skill else _metric_head(results),
        entries=_with_ranks(entries),
        cases=tuple(case_board(case.results, case.scale) for case in results.cases),
        cases_left_out=len(results.left_out),
        profiles=Plot(
            title="Performance profiles",
            x_label="skill",
            y_label="share of runs above it",
            lines=profiles({name: values[name] for name in ranked}) if ranked and results.has_skill else (),
        ),
        improvements=tuple(
            Improvement(better=better, than=than, probability=of) for (better, than), of in pairs.items()
        ),
        curves=tuple(
            plot
            for case in results.cases
            if not case.results.case.unseen
            if (plot := curve_plot(case.results.case, list(case.results.found.values())))
        ),
        queues=tuple(plot for case in results.cases for plot in queue_plots(case.results.case, _settled(case.results))),
        sweeps=tuple(sweeps),
    )


def _metric_head(results: TrackResults) -> Head | None:
    """Returns the head of the metric that ranks policies; None without cases."""
    return head_of(results.ranked[0].metric) if results.ranked else None


def _settled(results: CaseResults) -> list[PolicyResults]:
    """Returns the results of the policies whose queues do not grow."""
    return [of_policy for of_policy in results.found.values() if not grows(results.case, of_policy)]


def _is_complete(results: PolicyResults | None) -> bool:
    return results is not None and len(results.found) == len(results.expected)


# Ranks ----------------------------------------------------------------------------------------------------------------


def _with_rank_value(entry: Entry, results: TrackResults, skills: Mapping[str, Mapping[str, Interval]]) -> Entry:
    """Returns an entry with its skill, or with its metric where references are not known; neither if incomplete."""
    if entry.name not in results.complete:
        return entry
    of_cases = results.ranked_results(entry.name)
    if results.has_skill:
        return replace(entry, skill=skills[entry.name], times_seer=_times_seer(of_cases))
    return replace(entry, metric=interval(mean_of([of_policy.mean(case.metric) for case, of_policy in of_cases])))


def _times_seer(of_cases: Sequence[tuple[CaseOfTrack, PolicyResults]]) -> float:
    """Returns the geometric mean over cases of a policy's metric divided by the seer's."""
    logarithms = [
        (1.0 - case.scale.skill(case.scale.mean(of_policy).value)) * case.scale.room.value
        for case, of_policy in of_cases
        if case.scale is not None
    ]
    return float(np.exp(np.mean(logarithms)))


def _rank_value(entry: Entry) -> float | None:
    """Returns the number that ranks an entry, less is better; None for an entry that is not ranked."""
    if entry.skill:
        return -entry.skill["mean"][0]
    return None if entry.metric is None else entry.metric[0]


def _order(entry: Entry) -> tuple[bool, bool, float]:
    """Returns a key that sorts stable entries first, then by skill; entries without a rank come last."""
    value = _rank_value(entry)
    return value is None, not entry.stable, value or 0.0


def _with_ranks(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Returns the entries in their order with ranks. Entries whose printed values are equal share a rank."""
    ranked: list[Entry] = []
    for n, entry in enumerate(sorted(entries, key=_order), start=1):
        above = ranked[-1] if ranked else None
        tied = above is not None and above.stable == entry.stable and _printed(above) == _printed(entry)
        rank = above.rank if above is not None and tied else n
        ranked.append(replace(entry, rank=None if _rank_value(entry) is None else rank))
    return tuple(ranked)


def _printed(entry: Entry) -> float | str | None:
    if entry.skill:
        return round(entry.skill["mean"][0], 3)
    return None if entry.metric is None else shown(entry.metric[0])


# Entries --------------------------------------------------------------------------------------------------------------


def _entry(name: str, results: TrackResults) -> Entry:
    """Returns a policy's entry, without skill and rank."""
    of_policy, kind = results.of_policy(name), results.kind_of(name)
    ranked = results.ranked_results(name)
    found = [result for _, of_case in of_policy for result in of_case.found]
    growing = [of_case.case for case, of_case in ranked if of_case.found and grows(case.results.case, of_case)]
    seeds = f" --seeds {results.seeds}" if kind == "learned" else ""
    return Entry(
        name=name,
        kind=kind,
        rank=None,
        stable=not growing,
        note="; ".join(_notes(name, results, growing)),
        seeds=max((len(of_case.found) for _, of_case in of_policy), default=0),
        decision_ms=decision_ms(found),
        options=_options(found),
        command=f"python -m benchmarks.run {shlex.quote(results.suite)} "
        f"--policies {shlex.quote(name.partition(' (')[0])}{seeds}",
    )


def _notes(name: str, results: TrackResults, growing: Sequence[str]) -> list[str]:
    """Returns the remarks on a policy: growing queues, why it is not ranked, and warnings."""
    of_policy, ranked = results.of_policy(name), results.ranked_results(name)
    plays = {of_case.case for _, of_case in ranked}
    cases = [case.results.case.name for case in results.ranked]
    missing = [f"{of_case.case} ({of_case.runs or 'missing'})" for _, of_case in ranked if not _is_complete(of_case)]
    missing += [f"{case} (not played)" for case in cases if case not in plays]
    notes = [f"its queue grows on {_named(growing, len(ranked))}"] if growing else []
    notes += [f"not ranked: incomplete on {_named(missing, len(cases))}"] if missing else []
    if results.left_out:
        unranked = ", ".join(rejected.what for rejected in results.left_out)
        notes.append(f"not ranked: {unranked} cannot be ranked")
    notes += [f"on {of_case.case} it warned: {of_case.warned}" for _, of_case in of_policy if of_case.warnings]
    notes += ["a single run, chosen by its author"] if results.kind_of(name) == "custom" else []
    return notes


def _named(cases: Sequence[str], number: int) -> str:
    """Returns the names of a few cases, or how many of a track's `number` cases they are."""
    if len(cases) == number > 1:
        return "every case"
    return " and on ".join(cases) if len(cases) <= MOST_NAMED else f"{len(cases)} of {number} cases"


def _options(found: Sequence[Result]) -> dict[str, Any]:
    """Returns the flattened options of training, or the source of a custom policy; none for a reference."""
    policy = next((result.definition["policy"] for result in found), {})
    if "given" in policy:
        return {"source": policy["given"], "sha256": policy["sha256"]}
    if "learner_name" not in policy:
        return {}
    options = {name: policy[name] for name in ("learner_name", "preset", "episodes", "num_envs")}
    for name, value in policy["learner"].items():
        options |= value if isinstance(value, Mapping) else {name: value}
    return options
