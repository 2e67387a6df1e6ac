"""Finds the blind references and the seer of a case."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
from jaxtyping import Int

from benchmarks.jobs.plan import kept_of, options_of
from benchmarks.references.foresight import play_clairvoyant
from benchmarks.references.played import PlayedPolicy, played
from benchmarks.references.rollouts import Goal, KnownEpisodes
from benchmarks.references.seer import Seer
from benchmarks.references.tables import Table, TableSearch
from benchmarks.suites.suite import Case
from trainers.runs.configuration import as_tuples
from vec_envs.core.batch import EnvironmentBatch
from vec_envs.policies import references
from vec_envs.problems.abilities import HasLastingEffects
from vec_envs.problems.base import DiscreteActions, action_shape
from vec_envs.problems.timetable import Timetable
from vec_envs.records import stack
from vec_envs.registration import factory_of

TUNING_SEED = 700_000
"""The seed of the first episode on which tables are tuned; no evaluation plays these."""
ROWS = (1, 2, 3, 4, 5)
"""The numbers of rows of tables that begin with the best table of fewer rows."""
RESTART_ROWS = (5, 6, 4, 8, 5, 10, 3, 2)
"""The numbers of rows of tables that begin with random ones."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much a search may take: episodes, and CPU seconds for all tables, and for the seer in each episode."""

    tuning_episodes: int = 8
    episodes: int = 8
    tables_s: float = 110.0
    seer_s: float = 100.0


@dataclass(frozen=True, kw_only=True)
class BlindReference:
    """A table, its values on the evaluation episodes, and whether a queue grows on them."""

    name: str
    table: Table
    result: PlayedPolicy
    cpu_s: float


@dataclass(frozen=True, kw_only=True)
class CaseReferences:
    """What was found for a case: blind references, the references that see, and the seer's values."""

    case: Case
    metric: str
    static: BlindReference
    timetable: BlindReference
    others: Sequence[PlayedPolicy]
    seer: Sequence[Mapping[str, float]]
    """For each evaluation episode: the value, the bounds' metrics at the end, and the CPU time."""


def find(case: Case, budget: Budget) -> CaseReferences:
    """Returns the references of a case, found within a budget."""
    options = as_tuples(options_of(case.env_id, case.env))
    count = max(budget.tuning_episodes, budget.episodes)
    with closing(factory_of(case.env_id).vector_env(num_envs=count, **options)) as env:
        search = _CaseSearch(case, env.batch, budget)
        tuned = search.tables()
        static, timetable = (search.blind(name, *of) for name, of in tuned.items())
        others = [
            search.played(name, make(env.problem), case.seed) for name, make in fast_references(case, env.problem)
        ]
        seer = list(search.seer([static.result, timetable.result, *others, *search.clairvoyant()]))
    return CaseReferences(case=case, metric=search.metric, static=static, timetable=timetable, others=others, seer=seer)


def fast_references(case: Case, problem: Any) -> list[tuple[str, Any]]:
    """Returns names and makers of the problem's references that do not take long and play with the case's options."""
    known, options = references(problem).policies, options_of(case.env_id, case.env)
    return [
        (name, of.make)
        for name, of in known.items()
        if not of.slow and all(options[option] == value for option, value in of.env.items())
    ]


class _CaseSearch:
    """The searches for one case, on one batch of environments."""

    def __init__(self, case: Case, batch: EnvironmentBatch, budget: Budget) -> None:
        self.problem: Any = batch.problem
        self.metric = kept_of(case, self.problem).metrics[0]
        self._case, self._batch, self._budget = case, batch, budget

    def played(self, name: str, policy: Any, seed: int) -> PlayedPolicy:
        """Returns a policy's results on the episodes from a seed on."""
        return played(name, policy, self._batch, seed=seed, metric=self.metric, queues=self._case.queues)

    def clairvoyant(self) -> list[PlayedPolicy]:
        """Returns the plays of the problem's reference that knows the future on the evaluation episodes, if any."""
        make = references(self.problem).clairvoyant
        if make is None:
            return []
        record = self._record(self._case.seed, self._batch.batch_size)
        goal = Goal(metric=self.metric, bounds=dict.fromkeys(self._case.queues, np.inf))
        return [play_clairvoyant(make(self.problem), KnownEpisodes(self.problem, record, goal))]

    def tables(self) -> dict[str, tuple[Table, float]]:
        """Returns the best static action and the best table, with the CPU time of their search."""
        began_s = time.process_time()
        static, timetable = self._best_blind(self._static_tables()), self._best_blind(self._tables(began_s))
        cpu_s = time.process_time() - began_s
        return {"static": (static, cpu_s), "timetable": (timetable, cpu_s)}

    def _best_blind(self, tables: Iterator[Table]) -> Table:
        """Returns the best table on the tuning episodes whose queue does not grow; of all, if every one's grows."""
        tried = [(table, self.played("table", Timetable(self.problem, table), TUNING_SEED)) for table in tables]
        settled = [of for of in tried if not of[1].grows] or tried
        return min(settled, key=lambda of: of[1].mean.mean())[0]

    def _static_tables(self) -> Iterator[Table]:
        search = self._search(self._bounds[0])
        for start in self._starts:
            yield search.best(start, num_rows=1).table

    def _tables(self, began_s: float) -> Iterator[Table]:
        """Yields tables of more and more rows, then tables from random ones, until the budget is spent."""
        search, table = self._search(self._bounds[0]), self._starts[0]
        for num_rows in ROWS:
            table = search.best(table, num_rows=num_rows).table
            yield table
        for attempt in count():
            if time.process_time() - began_s > self._budget.tables_s:
                return
            rng, num_rows = np.random.default_rng(attempt), RESTART_ROWS[attempt % len(RESTART_ROWS)]
            rows = np.array([self._starts[int(rng.integers(len(self._starts)))][0] for _ in range(num_rows)])
            start = np.where(rng.random(rows.shape) < 0.5, rows, self._random_rows(rng, num_rows))
            yield self._search(self._bounds[attempt % len(self._bounds)]).best(start, num_rows=num_rows).table

    def _random_rows(self, rng: np.random.Generator, num_rows: int) -> Table:
        shape, actions = (num_rows, *action_shape(self.problem)), self.problem.actions
        if isinstance(actions, DiscreteActions):
            return rng.integers(0, actions.counts, shape)
        return rng.uniform(-1.0, 1.0, shape)

    def _search(self, bounds: Mapping[str, float]) -> TableSearch:
        episodes = KnownEpisodes(self.problem, self._tuning_record, Goal(metric=self.metric, bounds=bounds))
        return TableSearch(episodes, np.random.default_rng(0), budget_s=self._budget.tables_s)

    @cached_property
    def _tuning(self) -> list[PlayedPolicy]:
        return [
            self.played(name, make(self.problem), TUNING_SEED)
            for name, make in fast_references(self._case, self.problem)
        ]

    @cached_property
    def _bounds(self) -> list[Mapping[str, float]]:
        """The last queues of the two best policies whose queue does not grow, the tighter ones first.

        If every policy has a growing queue, those of the two best policies.
        """
        settled = [play for play in self._tuning if not play.grows] or self._tuning
        settled = sorted(settled, key=lambda play: play.mean.mean())
        bounds = [{queue: float(last.mean()) for queue, last in play.final.items()} for play in settled[:2]]
        return sorted(bounds, key=lambda of: sum(of.values())) or [{}]

    @cached_property
    def _starts(self) -> list[Table]:
        """Tables of one row: zeros, and the first actions of the references.

        Where agents often have no choice, their first actions show little. There the tables have the most frequent
        choice of each agent.
        """
        dtype = np.int64 if isinstance(self.problem.actions, DiscreteActions) else np.float64
        zeros = np.zeros((1, *action_shape(self.problem)), dtype)
        if isinstance(self.problem, HasLastingEffects):
            idle = self.problem.idle
            return [*(_most_frequent(play.plan, idle=idle)[None] for play in self._tuning), zeros]
        return [zeros, *(play.plan[0, :1].astype(dtype) for play in self._tuning)]

    @cached_property
    def _tuning_record(self) -> Any:
        return self._record(TUNING_SEED, self._budget.tuning_episodes)

    def blind(self, name: str, table: Table, cpu_s: float) -> BlindReference:
        """Returns a table with its results on the evaluation episodes."""
        result = self.played(name, Timetable(self.problem, table), self._case.seed)
        return BlindReference(name=name, table=table, result=result, cpu_s=cpu_s)

    def seer(self, starts: Sequence[PlayedPolicy]) -> Iterator[Mapping[str, float]]:
        """Yields what the seer reaches in each evaluation episode, from the plans of other policies."""
        best = best_stable(starts)
        record = self._record(self._case.seed, self._budget.episodes)
        episodes = KnownEpisodes(self.problem, record, Goal(metric=self.metric, bounds={}))
        for number in range(self._budget.episodes):
            bounds = {} if best is None else {name: float(of[number]) for name, of in best.final.items()}
            episode = episodes.one(number, Goal(metric=self.metric, bounds=bounds))
            seer = Seer(episode, np.random.default_rng(number), budget_s=self._budget.seer_s)
            found = seer.best_of([play.plan[number] for play in starts])
            end = episode.trace(found.plan)[episode.num_epochs]
            final = {name: float(of[0]) for name, of in end.final.items()}
            yield {self.metric: float(end.mean[0]), **final, "cpu_s": found.cpu_s}

    def _record(self, seed: int, count: int) -> Any:
        """Returns the exogenous record of the episodes of `count` seeds from `seed` on."""
        rows = list(range(self._batch.batch_size))
        self._batch.reset(rows, [seed + row for row in rows])
        return stack([self._batch.episode(row) for row in range(count)])


def _most_frequent(plan: Int[np.ndarray, "episodes epochs agents"], *, idle: int) -> Int[np.ndarray, "agents"]:
    """Returns the most frequent action of each agent, `idle` apart; `idle` for an agent that takes no other action."""
    taken = [actions[actions != idle] for actions in plan.reshape(-1, plan.shape[-1]).T]
    return np.array([np.bincount(actions).argmax() if len(actions) else idle for actions in taken])


def best_stable(plays: Sequence[PlayedPolicy]) -> PlayedPolicy | None:
    """Returns the best policy without a growing queue, or the best of all if every one has one; None without plays."""
    stable = [play for play in plays if not play.grows] or plays
    return min(stable, key=lambda play: play.mean.mean(), default=None)
