"""The jobs of suites. A job is one policy on one case, trained with one seed where it learns.

The `definition` of a job holds all options of the environment, the learner and the evaluation, including defaults
except those of `NEWER`. Results and runs are named by a hash of it, so a job that several suites contain runs once.
Files of somebody's own, such as a scenario or a trace, count by their content. The definition does not include which
metrics of the episodes are kept.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from benchmarks.jobs.own_files import own_files, with_hashes
from benchmarks.jobs.recording import can_record
from benchmarks.policies.custom import definition_of, plays_on
from benchmarks.results import result as results
from benchmarks.results.kept import Kept
from benchmarks.results.naming import by_content
from benchmarks.results.stored_references import StoredReferences, stored_references
from benchmarks.suites.suite import Case, CasePolicy, CustomPolicy, Fields, Learned, Reference, Suite
from trainers.imitation.options import Pretraining
from trainers.registry import Learner, learner_named
from trainers.runs import env_options
from trainers.runs.configuration import as_tuples
from trainers.runs.env_options import env_options_type
from trainers.runs.options import ADJUSTABLE, Run, preset_run
from vec_envs.problems.base import Problem
from vec_envs.registration import factory_of
from vec_envs.validation import check_integer, did_you_mean, near_misses

CHECKPOINT_S = 60.0
DECISION_LIMIT_S = 5.0
NEWER = frozenset(
    {
        "action_scorer",
        "actor",
        "carrier_ghz",
        "cost_prior",
        "improvements",
        "mix_advantages",
        "noise_figure_db",
        "processors",
        "share_weights",
        "shared_band",
        "v2v_range_m",
    }
)
"""Options of learners, pre-training and environments that are newer than published results.

A definition has them only where they are not the default, so that a new option leaves the keys of these results.
"""
_PRETRAINING = ["episodes", "expert", "exploration", "improvements", "epochs", "batch_size", "learning_rate"]


@dataclass(frozen=True)
class Job:
    """One policy on one case, with one training seed."""

    definition: Mapping[str, Any]
    """The environment, the policy and the episodes: everything that determines the result."""
    kept: Kept
    """The metrics to keep in the result."""
    checkpoint_s: float = CHECKPOINT_S
    decision_limit_s: float = DECISION_LIMIT_S
    """The longest wall-clock time of a decision of all agents."""

    @cached_property
    def name(self) -> str:
        """The name of the result: the policy or learner, the training seed, and the key of the definition."""
        return results.name_of(self.definition)

    @property
    def training(self) -> Mapping[str, Any] | None:
        """The definition of the training run; None for a policy without learning."""
        policy = self.definition["policy"]
        return policy if "learner_name" in policy else None

    @property
    def training_episodes(self) -> int:
        """The number of training episodes; 0 without learning, and where a policy is pre-trained alone."""
        return (self.training or {}).get("episodes", 0)

    @cached_property
    def run_name(self) -> str:
        """The name of the training run's folder. Jobs that differ only in their evaluation share it."""
        training = self.training or {}
        return f"{training['learner_name']}-seed{training['seed']}-{results.key_of(training)}"


def jobs_of_suites(suites: Sequence[Suite], seeds: int) -> list[Job]:
    """Returns the jobs of suites. Jobs with training come first, because they take longest.

    Jobs with the same definition are merged into one, which keeps the metrics of all.
    """
    jobs: dict[str, Job] = {}
    for case in (case for suite in suites for case in suite.cases):
        for job in (job for policy in case.policies for job in jobs_of(case, policy, seeds)):
            kept = jobs[job.name].kept | job.kept if job.name in jobs else job.kept
            jobs[job.name] = dataclasses.replace(job, kept=kept)
    return sorted(jobs.values(), key=lambda job: job.training is None)


def jobs_of(case: Case, policy: CasePolicy, seeds: int) -> list[Job]:
    """Returns the jobs of a policy on a case: one for each training seed or draw, or a single one.

    Only the first job records an episode, where the case asks for it. There is no job for a custom policy that does not
    play the case, and none for a blind table that is not stored. Raises `ValueError` with the names of case and policy
    where one of them does not exist, or an option is out of bounds.
    """
    try:
        jobs = _all_jobs(case, policy, seeds)
        return [*jobs[:1], *(dataclasses.replace(job, kept=job.kept.unrecorded) for job in jobs[1:])]
    except (ValueError, TypeError) as error:
        raise ValueError(f"policy {policy.name!r} on case {case.name!r}: {error}") from error


def _all_jobs(case: Case, policy: CasePolicy, seeds: int) -> list[Job]:
    if isinstance(policy, Reference):
        return _stored_table_jobs(case, policy) if policy.stored else _reference_jobs(case, policy)
    if isinstance(policy, CustomPolicy):
        return _custom_policy_jobs(case, policy)
    return _learned_jobs(case, policy, seeds)


def references_of(case: Case) -> StoredReferences | None:
    """Returns the blind tables and the seer's values of a case; None where they have not been found yet."""
    return stored_references(case.references, **case_key(case))


def case_key(case: Case) -> dict[str, Any]:
    """Returns the fields by which the stored measurements of a case are found, `case_lines.KEY`."""
    env = options_of(case.env_id, case.env)
    metric = kept_of(case, problem_of(case.env_id, env)).metrics[0]
    return by_content({"env_id": case.env_id, "env": env, "metric": metric, "seed": case.seed}, own_files(env))


def _reference_jobs(case: Case, policy: Reference) -> list[Job]:
    known = factory_of(case.env_id).references.named(policy.name)
    env = options_of(case.env_id, {**case.env, **known.env})
    check_integer(1, draws=policy.draws)
    draws: list[dict[str, int]] = [{"draw": draw} for draw in range(policy.draws)] if policy.draws > 1 else [{}]
    return [_job(case, {"reference": policy.name, **draw}, env) for draw in draws]


def _stored_table_jobs(case: Case, policy: Reference) -> list[Job]:
    """Returns the job of a blind table of the case; none where no table is stored."""
    stored = references_of(case)
    if stored is None:
        return []
    if policy.name not in stored.tables:
        near = did_you_mean(policy.name, stored.tables)
        raise ValueError(f"a stored blind policy must be one of {', '.join(stored.tables)}, got {policy.name!r}{near}")
    table = {"reference": policy.name, "table": stored.tables[policy.name]}
    return [_job(case, table, options_of(case.env_id, case.env))]


def _custom_policy_jobs(case: Case, policy: CustomPolicy) -> list[Job]:
    if not plays_on(policy.source, case.env_id):
        return []
    return [custom_policy_job(case, definition_of(policy.source))]


def custom_policy_job(case: Case, policy: Mapping[str, Any]) -> Job:
    """Returns the job of a custom policy, from its definition in a result (`definition_of`)."""
    return _job(case, dict(policy), options_of(case.env_id, case.env), policy.get("sees", {}))


def _job(case: Case, policy: Mapping[str, Any], env: Fields, sees: Fields | None = None, **options: Any) -> Job:
    """Returns the job of a policy on a case, from the options of the environment, and those of its observations."""
    evaluation = {
        "env": env,
        "sees": options_of(case.env_id, {**env, **sees}) if sees else None,
        "seed": case.seed,
        "episodes": case.episodes,
    }
    definition = with_hashes({"env_id": case.env_id, "policy": policy, "evaluation": evaluation}, env)
    return Job(definition, kept_of(case, problem_of(case.env_id, env)), **options)


def _learned_jobs(case: Case, policy: Learned, seeds: int) -> list[Job]:
    default = _preset(policy.learner, policy.preset, case.env_id)
    preset = dataclasses.asdict(default.env)
    trained = {**preset, **(case.env if case.trained_on is None else case.trained_on), **policy.env}
    played = {**preset, **case.env, **policy.env, **policy.evaluated}
    known_only([f.name for f in dataclasses.fields(Run)], policy.run, "a run")
    env = options_of(case.env_id, trained)
    if why := learner_named(policy.learner).misfit(problem_of(case.env_id, env)):
        raise ValueError(f"{policy.learner} cannot train on {case.env_id!r} with these options: {why}")
    run = dataclasses.replace(
        default,
        env=type(default.env)(**env),
        learner=with_fields(default.learner, policy.options),
        **{"device": "cpu", **policy.run, "threads": 1},
    )
    left_out = {"output", "resume", "seed", "init_from", *ADJUSTABLE} - {"device", "threads"}
    written = {name: value for name, value in as_definition(run).items() if name not in left_out}
    if policy.pretraining is not None:
        first = pretraining_of(run, policy.learner, policy.pretraining)
        written["pretraining"] = {name: value for name, value in as_definition(first).items() if name in _PRETRAINING}
    named = {"learner_name": policy.learner, **_revision(learner_named(policy.learner))}
    training = with_hashes(json.loads(json.dumps({**named, **written}, allow_nan=False)), trained)
    env = options_of(case.env_id, played)
    return [
        _job(case, {**training, "seed": seed}, env, policy.sees, checkpoint_s=run.checkpoint_s)
        for seed in range(seeds if policy.seeds is None else min(seeds, policy.seeds))
    ]


def _revision(learner: Learner) -> dict[str, int]:
    """Returns the revision of a learner for a definition; nothing for the first revision."""
    return {"revision": learner.revision} if learner.revision > 1 else {}


def as_definition(options: Any) -> dict[str, Any]:
    """Returns options as a dictionary, without those of `NEWER` that have their default."""
    values: dict[str, Any] = {}
    for f in dataclasses.fields(options):
        value = getattr(options, f.name)
        if f.name in NEWER and value == f.default:
            continue
        values[f.name] = as_definition(value) if dataclasses.is_dataclass(value) else value
    return values


def pretraining_of(run: Run, agents: str, fields: Fields) -> Pretraining:
    """Returns the options of the pre-training of a run. Raises `ValueError` for unknown or invalid fields."""
    known_only(_PRETRAINING, fields, "pre-training")
    shared = {f.name: getattr(run, f.name) for f in dataclasses.fields(Run) if f.name != "episodes"}
    own: dict[str, Any] = {"output": None, "resume": False, "init_from": None, "agents": agents, **fields}
    return Pretraining(**{**shared, **own})


@cache
def _preset(learner: str, preset: str, env_id: str) -> Run:
    return preset_run(learner_named(learner), preset, env_id)


def kept_of(case: Case, problem: Problem) -> Kept:
    """Returns the metrics that a case keeps. Raises `ValueError` where there is no metric that could rank policies."""
    first = [case.metric] if case.metric else []
    metrics = tuple(dict.fromkeys([*first, *(metric.name for metric in problem.reported_metrics), *case.metrics]))
    if not metrics:
        raise ValueError(f"{case.env_id} reports no metrics: set metrics=(...) of the case to names of infos")
    recorded = case.recorded and can_record(problem)
    lists = {"late": tuple(case.late), "trends": tuple(case.trends), "traces": tuple(case.traces)}
    return Kept(metrics=metrics, recorded=recorded, **lists)


def options_of(env_id: str, fields: Fields) -> dict[str, Any]:
    """Returns the options of an environment as JSON has them, without defaults of `NEWER`.

    Raises `ValueError` for unknown or invalid options.
    """
    kind = _options_type(env_id)
    known_only([f.name for f in dataclasses.fields(kind)], fields, env_id)
    options = as_definition(kind(**fields))
    problem_of(env_id, options)
    return json.loads(json.dumps(options, allow_nan=False))


@cache
def _options_type(env_id: str) -> type[Any]:
    return env_options_type(factory_of(env_id))


def problem_of(env_id: str, options: Fields) -> Problem:
    """Returns the problem of an environment with these options. Raises `ValueError` for invalid ones."""
    return _problem(env_id, json.dumps(dict(options)))


@cache
def _problem(env_id: str, options: str) -> Problem:
    return env_options.problem_of(env_id, as_tuples(json.loads(options)))


def with_fields(options: Any, fields: Fields) -> Any:
    """Returns a learner's options with these fields changed. A field may belong to any group of options."""
    groups: dict[str, Any] = {f.name: getattr(options, f.name) for f in dataclasses.fields(options)}
    nested: dict[str, Any] = {name: group for name, group in groups.items() if dataclasses.is_dataclass(group)}
    names = {name: [f.name for f in dataclasses.fields(group)] for name, group in nested.items()}
    own = [name for name in groups if name not in nested]
    known_only([*own, *(name for group in names.values() for name in group)], fields, "the learner")
    changed = {name: value for name, value in fields.items() if name in own}
    for name, group in nested.items():
        of_group = {field: value for field, value in fields.items() if field in names[name]}
        changed[name] = dataclasses.replace(group, **of_group) if of_group else group
    return dataclasses.replace(options, **changed)


def known_only(known: list[str], fields: Fields, whose: str) -> None:
    """Raises `ValueError` listing the known options where a field is unknown."""
    unknown = sorted(set(fields) - set(known))
    if unknown:
        near = near_misses(unknown, known)
        raise ValueError(f"{whose} has no option {', '.join(unknown)}; there are {', '.join(known)}{near}")
