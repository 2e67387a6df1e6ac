"""Builds the content of a leaderboard (`Board`) from the results of a suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.jobs import recording
from benchmarks.leaderboard.case_results import CaseResults, custom_policies, read_all
from benchmarks.leaderboard.plots import sweep_plots
from benchmarks.leaderboard.schema import Board
from benchmarks.leaderboard.skill import RANDOM, is_reference
from benchmarks.leaderboard.track_work import TrackWork, tracks_of
from benchmarks.leaderboard.tracks import TrackResults
from benchmarks.reports.tables import in_code
from benchmarks.results.stores import open_results
from benchmarks.results.traffic_versions import warn_of_mixed_sumo
from benchmarks.suites.suite import Case, Suite

TITLES = {
    "VEC-DNNPartition-v0": "Cutting and offloading DNNs (MAD2RL)",
    "VEC-TaskDiversion-v0": "Tasks diverted between roadside units (RTD)",
    "VEC-CooperativeInference-v0": "Streams of tasks within budgets (LyMDO)",
}
"""Id of an environment -> title of its track. Other environments have their id as the title."""


def _silent(line: str) -> None:
    """Ignores a line about the progress."""


def board_of(
    suites: Sequence[Suite],
    seeds: int,
    *paths: Path,
    suite_name: str = "",
    workers: int = 1,
    report: Callable[[str], None] = _silent,
    detail: Callable[[str], None] = _silent,
) -> Board:
    """Returns the board of the first suite with a version. The other suites give plots of trade-offs.

    Invalid files and incomplete policies are listed in `Board.left_out`.

    Args:
        suites: The suites that a name on the command line selects.
        seeds: The expected number of training seeds.
        paths: Folders and `.jsonl` files of results. A result in several of them is taken from the first.
        suite_name: The name on the command line, for the commands that reproduce entries; by default the suite's.
        workers: The number of processes that compute tracks. The board does not depend on it.
        report: Takes a line about the progress.
        detail: Takes the number of results that have been read, as a line that the next one replaces.

    Raises `ValueError` where no suite has a version, or no case can be used for ranking.
    """
    ranked = next((suite for suite in suites if suite.version), None)
    if ranked is None:
        names = " and ".join(suite.name for suite in suites)
        raise ValueError(f"{names}: no suite has a ranking; give one of them a version, such as version='1'")
    stores = [open_results(path) for path in paths]
    results = sum(len(store.entries) for store in stores)
    report(f"reading {results:,} results")
    found, rejected = read_all(
        stores, ranked.cases, reached=lambda number: detail(f"reading result {number + 1:,} of {results:,}")
    )
    played: list[CaseResults] = []
    tracks: list[TrackResults] = []
    for env_id, cases in _by_environment(ranked.cases).items():
        custom = custom_policies(found, cases)
        results = [CaseResults.of(case, seeds, found, custom) for case in cases]
        track = TrackResults.of(env_id, results, suite=suite_name or ranked.name, seeds=seeds)
        rejected += track.left_out
        played += results
        tracks.append(track)
    if not any(track.cases for track in tracks):
        where = " and ".join(map(str, paths))
        raise ValueError(f"{where} has no results of the suite {ranked.name} that can be ranked: run the suite first")
    sweeps = [suite for suite in suites if not suite.version]
    work = [
        TrackWork(
            results=track,
            title=title_of(track.env_id),
            sweeps=tuple(plot for suite in sweeps for plot in sweep_plots(suite, track.env_id, seeds, *stores)),
        )
        for track in tracks
        if track.cases
    ]
    used = [result for results in played for of_policy in results.policies for result in of_policy.found]
    warn_of_mixed_sumo(used)
    return Board(
        suite=ranked.name,
        title=ranked.title,
        version=ranked.version,
        code=in_code(result.provenance for result in used),
        tracks=tracks_of(work, workers=workers, report=report),
        recordings=tuple(_recordings(played)),
        left_out=tuple(rejected),
    )


def title_of(env_id: str) -> str:
    """Returns the title of an environment's track: that of `TITLES`, or the id without its module."""
    return TITLES.get(env_id, env_id.rpartition(":")[2])


def _by_environment(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Returns cases by the id of their environment, in the order of the suite."""
    return {
        env_id: [case for case in cases if case.env_id == env_id] for env_id in dict.fromkeys(c.env_id for c in cases)
    }


def _recordings(played: Sequence[CaseResults]) -> list[recording.Recording]:
    """Returns the recorded episode of each policy's first seed; none for the random policy."""
    return [
        recording.read(result.recording, case=results.case.name, policy=of_policy.policy)
        for results in played
        for of_policy in results.found.values()
        for result in of_policy.found[:1]
        if result.recording is not None and (not is_reference(of_policy) or of_policy.policy != RANDOM)
    ]
