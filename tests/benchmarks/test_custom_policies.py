"""Custom policies: how they are named, and that a faulty one is reported without affecting other jobs."""

from __future__ import annotations

import re
import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.jobs.execute import evaluate
from benchmarks.jobs.files import Failure
from benchmarks.jobs.plan import jobs_of
from benchmarks.jobs.playing import play
from benchmarks.policies.custom import GuardedPolicy, definition_of, make_policy
from benchmarks.reports.policy_results import collect
from benchmarks.results import result as results
from benchmarks.results.kept import Kept
from benchmarks.results.stores import ResultStore
from benchmarks.run import main, without_results
from benchmarks.suites import suites_of, with_custom_policies
from benchmarks.suites.suite import Case, CustomPolicy, Reference, Suite
from vec_envs import dnn_partition_v0, task_diversion_v0
from vec_envs.problems.dnn_partition.problem import DNNPartition

MODULE = "tests.benchmarks.their_policies"
ENV = {"num_client_vehicles": 2, "num_service_vehicles": 1, "episode_slots": 6, "mobility": "straight"}
CASE = Case(
    name="two", env_id="VEC-DNNPartition-v0", env=ENV, policies=(Reference(name="all-local"),), episodes=4,
    trends=("backlog_gcycles",), queues=("backlog_gcycles",),
)  # fmt: skip
OTHER = Case(name="other", env_id="VEC-CooperativeInference-v0", env={"episode_slots": 4}, policies=(), episodes=2)
SUITES = {
    "small": (
        Suite(name="small", title="Small", cases=(CASE, OTHER), baseline="", picture="none", shows="", version="1"),
    )
}


@pytest.mark.slow
def test_a_custom_policy_plays_only_the_environments_in_env_ids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"{MODULE}:Local"
    assert (
        main(["small", "--policies", f"all-local,{source}", "--output", str(tmp_path), "--workers", "1"], SUITES) == 0
    )
    printed = capsys.readouterr().out
    assert source in printed
    files = sorted((tmp_path / "results").glob("*.json"))
    own, theirs = (results.read(path) for path in files)
    assert (own.definition["policy"], theirs.definition["policy"]["given"]) == ({"reference": "all-local"}, source)
    for name, values in own.values.items():
        np.testing.assert_array_equal(values, theirs.values[name])
    assert theirs.decision_ms is not None
    assert theirs.decision_ms > 0.0


def test_the_source_of_a_policy_is_part_of_its_definition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    text = "from vec_envs.policies import AllLocal as Mine\n\n\ndef mine(problem):\n    return Mine(problem)\n"
    names: list[str] = []
    for number, more in enumerate(("", "# another\n")):
        (tmp_path / f"hers{number}.py").write_text(text + more)
        (job,) = jobs_of(CASE, CustomPolicy(name="hers", source=f"hers{number}:mine"), 5)
        names.append(job.definition["policy"]["sha256"])
    assert names[0] != names[1]


def test_a_policy_can_observe_more_but_is_scored_on_the_case() -> None:
    (job,) = jobs_of(CASE, CustomPolicy(name="sees", source=f"{MODULE}:Sees"), 1)
    of = job.definition["evaluation"]
    assert of["sees"]["observation"] == "extended"
    assert of["env"]["observation"] == "paper"
    assert job.definition["policy"]["sees"] == {"observation": "extended"}
    sees, local = (
        evaluate(jobs_of(CASE, CustomPolicy(name=name, source=f"{MODULE}:{name}"), 1)[0], None).values
        for name in ("Sees", "Local")
    )
    np.testing.assert_array_equal(sees["completion_time_s"], local["completion_time_s"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "limit_s", "says"),
    [
        ("Raises", inf, r"act raised KeyError: 'no such thing'"),
        ("WrongShape", inf, r"have shape \(4, 1\), not \(4, 2\)"),
        ("NotANumber", inf, "not finite numbers"),
        ("OutOfRange", inf, r"action 10000 of client_0 is outside"),
        ("Sleeps", 0.05, "4 decisions at once took longer than 0.2 s"),
        ("Swallows", 0.05, "4 decisions at once took longer than 0.2 s"),
        ("NeverStarts", 0.05, "starting an episode took longer than 1.5 s"),
        ("Leaves", inf, "act raised SystemExit: 0"),
    ],
)
def test_errors_of_a_policy_are_reported(name: str, limit_s: float, says: str) -> None:
    kept = Kept(metrics=("completion_time_s",))
    with closing(dnn_partition_v0.vector_env(num_envs=4, **ENV)) as env:
        policy = make_policy(definition_of(f"{MODULE}:{name}"), env.problem)
        with pytest.raises(ValueError, match=says):
            play(policy, env, env.problem, kept, seed=0, limit_s=limit_s)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("nowhere:Policy", "cannot be imported: ModuleNotFoundError"),
        (f"{MODULE}:Nobody", "cannot be imported: AttributeError"),
        (f"{MODULE}:NOTHING", "must be a class or function, got int"),
        (":Policy", "must be given as package.module:name, got ':Policy'"),
        (f"{MODULE}:", "must be given as package.module:name, got "),
    ],
)
def test_a_missing_policy_is_refused_before_any_job_runs(source: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        suites_of("small", SUITES, (source,))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "Nowhere",
            r"env_ids=\('VEC-DNNPartition-v1',\) of the policy .*:Nowhere': the environment 'VEC-DNNPartition-v1' is "
            r"unknown; there are 'VEC-DNNPartition-v0', ",
        ),
        ("OneName", r"env_ids='VEC-DNNPartition-v0' of the policy .*:OneName' must be a tuple of ids"),
        ("Elsewhere", r":Elsewhere plays none of the environments of small"),
    ],
)
def test_a_policy_that_plays_no_environment_is_reported(
    name: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["small", "--policies", f"{MODULE}:{name}", "--output", str(tmp_path)], SUITES) == 2
    assert re.search(says, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("name", "says"),
    [("needs_more", "raised RuntimeError: no checkpoint"), ("makes_nothing", "returned int, which is no")],
)
def test_a_policy_that_cannot_be_made_is_reported(name: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make_policy(definition_of(f"{MODULE}:{name}"), DNNPartition())


@pytest.mark.parametrize(
    ("env_id", "factory"), [(CASE.env_id, dnn_partition_v0), ("VEC-TaskDiversion-v0", task_diversion_v0)]
)
def test_a_policy_cannot_change_the_environment(env_id: str, factory: Any) -> None:
    """A policy that overwrites its arguments, such as queue lengths, gets the same results as one that does not."""
    options = (
        ENV if factory is dnn_partition_v0 else {"num_client_vehicles": 3, "episode_slots": 8, "mobility": "straight"}
    )
    played: list[dict[str, np.ndarray]] = []
    for name in ("Random", "Vandal"):
        with closing(factory.vector_env(num_envs=3, **options)) as env:
            policy = make_policy(definition_of(f"{MODULE}:{name}"), env.problem)
            metric = env.problem.reported_metrics[0].name
            played.append(play(policy, env, env.problem, Kept(metrics=(metric,)), seed=1).values)
    for metric, values in played[0].items():
        np.testing.assert_array_equal(values, played[1][metric])


def test_files_of_a_policy_are_part_of_its_definition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "of_file.py").write_text(
        "class P:\n    files = ('weights.bin',)\n    def __init__(self, problem): ...\n"
    )
    with pytest.raises(ValueError, match=r"names the file weights.bin, which is not beside its module"):
        definition_of("of_file:P")
    (tmp_path / "weights.bin").write_bytes(b"1")
    before = definition_of("of_file:P")
    (tmp_path / "weights.bin").write_bytes(b"2")
    assert definition_of("of_file:P") != before
    with pytest.raises(ValueError, match="the files of of_file:P have changed since this job was planned"):
        make_policy(before, DNNPartition())


def test_an_invalid_decision_limit_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for limit in ("0", "-1", "nan"):
        with pytest.raises(SystemExit):
            main(["small", "--decision-limit", limit], SUITES)
        assert "must be above 0" in capsys.readouterr().err


@pytest.mark.slow
def test_warnings_of_a_policy_are_kept_in_its_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    only = {"small": (replace(SUITES["small"][0], cases=(CASE,)),)}
    source = f"{MODULE}:Warns"
    monkeypatch.chdir(tmp_path)
    assert main(["small", "--policies", f"{source},all-local", "--output", ".", "--workers", "1"], only) == 0
    quiet, warned = (results.read(path) for path in sorted(Path("results").glob("*.json")))
    assert (quiet.warnings, warned.warnings) == ((), ("3 of 4 slots are guessed",))
    said = f"{source} on {CASE.name} warned: 3 of 4 slots are guessed"
    assert said in Path("small.md").read_text()


@pytest.mark.slow
def test_a_failing_policy_is_left_out_and_the_others_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    only = {"small": (replace(SUITES["small"][0], cases=(CASE,)),)}
    code = main(
        ["small", "--policies", f"{MODULE}:Raises,all-local", "--output", str(tmp_path), "--workers", "1"], only
    )
    assert code == 1
    assert "the policy's act raised KeyError" in capsys.readouterr().err
    assert [path.stem[:9] for path in (tmp_path / "results").glob("*.json")] == ["all-local"]


@pytest.mark.slow
def test_where_every_job_of_a_policy_fails_this_is_said_and_no_page_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only, source = {"small": (replace(SUITES["small"][0], cases=(CASE,)),)}, f"{MODULE}:Raises"
    assert main(["small", "--policies", source, "--output", str(tmp_path), "--workers", "1"], only) == 1
    printed = capsys.readouterr()
    assert f"every job of {source} failed: it has no results in {tmp_path}" in printed.err
    assert "Small: there are no results in" in printed.out
    assert list(tmp_path.glob("*.md")) == []


def test_a_policy_counts_as_failed_only_if_all_its_jobs_did(tmp_path: Path) -> None:
    twice = replace(SUITES["small"][0], cases=(CASE, replace(CASE, name="longer", episodes=5)))
    (first,), (second,) = (jobs_of(case, CASE.policies[0], 1) for case in twice.cases)
    failures = [Failure(job=job, how="ended", log=tmp_path) for job in (first, second)]
    assert without_results((twice,), 1, failures) == ["all-local"]
    assert without_results((twice,), 1, failures[:1]) == []
    assert without_results((twice,), 1, []) == []


def test_a_policy_has_no_rows_on_environments_that_it_does_not_play(tmp_path: Path) -> None:
    source = f"{MODULE}:Local"
    (suite,) = with_custom_policies(SUITES["small"], (source,))
    (tmp_path / "results").mkdir()
    found = collect(suite, 1, ResultStore(tmp_path / "results"))
    assert [(of.case, of.policy) for of in found] == [("two", "all-local"), ("two", source)]


def test_the_example_of_the_documentation_plays_and_is_better_than_all_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs" / "examples")
    case = replace(CASE, env={**ENV, "num_client_vehicles": 4, "episode_slots": 12})
    means = [
        evaluate(jobs_of(case, policy, 1)[0], None).values["completion_time_s"].mean()
        for policy in (CustomPolicy(name="mine", source="my_policy:WholeTasks"), Reference(name="all-local"))
    ]
    assert means[0] < 0.5 * means[1]


def test_decision_time_excludes_the_guards_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(dnn_partition_v0.vector_env(num_envs=2, **ENV)) as env:
        make = partial(make_policy, definition_of(f"{MODULE}:Random"), env.problem)
        monkeypatch.setattr(GuardedPolicy, "_copy", lambda self, view: (busy(0.02), view)[1])
        played = play(make(), env, env.problem, Kept(metrics=("completion_time_s",)), seed=1, timed=make())
    assert played.decision_ms is not None
    assert 0.0 < played.decision_ms < 20.0


def busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class TakesLastLegal:
    """Takes each agent's last legal action, of a mask that it must be given."""

    def __init__(self, problem: Any) -> None:
        self._problem = problem

    def reset(self, seed: int) -> None:
        """Does nothing."""

    def act(self, observation: Any, view: Any = None, action_mask: Any = None) -> Any:
        np.testing.assert_array_equal(action_mask, self._problem.action_mask(view.state, view.exogenous))
        return action_mask.shape[-1] - 1 - action_mask[..., ::-1].argmax(axis=-1)


def test_a_custom_policy_that_takes_the_action_mask_is_given_it() -> None:
    with closing(dnn_partition_v0.vector_env(num_envs=2, v2v_range_m=100.0, **ENV)) as env:
        guarded = GuardedPolicy(TakesLastLegal(env.problem), env.problem)
        for policy in (guarded, TakesLastLegal(env.problem)):
            played = play(policy, env, env.problem, Kept(), seed=0)
            assert played.decisions.tolist() == [6, 6]
