"""What is to be done: the jobs of a case's policies.

A job is one policy on one case, trained with one seed where it learns. It is told by its `definition` alone: every
field of the environment, the learner and the evaluation, defaults included. Results and runs are named by a hash of it,
so that what several suites ask for is run once.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from benchmarks.policies import custom as given
from benchmarks.results import result as results
from benchmarks.suites.suite import Case, CasePolicy, Fields, Given, Learned, Reference
from trainers.evaluate import LEARNERS
from trainers.pretrain import Pretraining
from trainers.registry import Learner
from trainers.runs import env_options
from trainers.runs.env_options import env_options_type
from trainers.runs.options import ADJUSTABLE, Run, as_tuples, preset_run
from vec_envs.policies import references
from vec_envs.problems.base import Problem
from vec_envs.registration import factory_of

CHECKPOINT_S = 60.0
DECISION_LIMIT_S = 5.0
_PRETRAINING = ["episodes", "expert", "exploration", "epochs", "batch_size", "learning_rate"]


@dataclass(frozen=True)
class Job:
    """What is run: its definition, and what changes nothing in its result."""

    definition: Mapping[str, Any]
    checkpoint_s: float = CHECKPOINT_S
    decision_limit_s: float = DECISION_LIMIT_S
    """How long a decision of all agents may take, by the clock."""

    @cached_property
    def name(self) -> str:
        """Who plays, the training seed, and the key."""
        return results.name_of(self.definition)

    @property
    def training(self) -> Mapping[str, Any] | None:
        """The definition of the run that is trained; None for a policy without learning."""
        policy = self.definition["policy"]
        return policy if "learner_name" in policy else None

    @cached_property
    def run_name(self) -> str:
        """The name of its run's folder: jobs that differ in their evaluation alone share it."""
        training = self.training or {}
        return f"{training['learner_name']}-seed{training['seed']}-{results.key_of(training)}"


def jobs_of(case: Case, policy: CasePolicy, seeds: int) -> list[Job]:
    """Returns the jobs of a policy: one, or one for each training seed; none where it does not play the case.

    Raises `ValueError` naming case and policy where one of them does not exist or an option is out of its bounds.
    """
    try:
        if isinstance(policy, Reference):
            return [_reference_job(case, policy)]
        if isinstance(policy, Given):
            return _given_jobs(case, policy)
        return _learned_jobs(case, policy, seeds)
    except (ValueError, TypeError) as error:
        raise ValueError(f"policy {policy.name!r} on case {case.name!r}: {error}") from error


def _reference_job(case: Case, policy: Reference) -> Job:
    known = references(factory_of(case.env_id).problem_type).named(policy.name)
    env = options_of(case.env_id, {**case.env, **known.env})
    return Job({"env_id": case.env_id, "policy": {"reference": policy.name}, "evaluation": _evaluation(case, env, {})})


def _given_jobs(case: Case, policy: Given) -> list[Job]:
    if not given.plays(policy.source, case.env_id):
        return []
    return [given_job(case, given.told(policy.source))]


def given_job(case: Case, who: Mapping[str, Any]) -> Job:
    """Returns the job of somebody's own policy, from what defines it in a result (`given.told`)."""
    evaluation = _evaluation(case, options_of(case.env_id, case.env), who.get("sees", {}))
    return Job({"env_id": case.env_id, "policy": dict(who), "evaluation": evaluation})


def _learned_jobs(case: Case, policy: Learned, seeds: int) -> list[Job]:
    if policy.learner not in LEARNERS:
        raise ValueError(f"the learner {policy.learner!r} is unknown; there are {', '.join(map(repr, LEARNERS))}")
    default = _preset(policy.learner, policy.preset, case.env_id)
    usual = dataclasses.asdict(default.env)
    trained = {**usual, **(case.env if case.trained_on is None else case.trained_on), **policy.env}
    played = {**usual, **case.env, **policy.env, **policy.evaluated}
    known_only([f.name for f in dataclasses.fields(Run)], policy.run, "a run")
    run = dataclasses.replace(
        default,
        env=type(default.env)(**options_of(case.env_id, trained)),
        learner=with_fields(default.learner, policy.options),
        **{"device": "cpu", **policy.run, "threads": 1},
    )
    besides = {"output", "resume", "seed", "init_from", *ADJUSTABLE} - {"device", "threads"}
    written = {name: value for name, value in dataclasses.asdict(run).items() if name not in besides}
    if policy.pretraining is not None:
        first = pretraining_of(run, policy.learner, policy.pretraining)
        written["pretraining"] = {name: getattr(first, name) for name in _PRETRAINING}
    training = json.loads(json.dumps({"learner_name": policy.learner, **written}, allow_nan=False))
    evaluation = _evaluation(case, options_of(case.env_id, played), policy.sees)
    return [
        Job(
            {"env_id": case.env_id, "policy": {**training, "seed": seed}, "evaluation": evaluation},
            checkpoint_s=run.checkpoint_s,
        )
        for seed in range(seeds if policy.seeds is None else min(seeds, policy.seeds))
    ]


def pretraining_of(run: Run, agents: str, fields: Fields) -> Pretraining:
    """Returns the pre-training of a run's agents. Raises `ValueError` for unknown and wrong fields."""
    known_only(_PRETRAINING, fields, "pre-training")
    shared = {f.name: getattr(run, f.name) for f in dataclasses.fields(Run) if f.name != "episodes"}
    told: dict[str, Any] = {**shared, "output": None, "resume": False, "init_from": None, "agents": agents, **fields}
    return Pretraining(**told)


@cache
def _preset(learner: str, preset: str, env_id: str) -> Run:
    return preset_run(learner_named(learner), preset, env_id)


def _evaluation(case: Case, env: Fields, sees: Fields) -> dict[str, Any]:
    """Returns the definition of the held-out episodes."""
    reported = [figure.name for figure in problem_of(case.env_id, env).reported_metrics]
    more = {"late": list(case.late), "trends": list(case.trends), "traces": list(case.traces),
            "recorded": case.recorded}  # fmt: skip
    return {
        "env": env,
        "sees": options_of(case.env_id, {**env, **sees}) if sees else None,
        "seed": case.seed,
        "episodes": case.episodes,
        "figures": list(dict.fromkeys([*reported, *case.figures])),
        **{name: of for name, of in more.items() if of},  # results of cases without any keep their names
    }


def options_of(env_id: str, fields: Fields) -> dict[str, Any]:
    """Returns all options of an environment as JSON has them. Raises `ValueError` for unknown and wrong ones."""
    kind = _options_type(env_id)
    known_only([f.name for f in dataclasses.fields(kind)], fields, env_id)
    options = dataclasses.asdict(kind(**fields))
    problem_of(env_id, options)
    return json.loads(json.dumps(options, allow_nan=False))


@cache
def _options_type(env_id: str) -> type[Any]:
    return env_options_type(factory_of(env_id))


def problem_of(env_id: str, options: Fields) -> Problem:
    """Returns the problem of an environment's options. Raises `ValueError` for wrong ones."""
    return _problem(env_id, json.dumps(dict(options)))


@cache
def _problem(env_id: str, options: str) -> Problem:
    return env_options.problem_of(env_id, as_tuples(json.loads(options)))


def learner_named(name: str) -> Learner:
    """Returns a learner."""
    return importlib.import_module(LEARNERS[name]).LEARNER


def with_fields(options: Any, fields: Fields) -> Any:
    """Returns a learner's options with these fields changed, in whichever of its groups they are."""
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
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise ValueError(f"{whose} has no option {', '.join(unknown)}; there are {', '.join(known)}")
