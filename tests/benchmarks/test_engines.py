"""A cluster of two nodes without common files does what processes of this machine do."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engines import engine_of
from benchmarks.engines.claims import Claims
from benchmarks.engines.ray_cluster import RayEngine
from benchmarks.engines.ray_task import Sent, carry_out
from benchmarks.jobs.execute import locked
from benchmarks.jobs.plan import Job, jobs_of_suites
from benchmarks.run import main
from tests.needed import needs
from tests.waiting import wait_until
from trainers.runs.directory import RunDirectory

pytestmark = needs("ray")
ROUNDS = 25
MEMORY = 80 * 1024**2
BESIDE = ("training_s", "evaluation_s", "decision_ms", "digest", "provenance")


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """Two nodes of one CPU each, on this machine."""

    cluster: Any
    folder: Path
    """Where their jobs have their folders."""

    @property
    def address(self) -> str:
        return self.cluster.address

    @property
    def second(self) -> Any:
        (node,) = self.cluster.worker_nodes
        return node

    def lose_second(self) -> None:
        self.cluster.remove_node(self.second)

    def add_second(self) -> None:
        self.cluster.add_node(num_cpus=1, object_store_memory=MEMORY)

    def wait_for(self, pattern: str, enough: Callable[[list[Path]], bool]) -> None:
        """Waits until files of jobs are there, and are enough."""
        wait_until(lambda: enough(list(self.folder.glob(f"vec-envs-*/{pattern}"))), f"enough files {pattern}")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Generator[Nodes, None, None]:
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as short:
        folder = tmp_path_factory.mktemp("nodes")
        patch.setenv("RAY_TMPDIR", short)  # of Ray's sockets, whose names may not be long
        patch.setenv("TMPDIR", str(folder))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = {"num_cpus": 1, "object_store_memory": MEMORY, "include_dashboard": False}
        made = Nodes(cluster=Cluster(initialize_head=True, head_node_args=head), folder=folder)
        made.add_second()
        yield made
        made.cluster.shutdown()


@pytest.fixture(scope="module")
def play(nodes: Nodes, tiny: dict[str, Any]) -> Callable[..., int]:
    """Plays a tiny suite on the cluster, and returns the exit code."""

    def played(suite: str, folder: Path, *arguments: str, suites: dict[str, Any] | None = None) -> int:
        command = [suite, "--output", str(folder), "--engine", "ray", "--ray-address", nodes.address, *arguments]
        return main(command, tiny["SUITES"] if suites is None else suites)

    return played


@pytest.fixture(scope="module")
def spread(play: Callable[..., int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of the tiny suites on the cluster."""
    folder = tmp_path_factory.mktemp("spread")
    assert play("tiny", folder, "--seeds", "2") == 0
    return folder


def contents(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns the content of the results by file, without durations and machines."""
    read = {path.name: json.loads(path.read_text()) for path in (folder / "results").glob("*.json")}
    return {name: {k: v for k, v in content.items() if k not in BESIDE} for name, content in read.items()}


def test_the_results_are_those_of_local_processes(spread: Path, whole: Path) -> None:
    assert len(contents(spread)) == 6
    assert contents(spread) == contents(whole)
    assert (spread / "tiny-parts.svg").exists()
    for folder in ("jobs", "logs", "runs"):
        assert {path.name for path in (spread / folder).iterdir()} == {path.name for path in (whole / folder).iterdir()}


def test_jobs_run_on_both_nodes_and_leave_no_files(spread: Path, nodes: Nodes) -> None:
    logs = [log.read_text().splitlines() for log in (spread / "logs").iterdir()]
    assert all(lines[1].startswith("process ") for lines in logs)
    alive = {f"node {node['NodeID']}" for node in _known(nodes) if node["Alive"]}
    assert {lines[0] for lines in logs} == alive
    assert len(alive) == 2
    assert not list(nodes.folder.glob("vec-envs-*"))


def _known(nodes: Nodes) -> list[dict[str, Any]]:
    import ray

    ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")
    try:
        return ray.nodes()
    finally:
        ray.shutdown()


def test_a_second_call_runs_nothing_and_needs_no_cluster(
    spread: Path, tiny: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in spread.rglob("*.json")}
    command = ["tiny", "--seeds", "2", "--output", str(spread), "--engine", "ray", "--ray-address", "nowhere:1"]
    assert main(command, tiny["SUITES"]) == 0
    assert "6 jobs, of which 6 are done" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in spread.rglob("*.json")} == before


def test_trained_runs_are_not_trained_again(
    spread: Path, play: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(spread / "runs", tmp_path / "runs")
    before = {path: path.read_bytes() for path in tmp_path.glob("runs/*/metrics.jsonl")}  # with the time of each round
    capsys.readouterr()
    assert play("tiny-curves", tmp_path, "--seeds", "1") == 0
    assert len(before) == 2
    assert {path: path.read_bytes() for path in tmp_path.glob("runs/*/metrics.jsonl")} == before
    assert contents(tmp_path).items() <= contents(spread).items()
    printed = capsys.readouterr()
    assert "Warning" not in printed.err
    assert "ray" not in (printed.out + printed.err).replace(str(tmp_path), "").lower()


def test_jobs_that_share_a_run_train_it_once(tiny: dict[str, Any], play: Callable[..., int], tmp_path: Path) -> None:
    policy = replace(tiny["SAC"], run={**tiny["SAC"].run, "episodes": 12})
    cases = tuple(replace(tiny["FIRST"], name=f"from {seed}", seed=seed, policies=(policy,)) for seed in (1, 2))
    suite = replace(tiny["CURVES"], name="shared", cases=cases)
    assert play("shared", tmp_path, "--seeds", "1", suites={"shared": (suite,)}) == 0
    found = [json.loads(path.read_text()) for path in tmp_path.glob("results/*.json")]
    assert len(found) == 2
    assert len({json.dumps(result["values"]) for result in found}) == 2
    assert len({result["training_s"] for result in found}) == 1
    (metrics,) = tmp_path.glob("runs/*/metrics.jsonl")
    assert len(metrics.read_text().splitlines()) == 3


def test_a_failing_job_does_not_stop_the_others(
    tiny: dict[str, Any],
    play: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Modules are looked for where the runner looks for them, such as this one, which every Python process imports."""
    (tmp_path / "sitecustomize.py").write_text("print('found beside')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert play("no-traffic", tmp_path, "--policies", "leo-full", suites=tiny["WRONG_SUITES"]) == 1
    errors = capsys.readouterr().err
    assert "ended with code 1: failed: " in errors
    assert "enough vehicles for 500 clients" in errors
    (log,) = [line.split("log: ")[1] for line in errors.splitlines() if "log: " in line]
    assert Path(log).read_text().splitlines()[1] == "found beside"
    assert len(contents(tmp_path)) == 1


def test_an_interrupted_training_is_sent_back_and_continues(
    nodes: Nodes, play: Callable[..., int], spread: Path, tmp_path: Path
) -> None:
    command = [sys.executable, str(Path(__file__).with_name("tiny.py")), "tiny-curves", "--output", str(tmp_path)]
    command += ["--seeds", "1", "--engine", "ray", "--ray-address", nodes.address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    nodes.wait_for("runs/*/metrics.jsonl", lambda found: any(path.read_text().count("\n") > 2 for path in found))
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert "the same command continues" in errors
    assert not contents(tmp_path)
    (metrics,) = tmp_path.glob("runs/*/metrics.jsonl")
    played = metrics.read_text()  # with the time of each round
    assert 2 < played.count("\n") < ROUNDS
    assert not list(nodes.folder.glob("vec-envs-*"))

    assert play("tiny-curves", tmp_path, "--seeds", "1") == 0
    assert metrics.read_text().startswith(played)
    (name,) = contents(tmp_path)
    assert contents(tmp_path)[name] == contents(spread)[name]


def test_a_lost_node_fails_only_its_own_jobs(
    nodes: Nodes, play: Callable[..., int], tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = tuple(replace(tiny["FIRST"], name=name, policies=(tiny[name],), episodes=500) for name in ("LEO", "GBS"))
    suites = {"two": (replace(tiny["REFERENCES"], name="two", cases=cases),)}

    def lose() -> None:
        at = f"node {nodes.second.node_id}\n"
        nodes.wait_for("logs/*.log", lambda found: any(log.read_text().startswith(at) for log in found))
        nodes.lose_second()

    loser = threading.Thread(target=lose)
    loser.start()
    assert play("two", tmp_path, suites=suites) == 1
    loser.join()
    (done,) = contents(tmp_path)
    (lost,) = {path.name for path in (tmp_path / "jobs").iterdir()} - {done}
    assert f"failed: {lost.removesuffix('.json')} was lost: NodeDiedError: " in capsys.readouterr().err

    assert play("two", tmp_path, suites=suites) == 0
    assert "2 jobs, of which 1 are done" in capsys.readouterr().out
    assert set(contents(tmp_path)) == {done, lost}
    nodes.add_second()


def test_a_killed_runner_loses_little_of_a_training(
    nodes: Nodes, play: Callable[..., int], spread: Path, tmp_path: Path
) -> None:
    command = [sys.executable, str(Path(__file__).with_name("tiny.py")), "tiny-curves", "--output", str(tmp_path)]
    command += ["--seeds", "1", "--engine", "ray", "--ray-address", nodes.address]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def saved() -> bool:
        assert process.poll() is None, "the runner ended before it could be killed"
        return any(rounds_in(path.parent) for path in tmp_path.glob("runs/*/checkpoint.pt"))

    wait_until(saved, "a checkpoint of a round")
    process.kill()
    process.wait()
    assert not contents(tmp_path)
    (run,) = (path.parent for path in tmp_path.glob("runs/*/checkpoint.pt"))
    rounds = rounds_in(run)
    assert 0 < rounds < ROUNDS
    played = (run / "metrics.jsonl").read_text().splitlines()[:rounds]  # with the time of each round
    assert len(played) == rounds

    assert play("tiny-curves", tmp_path, "--seeds", "1") == 0
    assert (run / "metrics.jsonl").read_text().splitlines()[:rounds] == played
    (name,) = contents(tmp_path)
    assert contents(tmp_path)[name] == contents(spread)[name]


def rounds_in(run: Path) -> int:
    return int(RunDirectory(run).load_checkpoint()["round"])


def test_a_node_of_another_version_is_refused(tiny: dict[str, Any]) -> None:
    (job,) = jobs_of_suites(tiny["SUITES"]["slow"], 1)
    brought = carry_out(
        Sent(job=job, run={}, version="0.0.0", commit="c" * 40, working_directory=".", path=()), node="n1"
    )
    assert brought.code == 1
    assert brought.result is None
    assert b"node n1 has vec-envs" in brought.log
    assert b"the machine that runs the suite has 0.0.0 (commit cccc" in brought.log
    assert b"install the same version on both" in brought.log


def test_a_run_locked_by_another_process_is_waited_for(tiny: dict[str, Any], tmp_path: Path) -> None:
    first, second = _jobs_of_one_run(tiny)
    claims, path = Claims(tmp_path), tmp_path / "runs" / f"{first.run_name}.lock"
    with locked(path):
        assert not claims.take(first)
    assert claims.take(first)
    assert not claims.take(second)
    claims.give_back(first, succeeded=False)
    assert claims.take(second)
    claims.give_back(second, succeeded=True)
    assert claims.take(first)
    assert claims.take(second)
    claims.give_back(first, succeeded=True)
    assert not Claims(tmp_path).take(first)
    claims.give_back(second, succeeded=True)
    with locked(path):
        pass


def _jobs_of_one_run(tiny: dict[str, Any]) -> list[Job]:
    cases = tuple(replace(tiny["FIRST"], name=f"from {seed}", seed=seed, policies=(tiny["SAC"],)) for seed in (1, 2))
    return jobs_of_suites([replace(tiny["CURVES"], cases=cases)], 1)


def test_without_ray_the_error_names_the_extra(
    tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["references", "--engine", "ray", "--output", str(tmp_path)], tiny["SUITES"]) == 2
    assert (
        'the Ray engine needs ray, which is missing; install it with: pip install "vec-envs[ray]"'
        in capsys.readouterr().err
    )


def test_a_missing_cluster_is_reported_at_once(
    tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["references", "--engine", "ray", "--ray-address", "127.0.0.1:1", "--output", str(tmp_path)]
    assert main(command, tiny["SUITES"]) == 2
    assert "no Ray cluster at 127.0.0.1:1" in capsys.readouterr().err


def test_an_address_needs_the_ray_engine() -> None:
    assert isinstance(engine_of("ray", None, "127.0.0.1:1"), RayEngine)
    with pytest.raises(ValueError, match="needs the engine ray"):
        engine_of("local", None, "127.0.0.1:1")
    with pytest.raises(ValueError, match="there are local, ray"):
        engine_of("slurm", None, None)
