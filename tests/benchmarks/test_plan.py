"""The key of a job is determined by its definition, defaults included, and by nothing else."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.jobs import plan
from benchmarks.jobs.execute import execute
from benchmarks.jobs.files import read_job, write_job
from benchmarks.jobs.plan import case_key, jobs_of, jobs_of_suites, problem_of
from benchmarks.jobs.playing import play
from benchmarks.results.kept import Kept
from benchmarks.results.naming import key_of
from benchmarks.results.result import read
from benchmarks.suites import SUITES, suites_of
from benchmarks.suites.rtd import RTD_PARTS
from benchmarks.suites.suite import Case, Learned, Reference
from trainers.loop.episodes import Step, Trend
from trainers.registry import learner_named
from trainers.runs.configuration import as_json, from_json
from trainers.runs.directory import RunDirectory, read_checkpoint
from vec_envs import cooperative_inference_v0, task_diversion_v0
from vec_envs.dnn import DNNProfile
from vec_envs.mobility import Road, Scenario, TrafficWindow
from vec_envs.mobility.recording import write_recording
from vec_envs.policies import RandomCuts, RandomNumbers, references
from vec_envs.problems.task_diversion.problem import TaskDiversion
from vec_envs.problems.timetable import Timetable
from vec_envs.registration import factory_of


def test_the_same_case_has_the_same_jobs_in_all_suites() -> None:
    """Figures 5 and 6 share 15 vehicles at 0.3 tasks a second, and the parts and learning rates have it too."""
    names = [{job.name for job in jobs_of_suites((suite,), 5)} for suite in SUITES["rtd"]]
    rates, vehicles, releases, parts = names
    assert len(vehicles & releases) == 2 * 5 + 7
    assert len(vehicles & releases & parts) == 2 * 5 + 7
    assert len(rates & parts) == 5
    assert len(jobs_of_suites(SUITES["rtd"], 5)) == len(rates | vehicles | releases | parts)


def test_an_option_newer_than_published_results_is_in_a_key_only_where_it_is_changed(tiny: dict[str, Any]) -> None:
    case, sac = tiny["FIRST"], tiny["SAC"]
    plain, said, changed = (
        jobs_of(case, replace(sac, options={**sac.options, **actor}), 1)[0]
        for actor in ({}, {"actor": "hybrid"}, {"actor": "gaussian"})
    )
    assert plain.name == said.name != changed.name
    learner = [job.definition["policy"]["learner"]["sac"] for job in (plain, changed)]
    assert "actor" not in learner[0]
    assert learner[1]["actor"] == "gaussian"


def test_a_mended_learner_has_other_results_and_runs(tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    case, sac = tiny["FIRST"], tiny["SAC"]
    before = jobs_of(case, sac, 1)[0]
    mended = replace(learner_named(sac.learner), revision=2)
    monkeypatch.setattr(plan, "learner_named", lambda _: mended)
    after = jobs_of(case, sac, 1)[0]
    assert "revision" not in before.definition["policy"]
    assert after.definition["policy"]["revision"] == 2
    assert (before.name, before.run_name) != (after.name, after.run_name)
    assert from_json(json.dumps(after.training), mended) == from_json(json.dumps(before.training), mended)


def test_a_blind_table_is_a_job_that_plays_its_rows(tmp_path: Path) -> None:
    table = [[[0.0, 1.0, 1.0]], [[1.0, 0.5, 1.0]]]
    case = Case(
        name="road", env_id="VEC-TaskDiversion-v0", env={"mobility": "straight", "episode_slots": 6}, episodes=2,
        policies=(Reference(name="timetable", stored=True),), references=str(tmp_path / "references.jsonl"),
    )  # fmt: skip
    assert jobs_of(case, case.policies[0], 1) == []  # not found yet
    line = {
        **case_key(case), "static": {"table": table[:1]}, "timetable": {"table": table}, "seer": {"cost": [1.0]},
    }  # fmt: skip
    (tmp_path / "references.jsonl").write_text(json.dumps(line))
    (job,) = jobs_of(case, case.policies[0], 1)
    assert job.definition["policy"] == {"reference": "timetable", "table": table}
    assert jobs_of(replace(case, seed=2000), case.policies[0], 1) == [], "found for other episodes"
    with pytest.raises(ValueError, match="must be one of static, timetable, got 'typo'"):
        jobs_of(case, Reference(name="typo", stored=True), 1)
    execute(job, tmp_path)
    (path,) = (tmp_path / "results").glob("timetable-*.json")
    with closing(factory_of(case.env_id).vector_env(num_envs=2, **case.env)) as env:
        policy = Timetable(env.problem, np.array(table))
        expected = play(policy, env, env.problem, job.kept, seed=case.seed)
    assert read(path).values["cost"] == pytest.approx(expected.values["cost"])


def test_explicit_defaults_do_not_change_the_key(tiny: dict[str, Any]) -> None:
    case, sac = tiny["FIRST"], tiny["SAC"]
    said = replace(case, env={**case.env, "num_rsus": TaskDiversion().num_rsus, "dnns": TaskDiversion.dnns})
    assert [job.name for job in jobs_of(said, sac, 2)] == [job.name for job in jobs_of(case, sac, 2)]


def test_a_network_of_ones_own_is_part_of_the_job(tiny: dict[str, Any], tmp_path: Path) -> None:
    """A profile and its file give one job, which plays without the file. Another network gives another job."""
    own = replace(DNNProfile.load("nin", "rtd"), name="own")
    own.write(tmp_path / "own.json")
    cases = [
        replace(tiny["FIRST"], env={**tiny["FIRST"].env, "dnns": (dnn, "vgg16")}, episodes=2)
        for dnn in (own, str(tmp_path / "own.json"), replace(own, input_mbit=1.0))
    ]
    named, of_file, other = (
        [job.name for job in jobs_of_suites((replace(tiny["SWEEP"], cases=(case,)),), 1)] for case in cases
    )
    assert named == of_file
    assert not set(named) & set(other)
    (tmp_path / "own.json").unlink()
    job = jobs_of(cases[0], Reference(name="leo-full"), 1)[0]
    execute(read_job(write_job(job, tmp_path)), tmp_path)
    result = read(tmp_path / "results" / f"{job.name}.json")
    assert problem_of(cases[0].env_id, result.definition["evaluation"]["env"]).profiles[0] == own
    trained = jobs_of(cases[0], tiny["SAC"], 1)[0]
    run = from_json(json.dumps(trained.training), learner_named("sac"))
    assert from_json(as_json(run, "sac"), learner_named("sac")).env == run.env


def a_recording(path: Path, range_m: float = 500.0) -> None:
    road = Road(name="r", rsu_xyz_m=(0.0, 0.0, 8.0), range_m=range_m, speed_limit_mps=20.0)
    x_m = np.arange(-5.0, 5.0)[:, None] * 20.0 + np.arange(20.0)
    window = TrafficWindow(
        xy_m=np.stack((x_m, np.zeros_like(x_m)), axis=-1),
        position_m=x_m,
        speed_mps=np.full_like(x_m, 20.0),
        present=np.ones(x_m.shape, dtype=np.bool_),
        may_be_client=np.ones(20, dtype=np.bool_),
        may_be_service=np.ones(20, dtype=np.bool_),
    )
    write_recording(path, road, 1.0, [window])


def a_scenario(folder: Path, flow: str) -> None:
    shutil.copytree(Scenario.load("fdr-drive").net_file.parent, folder)
    (folder / "rou.xml").write_text(flow, encoding="utf-8")


def a_module(path: Path, name: str) -> None:
    path.write_text(f"from vec_envs.mobility import StraightMobility as made\n# {name}", encoding="utf-8")


@pytest.mark.parametrize("kind", ["replay", "trace", "sumo", "module", "file of a module"])
def test_files_of_ones_own_count_by_content(
    kind: str, tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file under two paths gives the same jobs; two files under one path give different ones."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(name: str, content: int) -> dict[str, Any]:
        path = tmp_path / name
        if path.is_dir():
            shutil.rmtree(path)
        if kind == "module":
            a_module(path.with_suffix(".py"), str(content))
            return {"mobility": f"{name}:made"}
        if kind == "sumo":
            a_scenario(path, f"<routes><!-- {content} --></routes>")
            return {"mobility": "sumo", "scenario": str(path)}
        a_recording(path, 500.0 + content)
        if kind != "file of a module":
            return {"mobility": kind, "scenario": str(path)}
        a_module(tmp_path / "one_module.py", "")
        return {"mobility": "one_module:made", "scenario": str(path)}

    def named(traffic: dict[str, Any]) -> list[str]:
        case = replace(tiny["FIRST"], env={**tiny["FIRST"].env, **traffic})
        jobs = jobs_of_suites((replace(tiny["SWEEP"], cases=(case,)),), 1)
        return [name for job in jobs for name in (job.name, job.run_name if job.training else "")] + [
            str(case_key(case))
        ]

    first, moved = named(put("first_traffic", 1)), named(put("moved_traffic", 1))
    assert first == moved
    changed = named(put("first_traffic", 2))
    assert not (set(changed) & set(first)) - {""}
    assert named(put("first_traffic", 1)) == first


def test_a_result_of_a_recording_of_ones_own_says_its_hash(tiny: dict[str, Any], tmp_path: Path) -> None:
    a_recording(tmp_path / "mine.npz")
    traffic = {"mobility": "replay", "scenario": str(tmp_path / "mine.npz"), "num_client_vehicles": 3}
    case = replace(tiny["FIRST"], env={**tiny["FIRST"].env, **traffic, "episode_slots": 5}, episodes=2)
    job = jobs_of(case, Reference(name="leo-full"), 1)[0]
    execute(read_job(write_job(job, tmp_path)), tmp_path)
    definition = read(tmp_path / "results" / f"{job.name}.json").definition
    assert list(definition["files"]) == [traffic["scenario"]]
    later = replace(case, seed=case.seed + 1)
    job = jobs_of(later, Reference(name="leo-full"), 1)[0]
    a_recording(tmp_path / "mine.npz", 400.0)
    with pytest.raises(ValueError, match=r"mine\.npz changed after this job was planned: run benchmarks.run again"):
        execute(job, tmp_path)
    (tmp_path / "mine.npz").unlink()
    with pytest.raises(ValueError, match=r"policy 'leo-full' on case .*: scenario must be one of"):
        jobs_of(later, Reference(name="leo-full"), 1)


def test_the_hash_of_a_file_is_no_name(tiny: dict[str, Any]) -> None:
    """Nobody can give a result the name of another one by writing a name in place of a hash."""
    definition = jobs_of(tiny["FIRST"], Reference(name="leo-full"), 1)[0].definition
    env = {**definition["evaluation"]["env"], "scenario": "elsewhere"}
    faked = {**definition, "evaluation": {**definition["evaluation"], "env": env}}
    assert key_of({**faked, "files": {"elsewhere": definition["evaluation"]["env"]["scenario"]}}) != key_of(definition)


@pytest.mark.parametrize(
    "change",
    [
        {"env": {"diversion": "nearest"}},
        {"evaluated": {"battery_factor": False}},
        {"sees": {"battery_factor": False}},
        {"options": {"hidden": 9}},
        {"run": {"episodes": 44}},
    ],
)
def test_options_of_the_definition_change_the_key(change: dict[str, Any], tiny: dict[str, Any]) -> None:
    case, sac = tiny["FIRST"], tiny["SAC"]
    (before,), (after,) = jobs_of(case, sac, 1), jobs_of(case, replace(sac, **change), 1)
    assert before.name != after.name
    same_run = "evaluated" in change or "sees" in change
    assert (before.run_name == after.run_name) == same_run


def test_other_options_do_not_change_the_key(tiny: dict[str, Any]) -> None:
    case, sac = tiny["FIRST"], tiny["SAC"]
    other = replace(sac, name="another", run={**sac.run, "checkpoint_s": 7.0})
    (before,), (after,) = jobs_of(case, sac, 1), jobs_of(case, other, 1)
    assert before.name == after.name
    assert after.checkpoint_s == 7.0


def test_policies_play_with_their_own_environment_options() -> None:
    (case,) = RTD_PARTS.cases
    env = {policy.name: jobs_of(case, policy, 1)[0].definition["evaluation"]["env"] for policy in case.policies}
    trained = {
        policy.name: job.training["env"] for policy in case.policies if (job := jobs_of(case, policy, 1)[0]).training
    }
    assert (
        env["reo-full"]["diversion"]
        == env["rtd-nearest"]["diversion"]
        == trained["rtd-nearest"]["diversion"]
        == "nearest"
    )
    assert env["rtd"]["diversion"] == env["leo-full"]["diversion"] == "probability"
    assert env["disdqn"]["diversion"] == trained["disdqn"]["diversion"] == "chosen"
    assert env["rtd-no-battery"]["battery_factor"]
    assert not trained["rtd-no-battery"]["battery_factor"]


def test_all_policies_of_a_case_play_the_same_draws() -> None:
    """Their environments may differ in options but not in random draws: the same tasks arrive at the same times."""
    (case,) = RTD_PARTS.cases
    envs = [jobs_of(case, policy, 1)[0].definition["evaluation"]["env"] for policy in case.policies]
    drawn: list[Any] = []
    for options in envs:
        with closing(factory_of(case.env_id).vector_env(num_envs=2, **{**options, "mobility": "straight"})) as env:
            env.reset(seed=case.seed)
            drawn.append(env.batch.episode(0))
    for exogenous in drawn[1:]:
        np.testing.assert_array_equal(exogenous.release_s, drawn[0].release_s)
        np.testing.assert_array_equal(exogenous.rate_mbps, drawn[0].rate_mbps)
        np.testing.assert_array_equal(exogenous.deadline_s, drawn[0].deadline_s)


def test_a_policy_observes_with_the_options_of_its_training() -> None:
    """Policies observe the energy weight as in training; the cost uses the energy weight of the evaluation."""
    options = {"num_client_vehicles": 3, "episode_slots": 8, "observation": "extended"}
    sees = problem_of("VEC-TaskDiversion-v0", {**options, "battery_factor": False})
    recorded: list[np.ndarray] = []

    class Watching(RandomNumbers):
        def act(self, observation: np.ndarray, view: Any = None) -> np.ndarray:
            recorded.append(observation)
            return super().act(observation, view)

    kept = Kept(metrics=("cost", "vehicle_energy_j"))
    with closing(task_diversion_v0.vector_env(num_envs=4, mobility="straight", **options)) as env:
        judged = play(Watching(sees), env, sees, kept, seed=0).values
        blind, recorded = recorded, []
        same = play(Watching(env.problem), env, env.problem, kept, seed=0).values
    np.testing.assert_array_equal(judged["cost"], same["cost"])  # a random policy ignores the observation
    assert not all(np.array_equal(a, b) for a, b in zip(blind, recorded, strict=True))


def test_an_unknown_metric_is_named() -> None:
    made = task_diversion_v0.vector_env(num_envs=1, mobility="straight", episode_slots=4)
    with closing(made) as env, pytest.raises(ValueError, match=r"no metric speed; it has .*cost"):
        play(RandomNumbers(env.problem), env, env.problem, Kept(metrics=("speed",)), seed=0)


def test_late_means_and_traces_are_of_the_epochs_they_say() -> None:
    kept = Kept(metrics=("delay_s",), late=("delay_s", "energy_queue"), traces=("energy_queue",))
    with closing(cooperative_inference_v0.vector_env(num_envs=3, episode_slots=10)) as env:
        played = play(RandomCuts(env.problem), env, env.problem, kept, seed=3)
        policy, recorded = RandomCuts(env.problem), list[dict[str, np.ndarray]]()
        policy.reset(3)
        env.reset(seed=3)
        for _ in range(10):
            outcome = env.batch.step(policy.act(env.batch.observe(), env.view))
            recorded.append(dict(env.problem.metrics(env.batch.state, outcome)))
    by_epoch = {name: np.stack([figures[name] for figures in recorded]) for name in ("delay_s", "energy_queue")}
    np.testing.assert_allclose(played.values["delay_s"], by_epoch["delay_s"].mean(axis=0))
    np.testing.assert_allclose(played.values["late_delay_s"], by_epoch["delay_s"][5:].mean(axis=0))
    np.testing.assert_allclose(played.values["late_energy_queue"], by_epoch["energy_queue"][5:].mean(axis=0))
    np.testing.assert_allclose(played.traces["energy_queue"], by_epoch["energy_queue"].mean(axis=1))


def test_a_policy_may_need_fewer_seeds(tiny: dict[str, Any]) -> None:
    case, sac = tiny["FIRST"], tiny["SAC"]
    few = replace(sac, seeds=2)
    assert [len(jobs_of(case, few, asked)) for asked in (1, 2, 5)] == [1, 2, 2]
    assert [job.name for job in jobs_of(case, few, 5)] == [job.name for job in jobs_of(case, sac, 2)]


def test_trends_are_slopes_over_the_last_two_thirds() -> None:
    kept = Kept(metrics=("delay_s",), trends=("energy_queue",), traces=("energy_queue",))
    with closing(cooperative_inference_v0.vector_env(num_envs=1, episode_slots=12)) as env:
        played = play(RandomCuts(env.problem), env, env.problem, kept, seed=3)
    trace = played.traces["energy_queue"]
    slope = np.polyfit(np.arange(4, 12), trace[4:], 1)[0]
    assert slope > 0.0
    np.testing.assert_allclose(played.values["trend_energy_queue"], [slope])


def test_a_trend_counts_the_epochs_of_each_environment_separately() -> None:
    trend = Trend(["x"], 3)
    for epoch in range(5):
        running = np.array([True, epoch < 3, epoch < 1])
        figures = {"x": np.array([2.0 * epoch, 7.0 - epoch if epoch < 3 else np.nan, 1.0])}
        trend.add(Step(running=running, reward=None, next_observation=None, chain=None, metrics=figures))  # type: ignore[arg-type]
    assert trend.slopes()["x"].tolist() == [2.0, -1.0, 0.0]
    assert Trend(["x"], 2).slopes()["x"].tolist() == [0.0, 0.0]


def test_the_metrics_of_a_case_do_not_change_the_name_of_a_result() -> None:
    (case,) = SUITES["lymdo-fig5"][0].cases
    (job,) = jobs_of(case, case.policies[-1], 1)
    (fewer,) = jobs_of(replace(case, late=(), traces=()), case.policies[-1], 1)
    assert job.name == fewer.name
    assert set(fewer.definition["evaluation"]) == {"env", "sees", "seed", "episodes"}
    assert fewer.kept == Kept(metrics=job.kept.metrics)
    assert fewer.kept.lacking(job.kept)[-1] == "the trace of energy_queue_resnet18"


def test_cases_of_the_same_episodes_are_one_job_with_the_metrics_of_both() -> None:
    (suite,) = SUITES["lymdo-fig5"]
    (case,) = suite.cases
    fewer = replace(case, name="fewer", late=(), traces=(), trends=("delay_s",))
    (whole,) = jobs_of(case, case.policies[-1], 1)
    both = {job.name: job for job in jobs_of_suites((replace(suite, cases=(fewer, case)),), 1)}
    assert len(both) == len(jobs_of_suites((suite,), 1))
    assert both[whole.name].kept == replace(whole.kept, trends=("delay_s",))


def test_suites_compare_with_all_references_of_the_problem() -> None:
    known = set(references(TaskDiversion).policies) - {"gbs-deadline"}  # not of the paper
    assert {policy.name for policy in RTD_PARTS.cases[0].policies} >= known
    for suite in SUITES["rtd-fig5"] + SUITES["rtd-fig6"]:
        for case in suite.cases:
            assert {policy.name for policy in case.policies} == known - {"random"} | {"rtd", "disdqn"}


def test_selected_policies_alone_are_planned() -> None:
    (suite,) = suites_of("rtd-fig5", SUITES, ("disdqn",))
    assert {policy.name for case in suite.cases for policy in case.policies} == {"disdqn"}
    assert all(isinstance(policy, Learned) for case in suite.cases for policy in case.policies)


@pytest.mark.slow
def test_a_policy_with_pretraining_is_pretrained_first(tmp_path: Path) -> None:
    """Once for a run; with other fields it is another run, and without any it is the run that it always was."""
    small = {"hidden": 8, "hidden_layers": 1, "hypernetwork_hidden": 8, "batch_size": 8, "warm_up_episodes": 4}
    plain = Learned(name="plain", learner="qmix", options=small, run={"episodes": 8, "num_envs": 4})
    taught = replace(plain, name="taught", pretraining={"episodes": 8, "epochs": 1})
    env = {"num_client_vehicles": 2, "num_service_vehicles": 1, "episode_slots": 5, "mobility": "straight"}
    case = Case(name="two", env_id="VEC-DNNPartition-v0", env=env, policies=(plain, taught), episodes=2)
    (without,), (job,) = jobs_of(case, plain, 1), jobs_of(case, taught, 1)
    (other,) = jobs_of(case, replace(taught, pretraining={"episodes": 8, "epochs": 2}), 1)
    assert "pretraining" not in without.definition["policy"]
    assert len({without.run_name, job.run_name, other.run_name}) == 3
    with pytest.raises(ValueError, match=r"pre-training has no option experts; there are episodes, expert, "):
        jobs_of(case, replace(taught, pretraining={"experts": "random"}), 1)
    execute(job, tmp_path)
    first = tmp_path / "runs" / f"{job.run_name}.pretraining"
    (experts,) = (tmp_path / "runs").glob("experts-*")
    assert len(list(experts.glob("*.npz"))) == 2, "for all policies that learn from the same"
    written = (first / "checkpoint.pt").stat().st_mtime_ns
    assert RunDirectory(tmp_path / "runs" / job.run_name).config().count("pretraining/checkpoint.pt") == 1
    next((tmp_path / "results").glob("*.json")).unlink()
    (tmp_path / "runs" / job.run_name / "checkpoint.pt").unlink()
    execute(job, tmp_path)
    assert (first / "checkpoint.pt").stat().st_mtime_ns == written


@pytest.mark.slow
def test_a_policy_may_be_pretrained_alone(tmp_path: Path) -> None:
    """With no training episodes it plays with the weights of its pre-training, and has no learning curve."""
    small = {"hidden": 8, "hidden_layers": 1, "hypernetwork_hidden": 8}
    run, first = {"episodes": 0, "num_envs": 4}, {"episodes": 8, "epochs": 1}
    taught = Learned(name="taught", learner="qmix", options=small, run=run, pretraining=first)
    env = {"num_client_vehicles": 2, "num_service_vehicles": 1, "episode_slots": 5, "mobility": "straight"}
    case = Case(name="two", env_id="VEC-DNNPartition-v0", env=env, policies=(taught,), episodes=2)
    (job,) = jobs_of(case, taught, 1)
    execute(job, tmp_path)
    (path,) = (tmp_path / "results").glob("*.json")
    assert json.loads(path.read_text())["curve"] is None
    weights, own = (
        read_checkpoint(tmp_path / "runs" / name / "checkpoint.pt")["algorithm"]
        for name in (f"{job.run_name}.pretraining", job.run_name)
    )
    assert all(bool((weights[name] == own[name]).all()) for name in weights if name.startswith("policy.network."))
