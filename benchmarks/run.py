"""Runs suites: `python -m benchmarks.run SUITE [--policies a,b,my_module:Mine] [--seeds N] [--output DIR] [--list]`.

SUITE is a name of this project, or a `benchmarks.suites.suite.Suite` of your own as `package.module:NAME`. A job is one
policy on one case with one training seed. Each job is a process of its own: on this machine, or with `--engine ray` on
a Ray cluster, whose nodes need the same version of vec-envs with its extra `train`. The same command continues after a
stop or a kill, and runs no finished job again.

DIR holds `results/`, `runs/` (training), `logs/`, `jobs/` (the definition of each job), and the tables and pictures,
`SUITE.md` and `SUITE.svg`.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import report
from benchmarks.engines import ENGINES, engine_of
from benchmarks.jobs.execute import INTERRUPTED
from benchmarks.jobs.files import OUTPUT, Failure, is_done, result_of
from benchmarks.jobs.plan import DECISION_LIMIT_S, Job, jobs_of, jobs_of_suites
from benchmarks.reports.policy_results import collect
from benchmarks.reports.tables import aligned, suite_tables
from benchmarks.results import result as results
from benchmarks.results.stores import ResultStore, convert_folder
from benchmarks.results.traffic_versions import warn_of_other_sumo
from benchmarks.suites import SUITES, seeds_of, suites_of, with_custom_policies
from benchmarks.suites.suite import Case, CasePolicy, Suite
from vec_envs.command_parser import CommandParser
from vec_envs.files import check_output_folder


def show(suites: Sequence[Suite], seeds: int, directory: Path, policies: tuple[str, ...] = ()) -> None:
    """Prints the tables of suites for the given policies or all. Writes tables and pictures of all policies.

    Nothing is written for a suite whose policies have no results.
    """
    for suite in suites:
        results = collect(suite, seeds, ResultStore(directory / "results"))
        if results and not any(of_policy.found for of_policy in results):
            print(f"\n{suite.title}: there are no results in {directory / 'results'}, and no page is written")
            continue
        printed = [of_policy for of_policy in results if not policies or of_policy.policy in policies]
        print(f"\n{suite.title}: means with 95% confidence intervals")
        for title, table in suite_tables(suite, printed):
            print(f"\n{title}\n{aligned(table)}", end="")
        print(f"written to {', '.join(map(str, report.write_suite(suite, results, directory)))}")


def list_suites(
    known: Mapping[str, tuple[Suite, ...]], suites: Sequence[Suite], seeds: int | None, directory: Path
) -> None:
    """Prints the known suites; or for given suites every policy on every case, with the number of finished jobs."""
    if not suites:
        for name, of_name in known.items():
            cases = sum(len(suite.cases) for suite in of_name)
            print(f"{name}: {' + '.join(suite.title for suite in of_name)}; {cases} cases, "
                  f"{len(jobs_of_suites(of_name, seeds or seeds_of(of_name)))} jobs")  # fmt: skip
    for suite in suites:
        results = collect(suite, seeds or suite.seeds, ResultStore(directory / "results"))
        rows = [[of.case, of.policy, f"{len(of.found)} of {len(of.expected)} done"] for of in results]
        print(f"{suite.name}: {suite.title}\n{aligned([['case', 'policy', 'jobs'], *rows])}")


def parse(arguments: Sequence[str] | None, known: Mapping[str, tuple[Suite, ...]]) -> argparse.Namespace:
    """Returns the options of the command line; exits with a message where they are wrong."""
    parser = CommandParser(prog="python -m benchmarks.run", description="Runs a suite.")
    parser.add_argument(
        "suite", nargs="?", metavar="SUITE", help=f"{', '.join(known)}, or your own as package.module:NAME"
    )
    parser.add_argument(
        "--policies",
        default="",
        help="policies to run, separated by commas; your own as package.module:name (default: all of the suite)",
    )
    parser.add_argument("--seeds", type=int, help="training seeds (default: the suite's own number)")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="where jobs run (default: %(default)s)")
    parser.add_argument(
        "--ray-address", help="address of the Ray cluster (default: RAY_ADDRESS, or a new cluster on this machine)"
    )
    parser.add_argument("--workers", type=int, help="jobs at a time (default: one a core of the machine or cluster)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="default: %(default)s")
    parser.add_argument(
        "--decision-limit",
        type=float,
        default=DECISION_LIMIT_S,
        metavar="SECONDS",
        help="the longest time for a decision of all agents; a job fails where its policy takes longer "
        "(default: %(default)g)",
    )
    parser.add_argument("--list", action="store_true", help="print the suites, or the finished jobs of SUITE, and exit")
    options = parser.parse_args(arguments)
    for name, value in (("seeds", options.seeds), ("workers", options.workers)):
        if value is not None and value < 1:
            parser.error(f"--{name} {value} must be at least 1")
    if not options.decision_limit > 0.0:
        parser.error(f"--decision-limit {options.decision_limit} must be above 0")
    if options.suite is None and not options.list:
        parser.error(f"SUITE is missing: give {', '.join(known)}, or your own as package.module:NAME")
    return options


def main(arguments: Sequence[str] | None = None, known: Mapping[str, tuple[Suite, ...]] = SUITES) -> int:
    """Runs the suite of the command line.

    Returns the exit code: 0; 1 where a job failed; 2 where nothing could be run; 130 when interrupted.
    """
    options = parse(arguments, known)
    policies = tuple(name for name in options.policies.split(",") if name)
    try:
        suites = suites_of(options.suite, known, policies) if options.suite else ()
        if options.list:
            list_suites(known, suites, options.seeds, options.output)
            return 0
        check_output_folder(options.output)
        seeds = options.seeds or seeds_of(suites)
        failures = _run(suites, seeds, policies, options)
        for failure in failures:
            print(f"failed: {failure}", file=sys.stderr)
        for name in without_results(suites, seeds, failures):
            print(f"every job of {name} failed: it has no results in {options.output}", file=sys.stderr)
        show(with_custom_policies(suites_of(options.suite, known), policies), seeds, options.output, policies)
    except (ImportError, OSError, ValueError) as error:
        print(f"benchmarks.run: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; the same command continues", file=sys.stderr)
        return INTERRUPTED
    return 1 if failures else 0


def without_results(suites: Sequence[Suite], seeds: int, failures: Sequence[Failure]) -> list[str]:
    """Returns the names of the policies all of whose jobs failed."""
    jobs: dict[str, set[str]] = {}
    for case, policy in _played(suites):
        jobs.setdefault(policy.name, set()).update(job.name for job in jobs_of(case, policy, seeds))
    failed = {failure.job.name for failure in failures}
    return [name for name, of_name in jobs.items() if of_name and of_name <= failed]


def _played(suites: Sequence[Suite]) -> Iterator[tuple[Case, CasePolicy]]:
    """Yields every policy of every case."""
    return ((case, policy) for suite in suites for case in suite.cases for policy in case.policies)


def _run(suites: Sequence[Suite], seeds: int, policies: tuple[str, ...], options: argparse.Namespace) -> list[Failure]:
    """Runs the unfinished jobs, and returns the failed ones. SIGTERM stops the run like Ctrl-C."""
    engine = engine_of(options.engine, options.workers, options.ray_address)
    jobs: list[Job] = [replace(job, decision_limit_s=options.decision_limit) for job in jobs_of_suites(suites, seeds)]
    if not jobs and policies:
        raise ValueError(f"{' and '.join(policies)} plays none of the environments of {options.suite}")
    if number := convert_folder(options.output / "results"):
        print(f"{number} results of an older version were converted to the present format")
    todo = [job for job in jobs if not is_done(job, options.output)]
    unfinished = {job.name for job in todo}
    warn_of_other_sumo(results.read(result_of(job, options.output)) for job in jobs if job.name not in unfinished)
    print(f"{len(jobs)} jobs, of which {len(jobs) - len(todo)} are done; results are in {options.output}", flush=True)
    on_sigterm = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return engine.run(todo, options.output)
    finally:
        signal.signal(signal.SIGTERM, on_sigterm)


if __name__ == "__main__":
    sys.exit(main())
