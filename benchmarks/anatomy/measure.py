"""Measures what is hard about a case: a reference policy plays the same episodes again, with one thing changed.

A *picture* is a changed record that the policy sees, while it plays in the true episodes. A *world* is a changed record
that the policy both sees and plays in. A *policy* row compares another policy in the true episodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from benchmarks.anatomy.foresight import means_of, shares_of
from benchmarks.anatomy.nature import (
    Nature,
    aged,
    constant_channel,
    frozen,
    mean_channel,
    nature_of,
    scaled_channel,
    unfaded,
    unshadowed,
)
from benchmarks.jobs.plan import kept_of, options_of, references_of
from benchmarks.references.find import TUNING_SEED, best_stable, fast_references
from benchmarks.references.foresight import NAME, play_clairvoyant
from benchmarks.references.played import PlayedPolicy, play
from benchmarks.references.rollouts import Goal, KnownEpisodes
from benchmarks.results.statistics import estimate
from benchmarks.suites.suite import Case
from trainers.runs.configuration import as_tuples
from vec_envs.policies import references
from vec_envs.problems.abilities import HasChannel
from vec_envs.problems.policy import Clairvoyance, Policy
from vec_envs.problems.timetable import Timetable
from vec_envs.registration import factory_of
from vec_envs.validation import did_you_mean

EPISODES = 16
TUNING_EPISODES = 8
"""The number of episodes, from `TUNING_SEED` on, that choose the policy and give the mean of the channel."""
LAG_S = 5.0
"""The age of an old picture."""
FACTOR = 1e6
"""How many times better a channel is on which sending hardly takes any time."""
BLIND = {"static": "best fixed action", "timetable": "best table of actions"}

Kind = Literal["picture", "world", "policy", "share"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """The increase of the policy's metric by one change, in per cent, with its 95 % confidence interval.

    A row of the kind "share" has a share in per cent instead.
    """

    name: str
    kind: Kind
    percent: float
    low: float
    high: float
    grows: bool
    """Whether a queue grows. Longer episodes would then give another value."""


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """What was measured for a case."""

    case: Case
    metric: str
    policy: str
    value: float
    """The mean of the metric of the policy on the evaluation episodes."""
    grows: bool
    """Whether a queue of the policy grows on the evaluation episodes."""
    episodes: int
    rows: tuple[Row, ...]


def anatomy_of(case: Case, *, episodes: int = EPISODES, policy: str = "") -> Anatomy:
    """Measures a case.

    Args:
        case: The case.
        episodes: The number of evaluation episodes, from the case's seed on.
        policy: The name of a reference; "" for the best fast one whose queue does not grow, by the tuning episodes.

    Raises `ValueError` for a problem without reference policies, and for an unknown policy.
    """
    options, count = as_tuples(options_of(case.env_id, case.env)), max(episodes, TUNING_EPISODES)
    with closing(factory_of(case.env_id).vector_env(num_envs=count, **options)) as env:
        tuning = nature_of(env.batch, seed=TUNING_SEED, episodes=TUNING_EPISODES)
        nature = nature_of(env.batch, seed=case.seed, episodes=episodes)
    measured = _CaseAnatomy(case, nature, tuning, policy)
    return Anatomy(
        case=case,
        metric=measured.metric,
        policy=measured.policy,
        value=float(measured.base.mean.mean()),
        grows=measured.base.grows,
        episodes=episodes,
        rows=tuple(measured.rows()),
    )


class _CaseAnatomy:
    """The measurements of one case."""

    def __init__(self, case: Case, nature: Nature, tuning: Nature, policy: str) -> None:
        self.problem: Any = nature.problem
        self.metric: str = kept_of(case, self.problem).metrics[0]
        self._case, self._nature, self._tuning = case, nature, tuning
        self._truth = self._episodes(nature.record)
        known, fast = references(self.problem).policies, [name for name, _ in fast_references(case, self.problem)]
        if not fast or policy not in ("", *fast):
            raise ValueError(
                f"the policy must be a fast reference with the options of the case {case.name!r}, "
                f"{', '.join(fast) or 'of which there is none'}; got {policy!r}{did_you_mean(policy, fast)}"
            )
        names = [name for name in fast if not policy or known[name].selfish]
        self._tuned = [self._tuning_play(name) for name in names]
        self._chosen = self._tuning_play(policy) if policy else _best_of(self._tuned)
        self.policy = self._chosen.name

    @cached_property
    def base(self) -> PlayedPolicy:
        """The policy on the evaluation episodes as they are."""
        return self._play(self._make(self.policy))

    def rows(self) -> Iterator[Row]:
        """Yields the rows, one for each change that the problem allows."""
        for name, record in self._pictures():
            yield self._row(name, "picture", self._play(self._make(self.policy), seen=record))
        for name, record in self._worlds():
            yield self._row(name, "world", self._play(self._make(self.policy), world=record))
        yield from self._policies()

    def _pictures(self) -> Iterator[tuple[str, Any]]:
        shape = self.problem.traffic_shape
        lag = max(round(LAG_S / shape.slot_s), 1)
        yield f"picture of {lag * shape.slot_s:g} s ago", aged(self._nature, slots=lag).record
        yield "picture of the first slot", aged(self._nature, slots=shape.num_slots).record
        if isinstance(self.problem, HasChannel):
            means = mean_channel(self._tuning.record, self.problem.channel_fields, decided=self._chosen.decided)
            yield "constant rates", constant_channel(self._nature.record, means)

    def _worlds(self) -> Iterator[tuple[str, Any]]:
        yield "vehicles frozen", frozen(self._nature).record
        if (without := unfaded(self._nature)) is not None:
            yield "no fading", without.record
        if (mean := unshadowed(self._nature)) is not None:
            yield "no shadowing", mean.record
        if isinstance(self.problem, HasChannel):
            record = scaled_channel(self._nature.record, self.problem.channel_fields, factor=FACTOR)
            yield "channel a million times better", record

    def _policies(self) -> Iterator[Row]:
        stored = references_of(self._case)
        tables: Mapping[str, Any] = {} if stored is None else stored.tables
        for name, table in tables.items():
            yield self._row(BLIND.get(name, name), "policy", self._play(Timetable(self.problem, np.array(table))))
        selfish = self._best_selfish()
        if selfish is not None:
            yield self._row(f"selfish ({selfish})", "policy", self._play(self._make(selfish)))
        if stored is not None:
            yield self._compared("seer", "policy", np.array(stored.seer), grows=False)
        if (make := references(self.problem).clairvoyant) is not None:
            yield from self._clairvoyant(make(self.problem))

    def _clairvoyant(self, reference: Clairvoyance) -> Iterator[Row]:
        """Yields what the future is worth, also where vehicles stand still, and the shares of kinds of decisions."""
        plan = play_clairvoyant(reference, self._truth)
        yield self._compared(NAME, "policy", plan.mean, grows=plan.grows)
        for of in self.problem.reported_metrics[1:]:
            if not of.final:
                changed, base = (means_of(of.name, self._truth, played) for played in (plan, self.base))
                yield self._compared(f"{NAME}: {of.name}", "policy", changed, grows=plan.grows, base=base)
        still = self._episodes(frozen(self._nature).record)
        alone, base = play_clairvoyant(reference, still), play("", self._make(self.policy), still, seed=self._case.seed)
        name = f"{NAME}, both with vehicles frozen"
        yield self._compared(name, "policy", alone.mean, grows=alone.grows, base=base.mean)
        for kind, (percent, low, high) in shares_of(self._truth, plan, name=self._case.name).items():
            name = f"of the decisions of {NAME}, {kind}"
            yield Row(name=name, kind="share", percent=percent, low=low, high=high, grows=False)

    def _best_selfish(self) -> str | None:
        """Returns the best selfish reference on the tuning episodes; None where the problem names none."""
        known = references(self.problem).policies
        selfish = [play for play in self._tuned if known[play.name].selfish]
        return _best_of(selfish).name if selfish else None

    def _row(self, name: str, kind: Kind, changed: PlayedPolicy) -> Row:
        return self._compared(name, kind, changed.mean, grows=changed.grows)

    def _compared(
        self,
        name: str,
        kind: Kind,
        changed: Float[np.ndarray, "episodes"],
        *,
        grows: bool,
        base: Float[np.ndarray, "episodes"] | None = None,
    ) -> Row:
        """Returns a row with the ratio of means over the first episodes, as many as both policies have.

        `base` are the values to compare with; by default those of the policy.
        """
        base = self.base.mean if base is None else base
        count = min(len(changed), len(base))
        above, below = (estimate(of[None, :count], name=self._case.name) for of in (changed, base))
        ratio = above / below
        low, high = ratio.interval
        percent, low, high = (100.0 * (of - 1.0) for of in (ratio.value, low, high))
        return Row(name=name, kind=kind, percent=percent, low=low, high=high, grows=grows)

    def _play(self, policy: Policy, *, world: Any = None, seen: Any = None) -> PlayedPolicy:
        episodes = self._truth if world is None else self._episodes(world)
        picture = None if seen is None else self._episodes(seen)
        return play("", policy, episodes, seed=self._case.seed, seen=picture)

    def _tuning_play(self, name: str) -> PlayedPolicy:
        return play(name, self._make(name), self._episodes(self._tuning.record), seed=TUNING_SEED)

    def _make(self, name: str) -> Policy:
        return references(self.problem).named(name).make(self.problem)

    def _episodes(self, record: Any) -> KnownEpisodes:
        goal = Goal(metric=self.metric, bounds=dict.fromkeys(self._case.queues, np.inf))
        return KnownEpisodes(self.problem, record, goal)


def _best_of(plays: Sequence[PlayedPolicy]) -> PlayedPolicy:
    """Returns the best policy without a growing queue; the best of all if every policy has one."""
    return best_stable(plays) or min(plays, key=lambda of: of.mean.mean())
