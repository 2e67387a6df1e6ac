"""Whether a submission's results can be had again: `python -m benchmarks.verify SUBMISSION [--sample 3] [--seed N]`.

SUBMISSION is a folder with `submission.json`, the `results/` of `benchmarks.run`, and what plays: for a policy of the
project the trained `runs/`, for somebody's own its module beside them (`docs/leaderboard.md`). Every file is checked;
some results, drawn at random, are played again whole, each in a process of its own. Somebody's code runs in those: do
this on a machine where a stranger's code may run, and read the code; what it does to its own process cannot be ruled
out here.
"""

from __future__ import annotations

import argparse
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
from benchmarks.jobs.plan import DECISION_LIMIT_S, Job, given_job, jobs_of, learner_named
from benchmarks.leaderboard.scores import run_grows
from benchmarks.policies.custom import is_source
from benchmarks.results import result as results
from benchmarks.results.result import Result
from benchmarks.suites import SUITES, suites_of
from benchmarks.suites.suite import Case, Suite
from trainers.evaluate import label
from trainers.runs.directory import CHECKPOINT, CONFIG, METRICS, RunDirectory
from trainers.runs.options import from_json

SUBMISSION = "submission.json"
MOST_SEEDS = 1000
RUN_FILES = CONFIG, METRICS, CHECKPOINT
"""What is copied of a run, regular files alone: a link could lead anywhere."""
SAME = 1e-4
"""How much two values of an episode may differ, as a part of them: results are written with six digits."""
SAME_EPISODES = 0.95
"""The part of the episodes that must be the same: on another processor a near tie may be decided otherwise."""
SAME_MEAN = 5e-3
"""How much the mean over all episodes may differ, as a part of it."""
APART = 2.0
"""How much an episode may differ that does, in standard deviations of all episodes: no further than they lie apart."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A folder that somebody hands in."""

    folder: Path
    suite: str
    policy: str
    """A name of the suite's, or "package.module:name" of a module in the folder."""
    seeds: int

    @staticmethod
    def read(folder: Path) -> Submission:
        """Returns the submission in a folder. Raises `ValueError` where it does not say what it must."""
        try:
            said = json.loads((folder / SUBMISSION).read_text())
            suite, policy, seeds = said["suite"], said["policy"], said["seeds"]
        except OSError as error:
            raise ValueError(f"{folder} has no {SUBMISSION}: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f'{folder / SUBMISSION} does not say "suite", "policy" and "seeds": {error!r}') from error
        if (
            not isinstance(suite, str)
            or not isinstance(policy, str)
            or not isinstance(seeds, int)
            or not 1 <= seeds <= MOST_SEEDS
        ):
            raise ValueError(f"{folder / SUBMISSION}: suite and policy are text, seeds is from 1 to {MOST_SEEDS}")
        return Submission(folder=folder, suite=suite, policy=policy, seeds=seeds)


def verify(
    submission: Submission,
    known: Mapping[str, tuple[Suite, ...]],
    *,
    sample: int,
    seed: int,
    decision_limit_s: float = DECISION_LIMIT_S,
) -> list[str]:
    """Returns the reasons to reject a submission; none where it holds.

    Raises `ValueError` where its suite or policy does not exist.
    """
    there, reasons = _read_all(submission.folder / "results")
    jobs, lacking = _jobs(submission, known, there)
    reasons += [f"{name}.json is no result of it" for name in sorted(set(there) - set(jobs))]
    reasons += [f"{name} is missing: {case}" for name, case in lacking.items()]
    named = sorted(set(there) & set(jobs))
    if not named:
        return [*reasons, f"{submission.folder / 'results'} holds no result of {submission.policy}"]
    of_runs = {name: _run_reasons(jobs[name], submission.folder) for name in named}
    reasons += [reason for of_run in of_runs.values() for reason in of_run]
    able = [name for name in named if not of_runs[name]]  # what has no run would be trained here
    drawn = np.random.default_rng(seed).permutation(len(able))[:sample]
    for n, name in enumerate(able[i] for i in drawn):
        print(f"{n + 1} of {len(drawn)}: playing {name} again", flush=True)
        job = replace(jobs[name], decision_limit_s=decision_limit_s)
        reasons += [f"{name}: {reason}" for reason in _played_again(job, there[name], submission)]
    return reasons


def _read_all(folder: Path) -> tuple[dict[str, Result], list[str]]:
    there, reasons = dict[str, Result](), list[str]()
    for path in sorted(folder.glob("*")):
        try:
            if path.is_symlink():
                raise ValueError(f"{path} is a link")
            there[path.stem] = results.read(path)
        except (OSError, ValueError) as error:
            reasons.append(str(error))
    return there, reasons


def _jobs(
    submission: Submission, known: Mapping[str, tuple[Suite, ...]], there: Mapping[str, Result]
) -> tuple[dict[str, Job], dict[str, str]]:
    """Returns the jobs of a submission, and the names of those that lack a result with their cases.

    Somebody's own policy is told by its results, nothing of it imported, and must play all cases of an environment;
    those of a suite that ranks nobody may lack.
    """
    own = is_source(submission.policy)
    suites = suites_of(submission.suite, known, () if own else (submission.policy,))
    jobs, lacking = dict[str, Job](), dict[str, str]()
    for ranks, case in ((bool(suite.version), case) for suite in suites for case in suite.cases):
        for job in _jobs_of(submission, case, there, own=own):
            jobs[job.name] = job
            if ranks and job.name not in there:
                lacking[job.name] = f"{case.name} of {case.env_id}"
    return jobs, lacking


def _jobs_of(submission: Submission, case: Case, there: Mapping[str, Result], *, own: bool) -> list[Job]:
    if not own:
        return [job for policy in case.policies for job in jobs_of(case, policy, submission.seeds)]
    who = [result.definition["policy"] for result in there.values() if result.definition["env_id"] == case.env_id]
    told = {json.dumps(of, sort_keys=True): of for of in who if of.get("given") == submission.policy}
    return [given_job(case, of) for of in told.values()]


def _run_reasons(job: Job, folder: Path) -> list[str]:
    """Returns why a trained run is not what its job asks for. That it was trained so is not shown by this."""
    if job.training is None:
        return []
    path = run_of(job, folder)
    if not all(file.is_file() and not file.is_symlink() for file in (path / name for name in RUN_FILES)):
        return [f"{job.name}: its trained run, runs/{path.name}, is not a folder of {', '.join(RUN_FILES)}"]
    try:
        learner = learner_named(job.training["learner_name"])
        texts = json.dumps(job.training), (path / CONFIG).read_text()
        asked, has = (from_json(text, learner) for text in texts)
        trained = int(RunDirectory(path).load_checkpoint()["round"])
    except (OSError, KeyError, OverflowError, TypeError, ValueError) as error:
        return [f"{job.name}: its trained run, runs/{path.name}, cannot be read: {error}"]
    others = other_options(job, asked, has)
    reasons = [f"{job.name}: runs/{path.name} is of another {', '.join(others)}"] if others else []
    if trained < asked.rounds:
        reasons.append(f"{job.name}: runs/{path.name} has trained {trained} of {asked.rounds} rounds")
    return reasons


def _played_again(job: Job, recorded: Result, submission: Submission) -> list[str]:
    """Returns in what a result differs from what its policy does, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="vec-envs-") as folder:
        directory = Path(folder)
        if job.training is not None:
            run_of(job, directory).mkdir(parents=True)
            for name in RUN_FILES:
                shutil.copyfile(run_of(job, submission.folder) / name, run_of(job, directory) / name)
        process = start(job, directory, **_where(submission))
        try:
            code = process.wait()
        finally:
            stop([process])
        if code or not result_of(job, directory).exists():
            return [f"it cannot be played again: {failure_of(job, code, directory).how}"]
        played = results.read(result_of(job, directory))
    return differences(recorded, played)


def _where(submission: Submission) -> dict[str, Any]:
    """Returns where a submission's jobs run: somebody's own module in its folder, beside which its files are found.

    The folder is looked into last (`given.maker`): a file in it that has the name of one of our modules, or of a
    package, does not take its place.
    """
    if not is_source(submission.policy):
        return {}
    here = submission.folder.resolve()
    entries = [Path(benchmarks.__file__).parents[1], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    path = os.pathsep.join(str(entry) for entry in map(Path.resolve, map(Path, entries)) if entry != here)
    return {"working_directory": here, "environment": {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}}


def differences(recorded: Result, played: Result) -> list[str]:
    """Returns in words in what a result differs from the same one played again, beyond what rounding explains."""
    seed = recorded.definition["evaluation"]["seed"]
    words = [_difference(name, of, played.values[name], seed) for name, of in recorded.values.items()]
    words.append(_difference("decisions", recorded.decisions, played.decisions, seed))
    for name, of in recorded.traces.items():
        again = played.traces[name]
        if of.shape != again.shape or np.abs(of - again).max() > SAME_MEAN * np.abs(again).mean():
            words.append(f"the trace of {name} differs")
    if recorded.recording != played.recording:
        words.append("the recorded episode differs")
    if played.warnings and not recorded.warnings:
        words.append(f"it warned when played: {played.warnings[0]}")
    for name in recorded.definition["evaluation"].get("trends", []):
        if run_grows(name, played) and not run_grows(name, recorded):
            words.append(f"{label(name)} is a growing queue when played, and is none in the result")
    return [reason for reason in words if reason]


def _difference(figure: str, recorded: np.ndarray, played: np.ndarray, seed: int) -> str:
    """Returns in words how what was recorded differs from what was played; "" where it does not."""
    same = _same(recorded, played)
    apart = abs(float(recorded.mean() - played.mean()))
    near = same | (np.abs(recorded - played) <= APART * played.std())
    few = same.mean() >= SAME_EPISODES
    if few and near.all() and apart <= SAME_MEAN * max(float(np.abs(played).mean()), 1e-12):
        return ""
    first = int(np.argmin(near if few and not near.all() else same))
    return (
        f"{int((~same).sum())} of {len(same)} episodes differ: {figure} of the episode of seed {seed + first} is "
        f"{recorded[first]:.6g} in the result, {played[first]:.6g} when played; means {recorded.mean():.6g} and "
        f"{played.mean():.6g}"
    )


def _same(recorded: np.ndarray, played: np.ndarray) -> np.ndarray:
    scale = np.maximum(np.abs(played), 1e-3 * max(float(np.abs(played).mean()), 1e-12))
    return np.abs(recorded - played) <= SAME * scale


def main(arguments: Sequence[str] | None = None, known: Mapping[str, tuple[Suite, ...]] = SUITES) -> int:
    """Verifies the command line's submission; returns the exit code: 0 accepted, 1 rejected, 2 none at all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verify", description="Verifies a submission.")
    parser.add_argument("submission", type=Path, metavar="SUBMISSION", help="folder with submission.json")
    parser.add_argument("--sample", type=int, default=3, help="results that are played again (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of the draw of these (default: one that nobody knows before)")
    parser.add_argument(
        "--decision-limit",
        type=float,
        default=DECISION_LIMIT_S,
        metavar="SECONDS",
        help="what a decision of all agents may take (default: %(default)g)",
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
        reasons = verify(submission, known, sample=options.sample, seed=seed, decision_limit_s=limit)
    except ValueError as error:
        print(f"benchmarks.verify: {error}", file=sys.stderr)
        return 2
    for reason in reasons:
        print(f"rejected: {reason}", file=sys.stderr)
    print(f"{'rejected' if reasons else 'accepted'}, with --seed {seed}")
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
