"""Results and submissions that would cost too much are refused by name, and the others are read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.jobs.plan import custom_policy_job, jobs_of
from benchmarks.leaderboard.case_results import read_all
from benchmarks.results import result as results
from benchmarks.results.naming import digest_of, key_of, name_of
from benchmarks.results.stores import open_results
from benchmarks.suites.suite import Reference
from benchmarks.verify import MOST_FILES, Submission, main
from tests.benchmarks.known import BASE, SUITE


@pytest.fixture
def damaged(folder: Path, tmp_path: Path) -> Path:
    """A folder of valid results and the path `damaged.json` in it, where there is no file yet."""
    shutil.copytree(folder, tmp_path / "results")
    return tmp_path / "results" / "damaged.json"


def left_out(folder: Path) -> dict[str, str]:
    """Returns the reasons for what is left out of a folder, after the others were read."""
    found, rejected = read_all([open_results(folder)], SUITE.cases)
    (job,) = jobs_of(BASE, Reference(name="least-delay"), 1)
    assert job.name in found
    return {of.what: of.why for of in rejected}


def link_to(target: Path | str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def sparse(path: Path) -> None:
    path.write_text("{")
    os.truncate(path, 2**40)


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pipe": (os.mkfifo, "must be a regular file, got a pipe"),
    "a device": (link_to("/dev/zero"), "must be a regular file, got a device"),
    "a sparse file": (sparse, "must have at most 2097152 bytes, got 1099511627776"),
    "a folder": (Path.mkdir, "must be a regular file, got a folder"),
    "a linked folder": (link_to("/proc"), "must be a regular file, got a folder"),
    "a link to nothing": (link_to("nowhere"), "No such file"),
    "deep lists": (lambda path: path.write_text("[" * 100_000 + "]" * 100_000), "deeper than 32 levels"),
    "deep objects": (lambda path: path.write_text('{"a":' * 100_000), "deeper than 32 levels"),
    "many digits": (lambda path: path.write_text(f"[{10**400}]"), "a number must have at most 40 characters"),
    "no number": (lambda path: path.write_text('{"format": NaN}'), "NaN is not a number"),
    "no text": (lambda path: path.write_bytes(b'"\xff"'), "must be text in UTF-8"),
    "a long reason": (lambda path: path.write_text(json.dumps({"x" * 10**6: 1})), "data must contain"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_no_result_is_left_out_by_name(damaged: Path, kind: str) -> None:
    make, why = KINDS[kind]
    make(damaged)
    (reason,) = left_out(damaged.parent).values()
    assert why in reason
    assert len(reason) < 600


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({"num_client_vehicles": 10**9}, "num_client_vehicles must be at most 10000, got 1000000000"),
        ({"num_service_vehicles": 10**9}, "num_service_vehicles must be at most 10000, got 1000000000"),
        ({"episode_slots": 10**9}, "episode_slots must be at most 100000, got 1000000000"),
        ({"num_client_vehicles": 10**4, "num_service_vehicles": 10**4}, "must be at most 100000000, got 3000300000"),
        ({"dnns": ["alexnet"] * 10**5}, "the length of dnns must be at most 100, got 100000"),
        ({"dnn_of_client": [0] * 10**5}, "dnn_of_client must have one entry for each client, got 100000"),
        ({"lyapunov_v": "x" * 10**6}, "lyapunov_v must be a finite number above 0, got 'xxx"),
        ({"num_workers": 10**9}, ""),
    ],
)
def test_a_result_of_an_absurd_environment_is_left_out(damaged: Path, env: dict[str, Any], why: str) -> None:
    content = json.loads(next(damaged.parent.glob("given-*.json")).read_text())
    content["definition"]["evaluation"]["env"].update(env)
    content |= {"key": key_of(content["definition"]), "name": name_of(content["definition"])}
    path = results.put(damaged.parent, {**content, "digest": digest_of(content)})
    reasons = left_out(damaged.parent)
    if why:
        assert list(reasons) == [path.name]
        assert why in reasons[path.name]
        assert len(reasons[path.name]) < 600
    else:  # a field of the traffic, which no result starts
        assert reasons == {}


def test_lines_that_are_too_long_or_no_text_are_left_out(damaged: Path) -> None:
    good = [path.read_text().strip() for path in sorted(damaged.parent.glob("*.json"))]
    lines = [*good, "x" * (results.MOST_BYTES + 1), good[0][:100]]
    file = damaged.with_name("all.jsonl")
    file.write_bytes("\n".join(lines).encode() + b"\n\xff\n" + good[0].encode())
    os.mkfifo(damaged.with_name("pipe.jsonl"))
    reasons = left_out(damaged.parent)
    assert list(reasons) == [*(f"all.jsonl, line {len(good) + n}" for n in (1, 2, 3)), "pipe.jsonl"]
    long, short, none, pipe = reasons.values()
    assert f"has a line of more than {results.MOST_BYTES} bytes" in long
    assert "damaged or of other content" in short
    assert "can't decode" in none
    assert "must be a regular file, got a pipe" in pipe
    os.truncate(file, 2**40)
    assert "must have at most 134217728 bytes" in left_out(damaged.parent)["all.jsonl"]


def test_a_submission_is_a_small_regular_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "submission.json"
    for make, why in (
        KINDS[kind] for kind in ("a pipe", "a device", "a folder", "deep lists", "many digits", "no text")
    ):
        make(path)
        with pytest.raises(ValueError, match=r"submission\.json") as raised:
            Submission.read(tmp_path)
        assert why in str(raised.value)
        path.rmdir() if path.is_dir() else path.unlink()
    for seeds in (10**9, 1e3, True, "3", [0] * 10**5):
        path.write_text(json.dumps({"suite": "s", "policy": "a:b", "seeds": seeds}))
        assert main([str(tmp_path)], {"s": (SUITE,)}) == 2
        error = capsys.readouterr().err
        assert "seeds must be an integer from 1 to 1000, got " in error
        assert len(error) < 1000


def test_a_submission_cannot_lead_elsewhere(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "submission.json").write_text(json.dumps({"suite": "s", "policy": "mine", "seeds": 1}))
    (tmp_path / "results").symlink_to(folder)
    assert main([str(tmp_path)], {"s": (SUITE,)}) == 1
    assert f"{tmp_path / 'results'} is a link" in capsys.readouterr().err
    (tmp_path / "results").unlink()
    (tmp_path / "results").mkdir()
    for n in range(MOST_FILES + 1):
        (tmp_path / "results" / str(n)).touch()
    assert main([str(tmp_path)], {"s": (SUITE,)}) == 1
    assert f"must have at most {MOST_FILES} files" in capsys.readouterr().err


def test_the_options_of_a_custom_policy_are_bounded_too(damaged: Path) -> None:
    content = json.loads(next(damaged.parent.glob("given-*.json")).read_text())
    policy = {**content["definition"]["policy"], "sees": {"num_client_vehicles": 10**9}}
    content["definition"] = {**custom_policy_job(BASE, content["definition"]["policy"]).definition, "policy": policy}
    content |= {"key": key_of(content["definition"]), "name": name_of(content["definition"])}
    path = results.put(damaged.parent, {**content, "digest": digest_of(content)})
    assert "num_client_vehicles must be at most 10000" in left_out(damaged.parent)[path.name]
