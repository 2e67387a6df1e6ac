"""A leaderboard's suite and one of trade-offs, whose results are known."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jobs.plan import case_key, custom_policy_job, jobs_of, kept_of, options_of, problem_of
from benchmarks.leaderboard.schema import Board, Entry
from benchmarks.results import result as results
from benchmarks.results.kept import Kept
from benchmarks.suites.suite import Case, Learned, Reference, Suite

EPISODES, SEEDS = 12, 3
POLICIES = (
    Learned(name="mine", learner="qmix"),
    Learned(name="worse", learner="qmix", options={"hidden": 9}),
    Reference(name="timetable", stored=True),
    *(Reference(name=name) for name in ("optimum-drift", "least-delay", "all-local", "random")),
)
REFERENCES = Path(tempfile.mkdtemp()) / "references.jsonl"
SEER = 8.0
BASE = Case(
    name="seen",
    env_id="VEC-DNNPartition-v0",
    env={"mobility": "straight"},
    policies=POLICIES,
    trends=("backlog_gcycles",),
    traces=("backlog_gcycles",),
    queues=("backlog_gcycles",),
    optima=("optimum-drift",),
    references=str(REFERENCES),
    episodes=EPISODES,
)
UNSEEN = replace(BASE, name="new road", env={"mobility": "replay"}, trained_on=BASE.env, unseen="road")
SUITE = Suite(name="two", title="Two", cases=(BASE, UNSEEN), baseline="", picture="none", shows="", version="7")
SWEEP = Suite(
    name="v", title="V", cases=tuple(replace(BASE, name=f"V{v}", x=v, env={"lyapunov_v": float(v)}) for v in (1, 2)),
    baseline="", picture="sweep", shows="", axis="V", columns=("completion_time_s",),
)  # fmt: skip
MEANS = {
    "mine": 12.0, "worse": 20.0, "optimum-drift": 10.0, "least-delay": 11.0, "timetable": 30.0, "all-local": 60.0,
    "random": 110.0,
}  # fmt: skip
GROWING = {"least-delay", "all-local"}
THEIRS = {"given": "hers:Policy", "sha256": "ab" * 8}
TWIN = {"given": "his:Policy", "sha256": "cd" * 8}


def write_references(path: Path, *cases: Case, seer: float = SEER) -> None:
    """Writes references of cases: tables of all-local actions, and the value of a seer on every episode."""
    table = {"table": [[0] * 7]}
    shared = {"static": table, "timetable": table, "seer": {"completion_time_s": [seer] * EPISODES}}
    lines = [{**case_key(case), **shared} for case in cases]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write(folder: Path, case: Case, name: str, mean: float, *, growing: bool, definitions: list[Any]) -> None:
    rng = np.random.default_rng(len(name))
    for seed, definition in enumerate(definitions):
        of_episodes = mean + rng.normal(0.0, 0.01, EPISODES) + 0.5 * seed
        queue = np.full(EPISODES, 20.0)
        results.write(
            folder,
            definition,
            kept_by(case),
            values={
                "completion_time_s": of_episodes,
                "backlog_gcycles": queue,
                "trend_backlog_gcycles": queue * (0.06 if growing else 0.001),
            },
            decisions=np.full(EPISODES, 30),
            curve={"episodes": np.arange(5.0), "completion_time_s": 9.0 - np.arange(5.0)}
            if len(definitions) > 1
            else None,
            traces={"backlog_gcycles": np.arange(30.0)},
            training_s=1.0,
            evaluation_s=1.0,
            decision_ms=0.5,
        )


def kept_by(case: Case) -> Kept:
    """Returns the metrics that a case keeps."""
    return kept_of(case, problem_of(case.env_id, options_of(case.env_id, case.env)))


def write_all(folder: Path) -> None:
    """Writes all results of both suites."""
    for case in (BASE, UNSEEN, *SWEEP.cases):
        for policy in (of for of in case.policies if jobs_of(case, of, SEEDS)):
            mean = MEANS[policy.name] + 4.0 * (policy.name == "worse" and bool(case.unseen))
            definitions = [job.definition for job in jobs_of(case, policy, SEEDS)]
            write(folder, case, policy.name, mean, growing=policy.name in GROWING, definitions=definitions)
    for case in (BASE, UNSEEN):
        write(folder, case, "theirs", 11.0, growing=False, definitions=[custom_policy_job(case, THEIRS).definition])


write_references(REFERENCES, BASE, UNSEEN)


def entries(board: Board) -> dict[str, Entry]:
    (track,) = board.tracks
    return {entry.name: entry for entry in track.entries}
