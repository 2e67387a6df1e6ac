"""Whether a submission's results can be had again: `python -m benchmarks.verify SUBMISSION [--sample 3] [--seed 0]`.

SUBMISSION is a folder with `submission.json`, the `results/` of `benchmarks.run`, and what plays: for a policy of the
project the trained `runs/`, for somebody's own its module beside them (`docs/submissions.md`). Every file is checked;
of some results, drawn at random, all episodes are played again. Somebody's code is run: in a machine of its own, where
it is not trusted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import results
from benchmarks.jobs import evaluate
from benchmarks.plan import Job
from benchmarks.results import Result
from benchmarks.run import jobs_of_suites
from benchmarks.suite import Suite
from benchmarks.suites import SUITES, suites_of
from trainers.run_directory import CHECKPOINT
from vec_envs.mobility import TrafficError

SUBMISSION = "submission.json"
SAME = 1e-4
"""How much two values of an episode may differ, as a part of them: results are written with six digits."""
SAME_EPISODES = 0.95
"""The part of the episodes that must be the same: on another processor a near tie may be decided otherwise."""
SAME_MEAN = 5e-3
"""How much the mean over all episodes may differ, as a part of it."""


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
        if not isinstance(suite, str) or not isinstance(policy, str) or not isinstance(seeds, int) or seeds < 1:
            raise ValueError(f"{folder / SUBMISSION}: suite and policy are text, seeds is a number from 1 on")
        return Submission(folder=folder, suite=suite, policy=policy, seeds=seeds)


def verify(submission: Submission, known: Mapping[str, tuple[Suite, ...]], *, sample: int, seed: int) -> list[str]:
    """Returns the reasons to reject a submission; none where it holds.

    Raises `ValueError` where its suite or policy does not exist.
    """
    sys.path.insert(0, str(submission.folder.resolve()))
    suites = suites_of(submission.suite, known, (submission.policy,))
    ranked = [suite for suite in suites if suite.version]
    jobs = jobs_of_suites(ranked or suites, submission.seeds)
    there, reasons = dict[str, Result](), list[str]()
    for job in jobs:
        try:
            there[job.name] = results.read(submission.folder / "results" / f"{job.name}.json")
        except FileNotFoundError:
            reasons.append(f"{job.name} is missing: {_case_in_words(job)}")
        except (OSError, ValueError) as error:
            reasons.append(str(error))
    drawn = np.random.default_rng(seed).permutation(len(there))[:sample]
    by_name = {job.name: job for job in jobs}
    for n, name in enumerate(sorted(there)[i] for i in drawn):
        print(f"{n + 1} of {len(drawn)}: playing {name} again", flush=True)
        reasons += _played_again(by_name[name], there[name], submission.folder)
    return reasons


def _case_in_words(job: Job) -> str:
    usual = {"mobility", "scenario"}
    env = {name: of for name, of in job.definition["evaluation"]["env"].items() if name in usual}
    return f"{job.definition['env_id']}, {env}"


def _played_again(job: Job, recorded: Result, folder: Path) -> list[str]:
    """Returns in what a result differs from what its policy does."""
    run = folder / "runs" / job.run_name if job.training else None
    if run is not None and not (run / CHECKPOINT).exists():
        return [f"{job.name}: its trained run, runs/{job.run_name}, is missing"]
    try:
        played = evaluate(job, run)
    except (OSError, RuntimeError, TrafficError, ValueError) as error:
        return [f"{job.name} cannot be played again: {error}"]
    differences = [_difference(name, of, played.values[name], job) for name, of in recorded.values.items()]
    return [f"{job.name}: {difference}" for difference in differences if difference]


def _difference(figure: str, recorded: np.ndarray, played: np.ndarray, job: Job) -> str:
    """Returns in words how what was recorded differs from what was played; "" where it does not."""
    scale = np.maximum(np.abs(played), 1e-3 * max(float(np.abs(played).mean()), 1e-12))
    same = np.abs(recorded - played) <= SAME * scale
    mean, again = float(recorded.mean()), float(played.mean())
    if same.mean() >= SAME_EPISODES and abs(mean - again) <= SAME_MEAN * max(abs(again), 1e-12):
        return ""
    first = int(np.argmin(same))
    of = f"{figure} of the episode of seed {job.definition['evaluation']['seed'] + first}"
    return (
        f"{int((~same).sum())} of {len(same)} episodes differ: {of} is {recorded[first]:.6g} in the result, "
        f"{played[first]:.6g} when played; means {mean:.6g} and {again:.6g}"
    )


def main(arguments: Sequence[str] | None = None, known: Mapping[str, tuple[Suite, ...]] = SUITES) -> int:
    """Verifies the command line's submission; returns the exit code: 0 accepted, 1 rejected, 2 none at all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verify", description="Verifies a submission.")
    parser.add_argument("submission", type=Path, metavar="SUBMISSION", help="folder with submission.json")
    parser.add_argument("--sample", type=int, default=3, help="results that are played again (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw of these (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.sample < 1:
        parser.error(f"--sample {options.sample} must be at least 1")
    try:
        reasons = verify(Submission.read(options.submission), known, sample=options.sample, seed=options.seed)
    except ValueError as error:
        print(f"benchmarks.verify: {error}", file=sys.stderr)
        return 2
    for reason in reasons:
        print(f"rejected: {reason}", file=sys.stderr)
    if not reasons:
        print("accepted")
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
