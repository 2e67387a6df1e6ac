"""The runner: each job once, nothing lost by a kill, and a clear word for what fails."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engines.local import next_of
from benchmarks.jobs.execute import locked, rounds_played, train_run
from benchmarks.jobs.files import run_of
from benchmarks.jobs.plan import jobs_of_suites
from benchmarks.results import result as results
from benchmarks.run import main
from tests.waiting import wait_until
from trainers.registry import learner_named
from trainers.runs.options import Run

ROUNDS = 25
Start = Callable[..., subprocess.Popen[str]]


def contents(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns the content of the results by file, without durations and machines."""
    read = {path.name: json.loads(path.read_text()) for path in (folder / "results").glob("*.json")}
    beside = ("training_s", "evaluation_s", "decision_ms", "digest", "provenance")
    return {name: {k: v for k, v in content.items() if k not in beside} for name, content in read.items()}


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    def check() -> None:
        assert process.poll() is None, process.communicate()

    wait_until(condition, "what the test waits for, while the runner runs", check=check)


def lines_of(metrics: list[Path]) -> int:
    return min((len(path.read_text().splitlines()) for path in metrics), default=0)


def pid_of(log: Path) -> int:
    return int(log.read_text().split("process ")[-1].split()[0])


def test_a_run_writes_results_tables_and_pictures(whole: Path) -> None:
    printed = (whole / "printed.txt").read_text()
    assert "3 vehicles" in printed
    assert "2 seeds" in printed
    for name in ("tiny-sweep", "tiny-parts", "tiny-curves"):
        assert "<svg" in (whole / f"{name}.svg").read_text()
        assert "| policy | runs |" in (whole / f"{name}.md").read_text()


def test_identical_jobs_are_run_once(whole: Path) -> None:
    """The case of three vehicles is in all three suites: three policies, one of them with two seeds."""
    names = sorted(path.name.rsplit("-", 1)[0] for path in (whole / "results").glob("*.json"))
    assert names == ["gbs-best", "leo-full", "leo-full", "reo-full", "sac-seed0", "sac-seed1"]
    assert len(list((whole / "logs").iterdir())) == 6


def test_selecting_policies_keeps_the_others_on_the_page(
    whole: Path, tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    assert (
        main(["tiny-parts", "--policies", "leo-full", "--output", str(tmp_path), "--seeds", "2"], tiny["SUITES"]) == 0
    )
    printed = capsys.readouterr().out
    assert "leo-full" in printed
    assert "gbs-best" not in printed
    assert (tmp_path / "tiny-parts.md").read_text() == (whole / "tiny-parts.md").read_text()


def test_a_result_holds_its_provenance(whole: Path) -> None:
    path = next((whole / "results").glob("sac-seed1-*.json"))
    content, result = json.loads(path.read_text()), results.read(path)
    assert content["seed"] == content["definition"]["policy"]["seed"] == 1
    assert content["definition"]["policy"]["learner"]["sac"]["hidden"] == 8
    assert content["definition"]["policy"]["env"]["num_client_vehicles"] == 3
    assert set(content["provenance"]) == {"version", "commit", "dirty", "machine", "versions"}
    assert set(content["provenance"]["machine"]) == {"system", "architecture", "cores"}
    assert {"cost", "time_s", "failed", "queue_s", "low_battery", "low_battery_energy_j"} <= set(result.values)
    assert all(values.shape == (12,) for values in result.values.values())
    assert result.decisions.sum() > 12
    assert result.curve is not None
    assert result.curve["episodes"].tolist() == list(range(4, 101, 4))
    assert content["training_s"] > 0.0
    assert os.uname().nodename not in path.read_text() or len(os.uname().nodename) < 4


def test_finished_jobs_are_not_run_again(whole: Path, start: Start) -> None:
    before = {path: path.stat().st_mtime_ns for path in (whole / "results").iterdir()}
    process = start("tiny", "--seeds", 2, "--output", whole)
    printed, _ = process.communicate()
    assert process.returncode == 0
    assert "6 jobs, of which 6 are done" in printed
    assert {path: path.stat().st_mtime_ns for path in (whole / "results").iterdir()} == before


@pytest.mark.slow
def test_killed_jobs_continue_with_the_same_results(whole: Path, start: Start, tmp_path: Path) -> None:
    """The runner is killed, then a job; the last go ends with what an undisturbed run has."""

    def go() -> subprocess.Popen[str]:
        return start("tiny-curves", "--seeds", 1, "--output", tmp_path)

    def rounds() -> int:
        return lines_of(list(tmp_path.glob("runs/*/metrics.jsonl")))

    process = go()
    until(lambda: rounds() > 2, process)
    process.kill()
    process.wait()
    with locked(next(tmp_path.glob("runs/*.lock"))):  # once its job has ended, which stops with its parent
        assert 2 < rounds() < ROUNDS

    played, process = rounds(), go()
    (log,) = (tmp_path / "logs").iterdir()
    until(lambda: rounds() > played + 2, process)
    os.kill(pid_of(log), signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert f"failed: {log.stem} was killed by signal 9" in errors
    assert f"log: {log}" in errors
    assert played < rounds() < ROUNDS
    assert not contents(tmp_path)

    process = go()
    process.communicate()
    assert process.returncode == 0
    (name,) = contents(tmp_path)
    assert contents(tmp_path)[name] == contents(whole)[name]


def test_jobs_that_share_a_training_keep_no_worker_waiting(tiny: dict[str, Any], tmp_path: Path) -> None:
    (case,) = tiny["CURVES"].cases
    twice = replace(tiny["CURVES"], cases=(case, replace(case, name="unseen", trained_on=case.env, episodes=6)))
    jobs = jobs_of_suites((twice, tiny["REFERENCES"]), 2)
    kinds = [job.name.rsplit("-", 1)[0] for job in jobs]
    assert kinds == ["sac-seed0", "sac-seed1", "sac-seed0", "sac-seed1", "leo-full", "gbs-best"]
    assert next_of(jobs[1:], jobs[:1], tmp_path) is jobs[1]
    assert next_of(jobs[2:], jobs[:2], tmp_path) is jobs[4]
    assert next_of(jobs[2:], jobs[1:2], tmp_path) is jobs[2]
    assert next_of(jobs[2:4], jobs[:2], tmp_path) is None


@pytest.mark.slow
def test_ctrl_c_stops(start: Start, tmp_path: Path) -> None:
    process = start("slow", "--output", tmp_path)
    until(lambda: any("process" in log.read_text() for log in tmp_path.glob("logs/*")), process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "the same command continues" in errors
    assert not list(tmp_path.glob("results/*"))
    with locked(next(tmp_path.glob("runs/*.lock"))):  # nobody is at the job
        pass


@pytest.mark.slow
@pytest.mark.parametrize("how", ["truncated", "edited", "foreign", "of another"])
def test_a_damaged_result_is_reported_and_run_again(
    how: str, tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["references", "--workers", "2", "--output", str(tmp_path)]
    assert main(command, tiny["SUITES"]) == 0
    before = contents(tmp_path)
    leo, gbs = (next((tmp_path / "results").glob(f"{name}-*.json")) for name in ("leo-full", "gbs-best"))
    text = leo.read_text()
    content = {
        "truncated": text[: len(text) // 2],
        "edited": text.replace('"num_client_vehicles":3', '"num_client_vehicles":4'),
        "foreign": "[1, 2]\n",
        "of another": gbs.read_text(),
    }[how]
    leo.write_text(content)
    capsys.readouterr()
    assert main(command, tiny["SUITES"]) == 0
    errors = capsys.readouterr().err
    assert f"{leo} is damaged or of other content" in errors
    assert (leo.with_name(f"{leo.name}.damaged")).read_text() == content
    assert contents(tmp_path) == before


def nothing(has: Run) -> list[str]:
    return []


def test_a_run_of_another_job_under_its_name_is_put_aside(
    tiny: dict[str, Any], whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = next(job for job in jobs_of_suites(tiny["SUITES"]["tiny"], 1) if job.training)
    shutil.copytree(run_of(job, whole), path := run_of(job, tmp_path))
    before = (path / "metrics.jsonl").read_text()
    train_run(job, path)
    assert (path / "metrics.jsonl").read_text() == before
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "seed": 7}))
    train_run(job, path)
    assert "is of another seed; the run is put aside as" in capsys.readouterr().out
    assert json.loads((path / "config.json").read_text())["seed"] == config["seed"]


def test_a_damaged_run_is_put_aside(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    shutil.copytree(next(path for path in (whole / "runs").glob("sac-seed0-*") if path.is_dir()), run)
    assert rounds_played(run, learner_named("sac"), nothing) == ROUNDS
    (run / "checkpoint.pt").write_bytes((run / "checkpoint.pt").read_bytes()[:100])
    assert rounds_played(run, learner_named("sac"), nothing) is None
    assert not run.exists()
    assert (tmp_path / "run.damaged" / "metrics.jsonl").exists()
    assert "is put aside as run.damaged" in capsys.readouterr().out


def test_a_run_killed_before_its_first_checkpoint_starts_over(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    assert rounds_played(tmp_path, learner_named("sac"), nothing) is None
    assert not tmp_path.exists()


@pytest.mark.slow
def test_a_failing_job_does_not_stop_the_others(
    tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["no-traffic", "--policies", "leo-full", "--workers", "2", "--output", str(tmp_path)]
    assert main(command, tiny["WRONG_SUITES"]) == 1
    printed = capsys.readouterr()
    assert "ended with code 1: failed: " in printed.err
    assert "enough vehicles for 500 clients" in printed.err
    (log,) = [line.split("log: ")[1] for line in printed.err.splitlines() if "log: " in line]
    assert Path(log).exists()
    assert len(contents(tmp_path)) == 1
    assert "leo-full  missing" in printed.out


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        ("no-such-policy", ["'leo' on case", "'leo-full', 'leo-best'"]),
        ("no-such-learner", ["the learner 'td3' is unknown", "'sac'"]),
        ("no-such-option", ["case 'typo'", "no option episode_slot;", "episode_slots"]),
        ("no-such-learner-option", ["no option momentum", "learning_rate", "batch_size"]),
        ("out-of-bounds", ["case '0 vehicles'", "num_client_vehicles must be an integer of at least 1, got 0"]),
        ("no-road", ["case 'lost'", "scenario must be one of", "got 'nowhere'"]),
        ("rate-of-0", ["learning_rate must be a finite number above 0, got 0.0"]),
        ("elsewhere", ["the suite 'elsewhere' is unknown", "'tiny-sweep'"]),
    ],
)
def test_commands_that_cannot_run_are_refused_at_once(
    suite: str, words: list[str], tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([suite, "--output", str(tmp_path / "out")], tiny["SUITES"] | tiny["WRONG_SUITES"]) == 2
    errors = capsys.readouterr().err
    assert all(word in errors for word in words), errors
    assert not (tmp_path / "out").exists()


def test_an_unknown_policy_lists_the_known_ones(tiny: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tiny", "--policies", "rtd,ppo"], tiny["SUITES"]) == 2
    errors = capsys.readouterr().err
    assert "the policy 'ppo' is not in tiny; there are 'rtd', 'leo-full', 'gbs-best', 'reo-full'" in errors


def test_the_list_shows_finished_jobs(whole: Path, tiny: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"], tiny["SUITES"]) == 0
    assert "tiny-parts: Parts; 1 cases, 7 jobs" in capsys.readouterr().out
    assert main(["tiny-parts", "--list", "--seeds", "3", "--output", str(whole)], tiny["SUITES"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["again", "rtd", "2", "of", "3", "done"] in rows
    assert ["again", "gbs-best", "1", "of", "1", "done"] in rows


@pytest.mark.parametrize("arguments", [[], ["tiny", "--seeds", "0"], ["tiny", "--workers", "0"]])
def test_a_wrong_command_line_is_refused(arguments: list[str], tiny: dict[str, Any]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments, tiny["SUITES"])
    assert stopped.value.code == 2
