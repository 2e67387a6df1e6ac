"""Plays suites: `python -m benchmarks.run SUITE [--policies a,b,my_module:Mine] [--seeds N] [--output DIR] [--list]`.

Each job, one policy on one case with one training seed, is a process of its own, so that its end ends no other: on this
machine, or with `--engine ray` on a Ray cluster, whose nodes need the same version of vec-envs with its extra `train`.
What is done stays done: the same command goes on after a stop or a kill. DIR holds `results/`, `runs/` (training),
`logs/` and `jobs/` (what each job was told), and the tables and pictures, `SUITE.md` and `SUITE.svg`.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import report
from benchmarks.engines import ENGINES, engine_of
from benchmarks.jobs.execute import INTERRUPTED
from benchmarks.jobs.files import is_done
from benchmarks.jobs.plan import DECISION_LIMIT_S, Job, jobs_of
from benchmarks.reports.policy_results import collect
from benchmarks.reports.tables import aligned, suite_tables
from benchmarks.suites import SUITES, seeds_of, suites_of, with_own
from benchmarks.suites.suite import Suite

OUTPUT = Path("runs/benchmarks")


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


def show(suites: Sequence[Suite], seeds: int, directory: Path, policies: tuple[str, ...] = ()) -> None:
    """Prints the tables of suites, and writes them with their pictures: with all policies, whichever were asked for."""
    for suite in suites:
        lines = collect(suite, seeds, directory / "results")
        asked = [line for line in lines if not policies or line.policy in policies]
        print(f"\n{suite.title}: means with 95% intervals")
        for title, table in suite_tables(suite, asked):
            print(f"\n{title}\n{aligned(table)}", end="")
        print(f"written to {', '.join(map(str, report.write_suite(suite, lines, directory)))}")


def list_suites(
    known: Mapping[str, tuple[Suite, ...]], suites: Sequence[Suite], seeds: int | None, directory: Path
) -> None:
    """Prints the known suites, or of some suites every policy on every case with what is done of it."""
    if not suites:
        for name, of_name in known.items():
            cases = sum(len(suite.cases) for suite in of_name)
            print(f"{name}: {' + '.join(suite.title for suite in of_name)}; {cases} cases, "
                  f"{len(jobs_of_suites(of_name, seeds or seeds_of(of_name)))} jobs")  # fmt: skip
    for suite in suites:
        lines = collect(suite, seeds or suite.seeds, directory / "results")
        rows = [[line.case, line.policy, f"{len(line.found)} of {len(line.expected)} done"] for line in lines]
        print(f"{suite.name}: {suite.title}\n{aligned([['case', 'policy', 'jobs'], *rows])}")


def parse(arguments: Sequence[str] | None, known: Mapping[str, tuple[Suite, ...]]) -> argparse.Namespace:
    """Returns what the command line says; exits with a message where it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Plays a suite.")
    parser.add_argument("suite", nargs="?", metavar="SUITE", help=f"which: {', '.join(known)}")
    parser.add_argument(
        "--policies",
        default="",
        help="only these, divided by commas; your own as package.module:name (default: all of the suite)",
    )
    parser.add_argument("--seeds", type=int, help="training seeds (default: the suite's own number)")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="where jobs run (default: %(default)s)")
    parser.add_argument("--ray-address", help="of the cluster (default: RAY_ADDRESS, or a new one on this machine)")
    parser.add_argument("--workers", type=int, help="jobs at a time (default: all cores, or of the cluster)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="default: %(default)s")
    parser.add_argument(
        "--decision-limit",
        type=float,
        default=DECISION_LIMIT_S,
        metavar="SECONDS",
        help="what a decision of all agents may take; who takes longer is left out (default: %(default)g)",
    )
    parser.add_argument("--list", action="store_true", help="print what there is, and what of it is done; run nothing")
    options = parser.parse_args(arguments)
    for name, value in (("seeds", options.seeds), ("workers", options.workers)):
        if value is not None and value < 1:
            parser.error(f"--{name} {value} must be at least 1")
    if not options.decision_limit > 0.0:
        parser.error(f"--decision-limit {options.decision_limit} must be above 0")
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
        seeds = options.seeds or seeds_of(suites)
        engine = engine_of(options.engine, options.workers, options.ray_address)
        limit = {"decision_limit_s": options.decision_limit}
        jobs = [replace(job, **limit) for job in jobs_of_suites(suites, seeds)]
        if not jobs and policies:
            raise ValueError(f"{' and '.join(policies)} plays none of the environments of {options.suite}")
        todo = [job for job in jobs if not is_done(job, directory)]
        print(f"{len(jobs)} jobs, of which {len(jobs) - len(todo)} are done; results are in {directory}", flush=True)
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            failures = engine.run(todo, directory)
        finally:
            signal.signal(signal.SIGTERM, before)
        for failure in failures:
            print(f"failed: {failure}", file=sys.stderr)
        show(with_own(suites_of(options.suite, known), policies), seeds, directory, policies)
    except (ImportError, OSError, ValueError) as error:
        print(f"benchmarks.run: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
