"""Files and lines of results: metrics may be added, older formats are converted, and nothing is lost."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.jobs.execute import execute
from benchmarks.jobs.files import is_done, result_of, run_of
from benchmarks.jobs.plan import Job, jobs_of
from benchmarks.leaderboard.build import board_of
from benchmarks.reports.policy_results import collect
from benchmarks.results import format1, naming
from benchmarks.results import result as results
from benchmarks.results.kept import Kept
from benchmarks.results.stores import ResultStore, convert_folder, open_results
from benchmarks.run import main
from benchmarks.suites.suite import Reference
from tests.benchmarks.known import BASE, SEEDS, SUITE


def as_format_1(path: Path, *, without: str = "") -> Path:
    """Rewrites a result as format 1 wrote it, and returns its file. `without` names a metric that it shall not keep."""
    content = json.loads(path.read_text())
    kept = Kept.of(content.pop("kept"))
    kept = replace(kept, metrics=tuple(name for name in kept.metrics if name != without))
    definition = format1.definition_of(content["definition"], kept)
    values = {name: of for name, of in content["values"].items() if name in kept.values}
    old = {**content, "format": 1, "key": naming.key_of(definition), "definition": definition, "values": values}
    del old["name"]
    old["digest"] = naming.digest_of(old)
    file = path.with_name(f"{naming.name_of(definition)}.json")
    file.write_text(results.line_of({"format": old.pop("format"), **old}))
    return file


@pytest.fixture
def path(folder: Path, tmp_path: Path) -> Path:
    """A result of the suite of `known`, alone in a folder."""
    (job,) = jobs_of(BASE, Reference(name="least-delay"), 1)
    return Path(shutil.copy(folder / f"{job.name}.json", tmp_path))


def test_a_file_of_format_1_is_read_as_the_present_format(path: Path) -> None:
    present = json.loads(path.read_text())
    old = as_format_1(path)
    path.unlink()
    assert old.stem != path.stem
    converted = results.read(old)
    assert converted.content == present
    assert list(ResultStore(old.parent).names) == [path.stem]
    assert convert_folder(old.parent) == 1
    assert [file.name for file in old.parent.iterdir()] == [path.name]
    assert json.loads(path.read_text()) == present


@pytest.mark.parametrize("how", ["edited", "renamed", "no definition"])
def test_a_damaged_file_of_format_1_is_rejected(path: Path, how: str) -> None:
    old = as_format_1(path)
    path.unlink()
    if how == "edited":
        old.write_text(old.read_text().replace('"decisions":[30', '"decisions":[31'))
    elif how == "renamed":
        old = old.rename(old.with_name("least-delay-0123456789abcdef.json"))
    else:
        old.write_text('{"format":1,"key":""}')
    with pytest.raises(ValueError, match="damaged or of other content"):
        results.read(old)
    assert convert_folder(old.parent) == 0
    assert old.exists()


def test_files_of_format_1_that_differ_in_their_metrics_are_one_result(path: Path) -> None:
    present = results.read(path)
    as_format_1(path)
    as_format_1(path, without="backlog_gcycles")
    path.unlink()
    store = ResultStore(path.parent)
    assert len(store.entries) == 2
    found = store.find(path.stem)
    assert found is not None
    assert found.kept.lacking(present.kept) == []
    assert convert_folder(path.parent) == 2
    assert results.read(path).values.keys() == present.values.keys()


def test_lines_and_files_are_the_same_results(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "two.jsonl"
    file.write_text("".join(path.read_text() for path in sorted(folder.glob("*.json"))))
    assert open_results(file).names == open_results(folder).names == open_results(tmp_path).names
    assert board_of((SUITE,), SEEDS, file) == board_of((SUITE,), SEEDS, folder)
    of_files, of_lines = (collect(SUITE, SEEDS, open_results(path)) for path in (folder, file))
    assert [of.mean("backlog_gcycles").interval for of in of_lines] == [
        of.mean("backlog_gcycles").interval for of in of_files
    ]


def test_a_damaged_line_is_left_out_and_reported(folder: Path, tmp_path: Path) -> None:
    lines = [path.read_text() for path in sorted(folder.glob("*.json"))]
    file = tmp_path / "two.jsonl"
    file.write_text("".join([*lines, "{\n", lines[0].replace('"decisions":[30', '"decisions":[31')]))
    left_out = board_of((SUITE,), SEEDS, file).left_out
    assert [rejected.what for rejected in left_out] == [f"two.jsonl, line {len(lines) + n}" for n in (1, 2)]
    assert "edited" in left_out[1].why


def test_a_path_without_results_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.jsonl", tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="holds no results"):
            open_results(path)


def test_the_result_with_all_metrics_of_the_case_is_taken(path: Path, folder: Path) -> None:
    whole = results.read(path)
    less = results.merged(whole.content, whole.content)
    kept = Kept(metrics=whole.kept.metrics)
    content = {
        **less,
        "kept": kept.as_json(),
        "traces": {},
        "values": {name: less["values"][name] for name in kept.values},
    }
    path.unlink()
    results.put(path.parent, {**content, "digest": naming.digest_of(content)})
    suite = replace(SUITE, cases=(replace(BASE, policies=(Reference(name="least-delay"),)),))
    for stores in ((path.parent, folder), (folder, path.parent)):
        (of_policy,) = collect(suite, 1, *map(open_results, stores))
        assert of_policy.found[0].kept == whole.kept
    (of_policy,) = collect(suite, 1, open_results(path.parent))
    assert of_policy.has("backlog_gcycles")
    assert not of_policy.has("trend_backlog_gcycles")


# Metrics that are added later -----------------------------------------------------------------------------------------


@pytest.fixture
def finished(whole: Path, tiny: dict[str, Any], tmp_path: Path) -> tuple[Path, list[Job]]:
    """A copy of a finished run of the tiny suites, and the jobs of its first case with another metric."""
    shutil.copytree(whole, tmp_path / "run")
    case = replace(tiny["FIRST"], late=("queue_s",))
    return tmp_path / "run", [job for policy in case.policies for job in jobs_of(case, policy, 2)]


def test_a_new_metric_plays_the_episodes_again_without_training(finished: tuple[Path, list[Job]]) -> None:
    directory, jobs = finished
    job = next(job for job in jobs if job.training)
    before, metrics = results.read(result_of(job, directory)), run_of(job, directory) / "metrics.jsonl"
    assert before.kept.lacking(job.kept) == ["late_queue_s"]
    assert not is_done(job, directory)
    trained = metrics.stat().st_mtime_ns
    execute(job, directory)
    after = results.read(result_of(job, directory))
    assert metrics.stat().st_mtime_ns == trained
    assert is_done(job, directory)
    for name, values in before.values.items():
        np.testing.assert_array_equal(after.values[name], values)
    assert after.kept.lacking(job.kept) == []


def test_a_result_without_its_run_keeps_the_metrics_that_it_has(finished: tuple[Path, list[Job]]) -> None:
    directory, jobs = finished
    job = next(job for job in jobs if job.training)
    before = result_of(job, directory).read_bytes()
    shutil.rmtree(run_of(job, directory))
    assert is_done(job, directory)
    execute(job, directory)
    assert result_of(job, directory).read_bytes() == before


def test_a_case_that_asks_for_less_loses_no_metric(
    finished: tuple[Path, list[Job]], tiny: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    directory, jobs = finished
    leo = next(job for job in jobs if job.name.startswith("leo-full"))
    execute(leo, directory)
    after = result_of(leo, directory).read_bytes()
    assert results.read(result_of(leo, directory)).kept.lacking(leo.kept) == []
    assert main(["references", "--output", str(directory)], tiny["SUITES"]) == 0
    assert "2 jobs, of which 2 are done" in capsys.readouterr().out
    assert result_of(leo, directory).read_bytes() == after


def test_results_of_format_1_are_not_run_again(
    whole: Path, tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole / "results", tmp_path / "results")
    before = {path.name: path.read_bytes() for path in (tmp_path / "results").iterdir()}
    for path in sorted((tmp_path / "results").iterdir()):
        as_format_1(path)
        path.unlink()
    assert main(["tiny", "--seeds", "2", "--output", str(tmp_path)], tiny["SUITES"]) == 0
    printed = capsys.readouterr().out
    assert "6 results of an older version were converted" in printed
    assert "6 jobs, of which 6 are done" in printed
    assert {path.name: path.read_bytes() for path in (tmp_path / "results").iterdir()} == before
