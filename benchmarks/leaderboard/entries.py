"""What the policies of a leaderboard are, and the code that made their results."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from benchmarks.leaderboard.schema import Entry, Track
from benchmarks.leaderboard.tracks import TrackResults
from benchmarks.reports.tables import in_code
from benchmarks.suites.suite import CasePolicy, Learned, Reference
from trainers.registry import LEARNERS
from vec_envs.registration import factory_of

BLIND_POLICIES = {
    "static": "Repeats one action: the best that was found on other episodes. It sees nothing.",
    "timetable": "Plays a table of actions, row by row: the best that was found on other episodes. It sees nothing.",
}


def with_descriptions(track: Track, results: TrackResults) -> Track:
    """Returns a track whose entries say what the policy is, and which code made its results."""
    return replace(track, entries=tuple(_described(entry, results) for entry in track.entries))


def _described(entry: Entry, results: TrackResults) -> Entry:
    found = [result for _, of_policy in results.of_policy(entry.name) for result in of_policy.found]
    policies = [policy for case in results.cases for policy in case.results.case.policies if policy.name == entry.name]
    about = about_of(policies[0], results.env_id) if policies else "A policy of a user."
    return replace(entry, about=about, code=in_code(result.provenance for result in found))


def about_of(policy: CasePolicy, env_id: str) -> str:
    """Returns what a policy does, from its documentation; a sentence that names its source where it has none."""
    match policy:
        case Learned():
            return _about_learner(policy.learner)
        case Reference(stored=True):
            return BLIND_POLICIES[policy.name]
        case Reference():
            return _about_reference(policy.name, env_id)
        case _:
            return f"A policy of a user, {policy.source}."


def _about_learner(learner: str) -> str:
    """Returns the first line of the documentation of a learner's command, which is not imported: it needs torch."""
    spec = find_spec(LEARNERS[learner]) if learner in LEARNERS else None
    text = Path(spec.origin).read_text() if spec is not None and spec.origin else ""
    first = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    return first.partition(" `python")[0].removeprefix("Trains ") or f"The learner {learner}."


def _about_reference(name: str, env_id: str) -> str:
    """Returns the first sentence of the documentation of a reference policy, and its options."""
    reference = factory_of(env_id).references.named(name)
    make, options = cast("Callable[..., Any]", reference.make), dict(reference.env)
    if isinstance(make, partial):
        options |= make.keywords
        make = make.func
    summary = " ".join((inspect.getdoc(make) or "").partition("\n\n")[0].split())
    what = summary.removeprefix("Returns the policy under which ")
    summary = what[:1].upper() + what[1:]
    listed = ", ".join(f"{option} {value}" for option, value in options.items())
    return f"{summary or f'The reference policy {name}.'}{f' Options: {listed}.' if listed else ''}"
