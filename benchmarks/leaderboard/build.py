"""From the results of a leaderboard's suite to its `Board`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.jobs import recording
from benchmarks.jobs.plan import options_of, problem_of
from benchmarks.leaderboard import schema as board
from benchmarks.leaderboard.case_results import Stage, read_all
from benchmarks.leaderboard.plots import curve_plot, queue_plots, sweep_plots
from benchmarks.leaderboard.schema import Board, CaseBoard, Entry, Head, Kind, Plot, Rejected, Track
from benchmarks.leaderboard.scores import (
    Scale,
    aggregates,
    grows,
    improvements,
    interval,
    is_reference,
    profiles,
    regret,
    run_scores,
    scale_of,
)
from benchmarks.reports.policy_results import DECISIONS, Line
from benchmarks.reports.tables import in_code, unit_of
from benchmarks.results.result import Result
from benchmarks.suites.suite import Case, Suite
from trainers.evaluate import label

NAMED = 2
"""So many cases are named one by one."""
TITLES = {
    "VEC-DNNPartition-v0": "Cutting and offloading DNNs (MAD2RL)",
    "VEC-TaskDiversion-v0": "Tasks diverted between roadside units (RTD)",
    "VEC-CooperativeInference-v0": "Streams of tasks within budgets (LyMDO)",
}


def board_of(suites: Sequence[Suite], seeds: int, *folders: Path) -> Board:
    """Returns the board of a leaderboard's suite, the first that has a version, with the others as its trade-offs.

    A result is taken from the first folder that has it.

    Files that are no results, and policies of which too little is there, are left out, and said to be. Raises
    `ValueError` where no suite has a version, or nothing could be scored.
    """
    ranked = next((suite for suite in suites if suite.version), None)
    if ranked is None:
        raise ValueError(f"{' and '.join(suite.name for suite in suites)}: none of these ranks anybody")
    there, rejected = read_all(folders, ranked.cases)
    played = [Stage.of(case, seeds, there) for case in ranked.cases]
    by_env = {id_: [stage for stage in played if stage.case.env_id == id_] for id_ in TITLES}
    sweeps = [plot for suite in suites if not suite.version for plot in sweep_plots(suite, seeds, *folders)]
    tracks = [
        _track(id_, stages, ranked.name, seeds, sweeps if id_ == "VEC-DNNPartition-v0" else [], rejected)
        for id_, stages in by_env.items()
        if stages
    ]
    if not any(track.cases for track in tracks):
        raise ValueError(
            f"{' and '.join(map(str, folders))} has nothing of {ranked.name} that could be scored: run it first"
        )
    used = [result for stage in played for line in stage.lines for result in line.found]
    return Board(
        suite=ranked.name,
        title=ranked.title,
        version=ranked.version,
        code=in_code(result.provenance for result in used),
        tracks=tuple(track for track in tracks if track.cases),
        recordings=tuple(_recordings(played)),
        left_out=tuple(rejected),
    )


# A track --------------------------------------------------------------------------------------------------------------


def _track(
    env_id: str, stages: Sequence[Stage], suite: str, seeds: int, sweeps: list[Plot], rejected: list[Rejected]
) -> Track:
    scaled: list[tuple[Stage, Scale]] = []
    for stage in stages:
        try:
            scaled.append((stage, scale_of(stage.case, stage.found)))
        except ValueError as error:
            rejected.append(Rejected(what=stage.case.name, why=str(error)))
    whole = {
        name: np.stack([run_scores(scale, stage.found[name]) for stage, scale in scaled], axis=1)
        for name in _names(stages)
        if _is_whole(name, scaled, len(stages))
    }
    of_all = aggregates(whole) if whole else {}
    times = {name: _times_best(name, scaled) for name in whole}
    scales = {stage.case.name for stage, _ in scaled}
    unscaled = [stage.case.name for stage in stages if stage.case.name not in scales]
    entries = [
        replace(_entry(name, scaled, unscaled, suite, seeds), scores=of_all.get(name, {}), times_best=times.get(name))
        for name in _names(stages)
    ]
    best = [entry.name for entry in sorted(entries, key=_order) if entry.scores]
    pairs = improvements({name: whole[name] for name in best}) if len(best) > 1 else {}
    seen = [stage for stage, _ in scaled if not stage.case.unseen]
    return Track(
        env_id=env_id,
        title=TITLES[env_id],
        entries=_ranked(entries),
        cases=tuple(_case_board(stage, scale) for stage, scale in scaled),
        profiles=Plot(
            title="Performance profiles",
            x_label="score",
            y_label="runs above it",
            lines=profiles({name: whole[name] for name in best}) if best else (),
        ),
        improvements=tuple(
            board.Improvement(better=better, than=than, probability=of) for (better, than), of in pairs.items()
        ),
        curves=tuple(plot for stage in seen if (plot := curve_plot(stage.case, list(stage.found.values())))),
        queues=tuple(plot for stage, _ in scaled for plot in queue_plots(stage.case, _steady(stage))),
        sweeps=tuple(sweeps),
    )


def _names(stages: Sequence[Stage]) -> list[str]:
    """Returns all who have any result in a track, or should."""
    lines = [line for stage in stages for line in stage.lines]
    given = {line.policy for line in lines if line.found}
    return [name for name in dict.fromkeys(line.policy for line in lines) if name in given or ":" not in name]


def _steady(stage: Stage) -> list[Line]:
    return [line for line in stage.found.values() if not grows(stage.case, line)]


def _is_whole(name: str, scaled: Sequence[tuple[Stage, Scale]], cases: int) -> bool:
    lines = [line for stage, _ in scaled for line in stage.lines if line.policy == name]
    return len(lines) == cases and all(len(line.found) == len(line.expected) for line in lines)


def _times_best(name: str, scaled: Sequence[tuple[Stage, Scale]]) -> float:
    """Returns the geometric mean over cases of a policy's figure, in times that of the reference that is 1."""
    return float(stats.gmean([stage.found[name].mean(scale.figure).value / scale.one.value for stage, scale in scaled]))


def _order(entry: Entry) -> tuple[bool, bool, float]:
    """Stable ones first, then by score; those without a score last."""
    return not entry.scores, not entry.stable, -entry.scores["mean"][0] if entry.scores else 0.0


def _ranked(entries: list[Entry]) -> tuple[Entry, ...]:
    """Returns entries with their ranks; who has the same score as the page prints it shares one."""
    ranked: list[Entry] = []
    for n, entry in enumerate(sorted(entries, key=_order), start=1):
        above = ranked[-1] if ranked else None
        tied = above is not None and above.stable == entry.stable and _printed(above) == _printed(entry)
        rank = above.rank if above is not None and tied else n
        ranked.append(replace(entry, rank=rank if entry.scores else None))
    return tuple(ranked)


def _printed(entry: Entry) -> float | None:
    return round(entry.scores["mean"][0], 3) if entry.scores else None


def _entry(
    name: str,
    scaled: Sequence[tuple[Stage, Scale]],
    unscaled: Sequence[str],
    suite: str,
    seeds: int,
) -> Entry:
    lines = [(stage, line) for stage, _ in scaled for line in stage.lines if line.policy == name]
    found = [result for _, line in lines for result in line.found]
    growing = [stage.case.name for stage, line in lines if line.found and grows(stage.case, line)]
    lacks = [
        f"{stage.case.name} ({line.runs or 'missing'})" for stage, line in lines if len(line.found) < len(line.expected)
    ]
    note = [f"its queue grows on {_some(growing, len(lines))}"] if growing else []
    note += [f"not ranked: incomplete on {' and on '.join(lacks)}"] if lacks else []
    note += [f"not ranked: {', '.join(unscaled)} cannot be scored"] if unscaled else []
    note += [f"on {stage.case.name} it warned: {line.warned}" for stage, line in lines if line.warnings]
    note += ["one run, of its author's choice"] if _kind(name, trained=False) == "given" else []
    trained = any("-seed" in name for _, line in lines for name in line.expected)
    return Entry(
        name=name,
        kind=_kind(name, trained),
        rank=None,
        stable=not growing,
        note="; ".join(note),
        seeds=max((len(line.found) for _, line in lines), default=0),
        decision_ms=_decision_ms(found),
        options=_options(found),
        command=f"python -m benchmarks.run {suite} --policies {shlex.quote(name.partition(' (')[0])}"
        + (f" --seeds {seeds}" if trained else ""),
    )


def _some(cases: Sequence[str], of: int) -> str:
    """Returns cases in words, by name where they are few."""
    if len(cases) == of > 1:
        return "every case"
    return " and on ".join(cases) if len(cases) <= NAMED else f"{len(cases)} of {of} cases"


def _kind(name: str, trained: bool) -> Kind:
    if ":" in name:
        return "given"
    return "learned" if trained else "reference"


def _options(found: Sequence[Result]) -> dict[str, Any]:
    """Returns what a policy was trained with, in one level; nothing where it has not learned."""
    policy = next((result.definition["policy"] for result in found), {})
    if "given" in policy:
        return {"source": policy["given"], "sha256": policy["sha256"]}
    if "learner_name" not in policy:
        return {}
    options = {name: policy[name] for name in ("learner_name", "preset", "episodes", "num_envs")}
    for name, of in policy["learner"].items():
        options |= of if isinstance(of, Mapping) else {name: of}
    return options


# A case ---------------------------------------------------------------------------------------------------------------


def _case_board(stage: Stage, scale: Scale) -> CaseBoard:
    case, found = stage.case, stage.found
    evaluation = found["random"].found[0].definition["evaluation"]
    problem = problem_of(case.env_id, evaluation["env"])
    figures = [*evaluation["figures"], *(f"trend_{name}" for name in case.trends)]
    figures += [DECISIONS] if problem.one_at_a_time else []
    rows = [_row(case, line, scale, found.get(scale.best), figures) for line in found.values()]
    usual = options_of(case.env_id, {})
    return CaseBoard(
        name=case.name,
        title=case.name,
        unseen=case.unseen,
        best=scale.best,
        episodes=case.episodes,
        seed=case.seed,
        options={name: of for name, of in options_of(case.env_id, case.env).items() if of != usual[name]},
        heads=tuple(Head(name=name, label=label(name), unit=unit_of(name)) for name in figures),
        rows=tuple(sorted(rows, key=lambda row: -row.score[0])),
    )


def _row(case: Case, line: Line, scale: Scale, best: Line | None, figures: list[str]) -> board.Row:
    means = {name: line.mean(name) for name in figures}
    exact = bool(case.optima) and best is not None
    _, low, high = scale.interval(means[scale.figure])
    return board.Row(
        policy=line.policy,
        seeds=len(line.found),
        complete=len(line.found) == len(line.expected),
        score=(float(run_scores(scale, line).mean()), low, high),
        regret=regret(line, best, scale.figure) if exact and best is not None else None,
        growing=grows(case, line),
        decision_ms=_decision_ms(line.found),
        figures={name: interval(of) for name, of in means.items()},
    )


def _decision_ms(found: Sequence[Result]) -> float | None:
    """Returns the median over results."""
    times = [result.decision_ms for result in found if result.decision_ms is not None]
    return float(np.median(times)) if times else None


def _recordings(stages: Sequence[Stage]) -> list[board.Recording]:
    """Returns the recorded episodes: of each policy the first seed's."""
    return [
        recording.read(result.recording, case=stage.case.name, policy=line.policy)
        for stage in stages
        for line in stage.found.values()
        for result in line.found[:1]
        if result.recording is not None and (not is_reference(line) or line.policy != "random")
    ]
