"""Checks a submission to the leaderboard: `python -m benchmarks.verify SUBMISSION [--sample 3] [--seed N]`.

SUBMISSION is a folder with `submission.json`, the `results/` of `benchmarks.run`, and the policy: for one of this
project its trained `runs/`, for a custom policy its module beside them (`docs/leaderboard.md`). Every file is checked.
Some results, drawn at random, are played again, each in a process of its own. A submission to a suite of yours, such as
one with networks of your own, needs `--suite my_module:MY_SUITE`.

The code of the submission runs in these processes. It can do there whatever it likes, which no check here can rule out:
read the code first, and use a machine on which a stranger's code may run.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import benchmarks
from benchmarks.engines.process import start, stop
from benchmarks.jobs.execute import other_options
from benchmarks.jobs.files import failure_of, result_of, run_of
from benchmarks.jobs.plan import DECISION_LIMIT_S, Job, custom_policy_job, jobs_of
from benchmarks.reports.policy_results import run_grows
from benchmarks.results import result as results
from benchmarks.results.result import Result
from benchmarks.results.traffic_versions import warn_of_other_sumo
from benchmarks.suites import SUITES, suites_of
from benchmarks.suites.suite import Case, Suite
from trainers.registry import learner_named
from trainers.runs.configuration import check_env_id, from_json
from trainers.runs.directory import CHECKPOINT, CONFIG, METRICS, RunDirectory
from trainers.runs.tables import label
from vec_envs.command_parser import CommandParser
from vec_envs.files import check_archive, read_json, shortened
from vec_envs.importing import is_source
from vec_envs.validation import did_you_mean

SUBMISSION = "submission.json"
MOST_SEEDS = 1000
MOST_FILES = 10_000
"""The largest number of results of a submission."""
MOST_CHECKPOINT_BYTES = 2**30
"""The largest size of a checkpoint, packed and unpacked."""
RUN_FILES = CONFIG, METRICS, CHECKPOINT
"""The files that are copied of a run. Only regular files are, since a link could lead anywhere."""
TOLERANCE = 1e-4
"""The largest relative difference of equal values of an episode: results are written with six digits."""
LEAST_EQUAL = 0.95
"""The least share of equal episodes: another processor may decide a near tie otherwise."""
MEAN_TOLERANCE = 5e-3
"""The largest relative difference of the means over all episodes."""
LARGEST_DEVIATION = 2.0
"""The largest difference of an episode that is not equal, in standard deviations over the episodes."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The content of a submission's `submission.json`, and its folder."""

    folder: Path
    suite: str
    policy: str
    """A policy of the suite, or "package.module:name" for a module in the folder."""
    seeds: int

    @staticmethod
    def read(folder: Path) -> Submission:
        """Returns the submission in a folder. Raises `ValueError` where `submission.json` is missing or invalid."""
        try:
            content = read_json(folder / SUBMISSION)
            suite, policy, seeds = content["suite"], content["policy"], content["seeds"]
        except OSError as error:
            raise ValueError(f"{folder} has no {SUBMISSION}: {error}") from error
        except (KeyError, TypeError) as error:
            why = shortened(repr(error))
            raise ValueError(f'{folder / SUBMISSION} does not say "suite", "policy" and "seeds": {why}') from error
        if not isinstance(suite, str) or not isinstance(policy, str):
            raise ValueError(
                f"{folder / SUBMISSION}: suite and policy must be text, got {shortened(repr((suite, policy)))}"
            )
        if type(seeds) is not int or not 1 <= seeds <= MOST_SEEDS:
            got = shortened(repr(seeds))
            raise ValueError(f"{folder / SUBMISSION}: seeds must be an integer from 1 to {MOST_SEEDS}, got {got}")
        return Submission(folder=folder, suite=suite, policy=policy, seeds=seeds)


def verify(
    submission: Submission,
    known: Mapping[str, tuple[Suite, ...]],
    *,
    sample: int,
    seed: int,
    decision_limit_s: float = DECISION_LIMIT_S,
    own_suite: str = "",
) -> list[str]:
    """Returns the reasons to reject a submission; none where it is valid.

    Args:
        submission: The submission.
        known: The suites of this project. The submission cannot bring its own.
        sample: The number of results that are played again.
        seed: The seed of the draw of these results.
        decision_limit_s: The longest time for a decision of all agents.
        own_suite: A suite of the caller, "package.module:NAME", which the submission may name too. It is imported.

    Raises `ValueError` where the suite or policy is unknown.
    """
    found, reasons = _read_all(submission.folder / "results")
    warn_of_other_sumo(found.values())
    _check_suite(submission, known, own_suite)
    jobs, missing = _jobs(submission, known, found)
    reasons += [f"{name}.json does not belong to this submission" for name in sorted(set(found) - set(jobs))]
    reasons += [f"{name} is missing: {case}" for name, case in missing.items()]
    names = sorted(set(found) & set(jobs))
    if not names:
        return [*reasons, f"{submission.folder / 'results'} holds no result of {submission.policy}"]
    # A recording is for display only, so older results without one stay valid.
    lacking = {name: found[name].kept.lacking(replace(jobs[name].kept, recorded=False)) for name in names}
    reasons += [f"{name} lacks {', '.join(of_name)}" for name, of_name in lacking.items() if of_name]
    of_runs = {name: _run_reasons(jobs[name], submission.folder) for name in names}
    reasons += [reason for of_run in of_runs.values() for reason in of_run]
    playable = [name for name in names if not of_runs[name]]  # without its run, a policy would be trained here
    drawn = np.random.default_rng(seed).permutation(len(playable))[:sample]
    for n, name in enumerate(playable[i] for i in drawn):
        print(f"{n + 1} of {len(drawn)}: playing {name} again", flush=True)
        kept = jobs[name].kept | found[name].kept
        job = replace(jobs[name], kept=kept, decision_limit_s=decision_limit_s)
        reasons += [f"{name}: {reason}" for reason in _played_again(job, found[name], submission)]
    return reasons


def _read_all(folder: Path) -> tuple[dict[str, Result], list[str]]:
    """Returns the results in a folder by name, and the reasons why other files are no results."""
    found, reasons = dict[str, Result](), list[str]()
    if folder.is_symlink():  # it could lead to any folder of this machine
        return {}, [f"{folder} is a link"]
    paths = list(itertools.islice(folder.glob("*"), MOST_FILES + 1))
    if len(paths) > MOST_FILES:
        return {}, [f"{folder} must have at most {MOST_FILES} files, got more"]
    for path in sorted(paths):
        try:
            if path.is_symlink():
                raise ValueError(f"{path} is a link")
            result = results.read(path)
            if found.setdefault(result.content["name"], result) is not result:
                raise ValueError(f"{path} is the second file of {result.content['name']}")
        except (OSError, ValueError) as error:
            reasons.append(str(error))
    return found, reasons


def _check_suite(submission: Submission, known: Mapping[str, tuple[Suite, ...]], own_suite: str) -> None:
    """Raises `ValueError` for a suite that would be imported, unless the caller has named it."""
    if own_suite and submission.suite != own_suite:
        raise ValueError(f"--suite must be the suite of {SUBMISSION}, {submission.suite!r}, got {own_suite!r}")
    if is_source(submission.suite) and not own_suite:
        near = did_you_mean(submission.suite, known)
        raise ValueError(
            f"the suite {submission.suite!r} is unknown; there are {', '.join(map(repr, known))}; give "
            f"--suite {submission.suite} for a suite of yours, which imports it{near}"
        )


def _jobs(
    submission: Submission, known: Mapping[str, tuple[Suite, ...]], found: Mapping[str, Result]
) -> tuple[dict[str, Job], dict[str, str]]:
    """Returns the jobs of a submission by name, and the names of those whose result is missing with their cases.

    Results of a suite without a ranking may be missing. A custom policy must play all cases of an environment; its
    definition is taken from the results, so that nothing of the submission is imported here.
    """
    custom = is_source(submission.policy)
    suites = suites_of(submission.suite, known, () if custom else (submission.policy,))
    jobs, missing = dict[str, Job](), dict[str, str]()
    for ranked, case in ((bool(suite.version), case) for suite in suites for case in suite.cases):
        for job in _jobs_of(submission, case, found, custom=custom):
            jobs[job.name] = replace(job, kept=jobs[job.name].kept | job.kept) if job.name in jobs else job
            if ranked and job.name not in found:
                missing[job.name] = f"{case.name} of {case.env_id}"
    return jobs, missing


def _jobs_of(submission: Submission, case: Case, found: Mapping[str, Result], *, custom: bool) -> list[Job]:
    if not custom:
        return [job for policy in case.policies for job in jobs_of(case, policy, submission.seeds)]
    policies = [result.definition["policy"] for result in found.values() if result.definition["env_id"] == case.env_id]
    definitions = {json.dumps(of, sort_keys=True): of for of in policies if of.get("given") == submission.policy}
    return [custom_policy_job(case, definition) for definition in definitions.values()]


def _run_reasons(job: Job, folder: Path) -> list[str]:
    """Returns why a run is not the one of its job. This cannot show that the run was really trained as it says."""
    if job.training is None:
        return []
    path = run_of(job, folder)
    linked = any(place.is_symlink() for place in (path.parent, path, *(path / name for name in RUN_FILES)))
    if linked or not all((path / name).is_file() for name in RUN_FILES):
        return [f"{job.name}: its trained run, runs/{path.name}, is not a folder of {', '.join(RUN_FILES)}"]
    try:
        learner = learner_named(job.training["learner_name"])
        texts = json.dumps(job.training), RunDirectory(path).config()
        check_env_id(texts[1], job.training["env_id"])
        most = MOST_CHECKPOINT_BYTES
        check_archive(path / CHECKPOINT, most_bytes=most, most_unpacked_bytes=most)
        asked, has = (from_json(text, learner) for text in texts)
        trained = int(RunDirectory(path).load_checkpoint()["round"])
        logged = len(RunDirectory(path).metrics(trained, num_envs=asked.num_envs))
    except (OSError, KeyError, OverflowError, TypeError, ValueError) as error:
        return [f"{job.name}: its trained run, runs/{path.name}, cannot be read: {shortened(error)}"]
    others = other_options(job, asked, has)
    reasons = [f"{job.name}: runs/{path.name} is of another {', '.join(others)}"] if others else []
    if logged < trained:
        reasons.append(f"{job.name}: runs/{path.name}/{METRICS} has {logged} of {trained} rounds")
    if trained < asked.rounds:
        reasons.append(f"{job.name}: runs/{path.name} has trained {trained} of {asked.rounds} rounds")
    return reasons


def _played_again(job: Job, recorded: Result, submission: Submission) -> list[str]:
    """Returns how a result differs from that of the policy played again, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="vec-envs-") as folder:
        directory = Path(folder)
        if job.training is not None:
            run_of(job, directory).mkdir(parents=True)
            for name in RUN_FILES:
                shutil.copyfile(run_of(job, submission.folder) / name, run_of(job, directory) / name)
        process = start(job, directory, **_surroundings(submission))
        try:
            code = process.wait()
        finally:
            stop([process])
        if code or not result_of(job, directory).exists():
            return [f"it cannot be played again: {failure_of(job, code, directory).how}"]
        played = results.read(result_of(job, directory))
    return differences(recorded, played)


def _surroundings(submission: Submission) -> dict[str, Any]:
    """Returns the working directory and environment variables of a submission's processes.

    A custom policy runs in the folder of its module. That folder is searched last for modules
    (`vec_envs.importing`), so that no file in it replaces a module of this project or of a package.
    """
    if not is_source(submission.policy):
        return {}
    here = submission.folder.resolve()
    entries = [Path(benchmarks.__file__).parents[1], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    path = os.pathsep.join(str(entry) for entry in map(Path.resolve, map(Path, entries)) if entry != here)
    return {"working_directory": here, "environment": {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}}


def differences(recorded: Result, played: Result) -> list[str]:
    """Returns how a result differs from the same job played again, beyond rounding, in words."""
    seed = recorded.definition["evaluation"]["seed"]
    reasons = [_difference(name, values, played.values[name], seed) for name, values in recorded.values.items()]
    reasons.append(_difference("decisions", recorded.decisions, played.decisions, seed))
    for name, trace in recorded.traces.items():
        again = played.traces[name]
        if trace.shape != again.shape or np.abs(trace - again).max() > MEAN_TOLERANCE * np.abs(again).mean():
            reasons.append(f"the trace of {name} differs")
    if recorded.recording is not None and recorded.recording != played.recording:
        reasons.append("the recorded episode differs")
    if played.warnings and not recorded.warnings:
        reasons.append(f"it warned when played: {played.warnings[0]}")
    for name in recorded.kept.trends:
        if run_grows(name, played) and not run_grows(name, recorded):
            reasons.append(f"{label(name)} grows when the policy is played again, but not in the result")
    return [reason for reason in reasons if reason]


def _difference(metric: str, recorded: np.ndarray, played: np.ndarray, seed: int) -> str:
    """Returns how the recorded values of the episodes differ from the played ones, in words; "" where they do not."""
    equal = _equal(recorded, played)
    apart = abs(float(recorded.mean() - played.mean()))
    near = equal | (np.abs(recorded - played) <= LARGEST_DEVIATION * played.std())
    enough_equal = equal.mean() >= LEAST_EQUAL
    if enough_equal and near.all() and apart <= MEAN_TOLERANCE * max(float(np.abs(played).mean()), 1e-12):
        return ""
    first = int(np.argmin(near if enough_equal and not near.all() else equal))
    return (
        f"{int((~equal).sum())} of {len(equal)} episodes differ: {metric} of the episode of seed {seed + first} is "
        f"{recorded[first]:.6g} in the result, {played[first]:.6g} when played; means {recorded.mean():.6g} and "
        f"{played.mean():.6g}"
    )


def _equal(recorded: np.ndarray, played: np.ndarray) -> np.ndarray:
    scale = np.maximum(np.abs(played), 1e-3 * max(float(np.abs(played).mean()), 1e-12))
    return np.abs(recorded - played) <= TOLERANCE * scale


def main(arguments: Sequence[str] | None = None, known: Mapping[str, tuple[Suite, ...]] = SUITES) -> int:
    """Checks the submission of the command line.

    Returns the exit code: 0 for a valid submission, 1 for a rejected one, 2 where it cannot be checked.
    """
    parser = CommandParser(prog="python -m benchmarks.verify", description="Checks a submission.")
    parser.add_argument("submission", type=Path, metavar="SUBMISSION", help="folder with submission.json")
    parser.add_argument("--sample", type=int, default=3, help="results to play again (default: %(default)s)")
    parser.add_argument(
        "--suite",
        default="",
        metavar="MODULE:NAME",
        help="a suite of yours that the submission names, package.module:NAME; it is imported",
    )
    parser.add_argument("--seed", type=int, help="seed of the draw of these results (default: a random one)")
    parser.add_argument(
        "--decision-limit",
        type=float,
        default=DECISION_LIMIT_S,
        metavar="SECONDS",
        help="the longest time for a decision of all agents (default: %(default)g)",
    )
    options = parser.parse_args(arguments)
    seed: int = secrets.randbits(32) if options.seed is None else options.seed
    if options.sample < 1:
        parser.error(f"--sample {options.sample} must be at least 1")
    if not options.decision_limit > 0.0:
        parser.error(f"--decision-limit {options.decision_limit} must be above 0")
    try:
        submission = Submission.read(options.submission)
        limit: float = options.decision_limit
        own: str = options.suite
        reasons = verify(submission, known, sample=options.sample, seed=seed, decision_limit_s=limit, own_suite=own)
    except ValueError as error:
        print(f"benchmarks.verify: {error}", file=sys.stderr)
        return 2
    for reason in reasons:
        print(f"rejected: {reason}", file=sys.stderr)
    print(f"{'rejected' if reasons else 'accepted'}, with --seed {seed}")
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
