"""A job whose trained run is damaged or of another job never fails for ever: the run is mended or trained again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.jobs.execute import execute, is_readable, train_run
from benchmarks.jobs.files import result_of, run_of
from benchmarks.jobs.plan import Job, jobs_of_suites
from trainers.runs.directory import RunDirectory

ROUNDS = 25


@pytest.fixture
def job(tiny: dict[str, Any]) -> Job:
    return next(job for job in jobs_of_suites(tiny["SUITES"]["tiny"], 1) if job.training)


@pytest.fixture
def run(job: Job, whole: Path, tmp_path: Path) -> Path:
    """The folder of the job's finished run."""
    return Path(shutil.copytree(run_of(job, whole), run_of(job, tmp_path)))


def test_a_run_whose_metrics_lack_rounds_is_trained_again(
    job: Job, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run / "metrics.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    train_run(job, run)
    assert f"{path} is damaged: it has {ROUNDS - 1} of {ROUNDS} rounds; the run is put aside" in capsys.readouterr().out
    assert len(path.read_text().splitlines()) == ROUNDS


def test_rubbish_after_the_metrics_of_a_finished_run_is_dropped(job: Job, run: Path) -> None:
    path = run / "metrics.jsonl"
    before = path.read_bytes()
    path.write_bytes(before + b'{"episodes": \xff')
    train_run(job, run)
    assert path.read_bytes() == before


def test_a_run_with_the_checkpoint_of_another_fails_once(job: Job, run: Path, tmp_path: Path) -> None:
    """Its weights can be read, but do not fit. The first attempt puts the run aside, so that the next one trains."""
    directory = RunDirectory(run)
    state = directory.load_checkpoint()
    state["algorithm"].popitem(last=False)
    directory.save_checkpoint(state)
    with pytest.raises(ValueError, match=r"actions or networks: .* is missing; put aside as .*\.damaged: repeat the"):
        execute(job, tmp_path)
    assert not run.exists()
    execute(job, tmp_path)
    assert result_of(job, tmp_path).exists()


def test_a_damaged_checkpoint_of_a_pretraining_is_not_used(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run / "checkpoint.pt"
    assert is_readable(path)
    path.write_bytes(path.read_bytes()[:-10])
    assert not is_readable(path)
    assert f"{path} is damaged" in capsys.readouterr().out
    path.unlink()
    assert not is_readable(path)
