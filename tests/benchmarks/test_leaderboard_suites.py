"""The leaderboard's suites: what they promise, and that every policy can play every case."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest

from benchmarks.jobs.plan import jobs_of, problem_of, references_of
from benchmarks.results.stored_references import BLIND
from benchmarks.suites import SUITES
from benchmarks.suites.suite import Case, Learned
from trainers.loop.evaluation import learned_policy
from trainers.registry import learner_named
from trainers.runs.configuration import as_tuples, from_json
from vec_envs.problems.base import action_shape
from vec_envs.registration import factory_of

NEEDED = {"random", *BLIND}
"""The policies that every case needs: the worst, and those that see nothing."""
RANKED = [suite for name in ("quick", "main") for suite in SUITES[name] if suite.version]
CASES = [pytest.param(case, id=f"{suite.name}: {case.name}") for suite in RANKED for case in suite.cases]


@pytest.mark.parametrize("suite", RANKED, ids=lambda suite: suite.name)
def test_all_three_models_have_unseen_cases(suite: Any) -> None:
    of = {env_id: [case for case in suite.cases if case.env_id == env_id] for env_id in environment_ids(suite)}
    assert len(of) == 3
    for cases in of.values():
        assert {bool(case.unseen) for case in cases} == {True, False}
        everywhere = set.intersection(*({of.name for of in case.policies} for case in cases))
        assert everywhere >= NEEDED
        assert sum(isinstance(of, Learned) and of.name in everywhere for of in cases[0].policies) >= 1
        trained = [case for case in cases if not case.unseen]
        for case in (case for case in cases if case.unseen):
            (seen,) = (of for of in trained if of.env == case.trained_on)
            assert learned_of(case) == learned_of(seen)
    if suite.name == "main":
        assert {case.unseen for case in suite.cases} == {"", "road", "density", "load", "DNNs"}


def learned_of(case: Case) -> list[Learned]:
    return [of for of in case.policies if isinstance(of, Learned)]


def environment_ids(suite: Any) -> set[str]:
    return {case.env_id for case in suite.cases}


@pytest.mark.parametrize("case", [*CASES, *SUITES["mobile"][0].cases])
def test_a_case_can_be_ranked(case: Case) -> None:
    assert {policy.name for policy in case.policies} >= NEEDED
    assert references_of(case) is not None, "find its blind tables and its seer"
    assert set(case.optima) <= {policy.name for policy in case.policies}
    assert case.episodes >= 32
    assert case.queues
    assert set(case.queues) <= set(case.trends)
    (env,) = {json.dumps(without_own(case, policy), sort_keys=True) for policy in case.policies}
    assert json.loads(env)["num_workers"] == 1


def without_own(case: Case, policy: Any) -> dict[str, Any]:
    """Returns the fields of the evaluation that a policy has in common with the others of its case."""
    own = {"diversion", "observation", "reward", "allocation", "unstable"}
    return {
        name: of for name, of in jobs_of(case, policy, 1)[0].definition["evaluation"]["env"].items() if name not in own
    }


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case.values[0].unseen])
def test_no_policy_is_trained_on_an_unseen_case_and_all_can_play_it(case: Case) -> None:
    """A job of an unseen case shares its training with one of another case, and its networks fit the case."""
    runs = {
        job.run_name
        for suite in RANKED
        for other in suite.cases
        if not other.unseen
        for policy in other.policies
        if isinstance(policy, Learned)
        for job in jobs_of(other, policy, 1)
    }
    for policy in (policy for policy in case.policies if isinstance(policy, Learned)):
        (job,) = jobs_of(case, policy, 1)
        assert job.run_name in runs
        learner = learner_named(policy.learner)
        run = from_json(json.dumps(job.training), learner)
        trained = learner.build(problem_of(case.env_id, job.training["env"]), run.learner, seed=3)
        options = {**as_tuples(job.definition["evaluation"]["env"]), "mobility": "straight"}
        options.pop("scenario", None)  # a straight road has no scenario
        with closing(factory_of(case.env_id).vector_env(num_envs=2, **options)) as env:
            env.reset(seed=0)
            player = learned_policy(learner, run, {"algorithm": trained.state_dict()}, env.problem)
            player.reset(0)
            action = player.act(env.batch.observe())
            assert action.shape == (2, *action_shape(env.problem))
            env.batch.step(action)
