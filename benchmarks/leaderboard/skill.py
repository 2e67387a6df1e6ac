"""The skill of a policy on a case: 0 for the best blind policy, 1 for the seer.

In between, skill is linear in the logarithm of the first metric. A policy that is worse than seeing nothing has a skill
below 0. The seer is the best plan that a search found with the whole episode known, not a bound: a policy may beat it.

All policies of a case play the same episodes. The seer played the first of them, and skill is measured on those alone:
a blind policy may take twice as long in others, and would then seem to leave more room than the seer found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from benchmarks.jobs.plan import references_of
from benchmarks.leaderboard.schema import Interval, Room
from benchmarks.reports.policy_results import PolicyResults
from benchmarks.results.statistics import Estimate, estimate
from benchmarks.results.stored_references import StoredReferences
from benchmarks.suites.suite import Case, Reference

RANKED_FROM = 0.10
"""A case is ranked if the seer is at least this fraction below the best blind policy."""
RANDOM = "random"


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The values of the first metric that are the skills 0 and 1 on a case."""

    metric: str
    episodes: int
    """The number of episodes that count: those that the seer played."""
    zero: Estimate
    """The metric of the best blind policy."""
    room: Estimate
    """The logarithm of the blind policy's metric divided by the seer's."""
    shown: Room

    @property
    def is_ranked(self) -> bool:
        """Whether seeing pays enough for the case to be ranked."""
        return bool(self.room.value >= -np.log(1.0 - RANKED_FROM))

    def skill(self, value: Any) -> Any:
        """Returns the skill of values of the metric, which are above 0; less is better."""
        return np.log(self.zero.value / value) / self.room.value

    def mean(self, results: PolicyResults) -> Estimate:
        """Returns the mean of a policy's metric over the episodes that count."""
        return _first(results, self.metric, self.episodes)

    def interval(self, results: PolicyResults) -> Interval:
        """Returns the skill of a policy with its interval, paired with the blind policy on the episodes."""
        of = self.mean(results)
        zero, draws, room = (_above_0(estimate) for estimate in (self.zero, of, self.room))
        low, high = np.percentile(np.log(zero / draws) / room, (2.5, 97.5))
        return float(self.skill(of.value)), float(low), float(high)


def _above_0(of: Estimate) -> Float[np.ndarray, "resamples"]:
    """Returns an estimate's draws, clipped at 1 % of its value, because widened draws may be negative."""
    return np.maximum(of.draws, 0.01 * of.value)


def have_references(cases: Sequence[Case]) -> bool:
    """Returns whether any of the cases has stored references, by which skill is defined."""
    return any(references_of(case) is not None for case in cases)


def scale_of(case: Case, found: Mapping[str, PolicyResults]) -> Scale:
    """Returns a case's scale. Raises `ValueError` where blind policies and seer are not stored or have no results."""
    stored = references_of(case)
    if stored is None:
        raise ValueError("its blind policies and seer are not known: python -m benchmarks.references find")
    names = [of.name for of in case.policies if isinstance(of, Reference) and of.stored]
    if missing := [name for name in names if name not in found]:
        raise ValueError(f"it has no results of {' and '.join(missing)}, whose skill may be 0")
    blind = best_of(case, [found[name] for name in names])
    if blind is None:
        raise ValueError("it lists no blind policy, whose skill is 0: add Reference(name='timetable', stored=True)")
    count = min(len(stored.seer), case.episodes)
    seer = estimate(np.array([stored.seer[:count]]), name="seer")
    if not seer.value > 0.0:
        raise ValueError(f"the seer reaches {seer.value:g}, which is not above 0")
    return Scale(
        metric=stored.metric,
        episodes=count,
        zero=_first(blind, stored.metric, count),
        room=_logarithm(_first(blind, stored.metric, count) / seer),
        shown=_room(case, found, blind, stored),
    )


def best_of(case: Case, results: Sequence[PolicyResults]) -> PolicyResults | None:
    """Returns the best results without a growing queue. If every policy has one, returns the best of all."""
    settled = [of for of in results if not grows(case, of)] or list(results)
    return min(settled, key=lambda of: of.mean(of.ranked_by).value, default=None)


def grows(case: Case, results: PolicyResults) -> bool:
    """Returns whether a queue of the case grows, judged on all runs of a policy together (`statistics.grows`)."""
    return any(results.grows(queue) for queue in case.queues)


def is_reference(results: PolicyResults) -> bool:
    """Returns whether results are those of a reference policy."""
    return "reference" in results.found[0].definition["policy"]


def _room(case: Case, found: Mapping[str, PolicyResults], blind: PolicyResults, stored: StoredReferences) -> Room:
    """Returns what seeing and foresight are worth, on the episodes of the seer."""
    count = min(len(stored.seer), case.episodes)
    names = [of.name for of in case.policies if isinstance(of, Reference) and not of.stored and of.name != RANDOM]
    present = best_of(case, [found[name] for name in names if name in found])
    return Room(
        blind=blind.policy,
        blind_grows=grows(case, blind),
        blind_value=_first(blind, stored.metric, count).value,
        present="" if present is None else present.policy,
        present_value=None if present is None else _first(present, stored.metric, count).value,
        seer_value=float(np.mean(stored.seer[:count])),
        episodes=count,
    )


def _first(results: PolicyResults, metric: str, count: int) -> Estimate:
    """Returns the mean of a metric over the first episodes."""
    return estimate(results.values(metric)[:, :count], name=results.policy)


def _logarithm(of: Estimate) -> Estimate:
    return Estimate(value=float(np.log(of.value)), draws=np.log(_above_0(of)))


def run_skills(scale: Scale, results: PolicyResults) -> Float[np.ndarray, "runs"]:
    """Returns the skill of each training run."""
    return scale.skill(results.values(scale.metric)[:, : scale.episodes].mean(axis=1))
