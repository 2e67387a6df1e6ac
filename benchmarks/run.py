"""Plays suites: `python -m benchmarks.run SUITE [--policies a,b] [--seeds 5] [--workers N] [--output DIR] [--list]`.

Each job, one policy on one case with one training seed, is a process of its own, so that its end ends no other. What is
done stays done: the same command goes on after a stop or a kill. DIR holds `results/`, `runs/` (training), `logs/` and
`jobs/` (what each job was told), and the tables and pictures, `SUITE.md` and `SUITE.svg`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import report, results
from benchmarks.jobs import INTERRUPTED
from benchmarks.plan import Job, jobs_of
from benchmarks.progress import Progress
from benchmarks.suite import Suite
from benchmarks.suites import SUITES, suites_of
from benchmarks.tables import aligned, collect, suite_tables
from trainers.run_directory import replace_file

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
GRACE_S = 60.0
"""How long a job may take to end its round and write a checkpoint when it is told to stop."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A job that brought no result."""

    job: Job
    code: int
    log: Path

    def __str__(self) -> str:
        how = f"was killed by signal {-self.code}" if self.code < 0 else f"ended with code {self.code}"
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f"{self.job.name} {how}: {lines[-1] if lines else 'it said nothing'}\n    log: {self.log}"


def jobs_of_suites(suites: Sequence[Suite], seeds: int) -> list[Job]:
    """Returns the jobs of suites, each once; those that train come first, as they take longest."""
    jobs = {
        job.name: job
        for suite in suites
        for case in suite.cases
        for policy in case.policies
        for job in jobs_of(case, policy, seeds)
    }
    return sorted(jobs.values(), key=lambda job: job.training is None)


def is_done(job: Job, directory: Path) -> bool:
    """Returns whether a job's result is there. A file that is none is put aside, with a message."""
    path = directory / "results" / f"{job.name}.json"
    if not path.exists():
        return False
    try:
        results.read(path)
    except (OSError, ValueError) as error:
        aside = path.with_name(f"{path.name}.damaged")
        path.replace(aside)
        print(f"{error}; it is put aside as {aside.name}, and its job run anew", file=sys.stderr)
        return False
    return True


def run_jobs(jobs: Sequence[Job], directory: Path, workers: int) -> list[Failure]:
    """Runs jobs, so many at a time, and returns those that failed. When interrupted, jobs write where they are."""
    waiting, failures = list(reversed(jobs)), list[Failure]()
    running: dict[subprocess.Popen[bytes], Job] = {}
    try:
        with Progress(jobs, directory) as progress:
            while waiting or running:
                while waiting and len(running) < workers:
                    job = waiting.pop()
                    running[start(job, directory)] = job
                for process in [process for process in running if process.poll() is not None]:
                    job = running.pop(process)
                    process.communicate()  # closes its pipe
                    if process.returncode or not is_done(job, directory):
                        failures.append(Failure(job=job, code=process.returncode, log=log_of(job, directory)))
                    progress.ended(job, failures=len(failures))
                progress.show(running.values())
                time.sleep(0.1)
    finally:
        stop(list(running))
    return failures


def start(job: Job, directory: Path) -> subprocess.Popen[bytes]:
    """Starts a job's process: in a session of its own, so that Ctrl-C is for us, and with a pipe that ends with us."""
    file, log = directory / "jobs" / f"{job.name}.json", log_of(job, directory)
    replace_file(file, json.dumps(asdict(job), indent=1) + "\n")
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.jobs", str(file), "--stop-with-parent"]
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ONE_THREAD},
            start_new_session=True,
        )


def log_of(job: Job, directory: Path) -> Path:
    """Returns the file of what a job prints."""
    return directory / "logs" / f"{job.name}.log"


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Asks jobs to stop, waits for them, and ends those that do not."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + GRACE_S
    try:
        for process in processes:
            process.wait(max(0.0, deadline - time.monotonic()))
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        for process in processes:
            process.kill()
    for process in processes:
        process.communicate()


def show(suites: Sequence[Suite], seeds: int, directory: Path, policies: tuple[str, ...] = ()) -> None:
    """Prints the tables of suites, and writes them with their pictures: with all policies, whichever were asked for."""
    for suite in suites:
        lines = collect(suite, seeds, directory / "results")
        asked = [line for line in lines if not policies or line.policy in policies]
        print(f"\n{suite.title}: means with 95% intervals")
        for title, table in suite_tables(suite, asked):
            print(f"\n{title}\n{aligned(table)}", end="")
        print(f"written to {', '.join(map(str, report.write_suite(suite, lines, directory)))}")


def list_suites(known: Mapping[str, tuple[Suite, ...]], suites: Sequence[Suite], seeds: int, directory: Path) -> None:
    """Prints the known suites, or of some suites every policy on every case with what is done of it."""
    if not suites:
        for name, of_name in known.items():
            cases = sum(len(suite.cases) for suite in of_name)
            print(f"{name}: {' + '.join(suite.title for suite in of_name)}; {cases} cases, "
                  f"{len(jobs_of_suites(of_name, seeds))} jobs")  # fmt: skip
    for suite in suites:
        lines = collect(suite, seeds, directory / "results")
        rows = [[line.case, line.policy, f"{len(line.found)} of {len(line.expected)} done"] for line in lines]
        print(f"{suite.name}: {suite.title}\n{aligned([['case', 'policy', 'jobs'], *rows])}")


def parse(arguments: Sequence[str] | None, known: Mapping[str, tuple[Suite, ...]]) -> argparse.Namespace:
    """Returns what the command line says; exits with a message where it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Plays a suite.")
    parser.add_argument("suite", nargs="?", metavar="SUITE", help=f"which: {', '.join(known)}")
    parser.add_argument("--policies", default="", help="only these, divided by commas (default: all of the suite)")
    parser.add_argument("--seeds", type=int, default=5, help="training seeds (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="jobs at a time (default: cores)")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks"), help="default: %(default)s")
    parser.add_argument("--list", action="store_true", help="print what there is, and what of it is done; run nothing")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.workers < 1:
        parser.error(f"--seeds {options.seeds} and --workers {options.workers} must be at least 1")
    if options.suite is None and not options.list:
        parser.error(f"which suite? There are {', '.join(known)}")
    return options


def main(arguments: Sequence[str] | None = None, known: Mapping[str, tuple[Suite, ...]] = SUITES) -> int:
    """Plays the suite of the command line; returns the exit code: 1 where a job failed, 130 where interrupted."""
    options = parse(arguments, known)
    directory: Path = options.output
    policies = tuple(name for name in options.policies.split(",") if name)
    try:
        suites = suites_of(options.suite, known, policies) if options.suite else ()
        if options.list:
            list_suites(known, suites, options.seeds, directory)
            return 0
        jobs = jobs_of_suites(suites, options.seeds)
        todo = [job for job in jobs if not is_done(job, directory)]
        print(f"{len(jobs)} jobs, of which {len(jobs) - len(todo)} are done; results are in {directory}", flush=True)
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            failures = run_jobs(todo, directory, options.workers)
        finally:
            signal.signal(signal.SIGTERM, before)
        show(suites_of(options.suite, known), options.seeds, directory, policies)
    except (OSError, ValueError) as error:
        print(f"benchmarks.run: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
