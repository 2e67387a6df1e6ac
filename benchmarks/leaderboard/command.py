"""Writes the leaderboard: `python -m benchmarks.leaderboard [RESULTS ...] [--output SITE_DIR] [--suite NAME]`.

RESULTS is the `--output` of `benchmarks.run`, a folder of results or a `.jsonl` file; several are read together. The
published results of the suite are read after them, so that a policy of your own needs no others (`--no-published`).
SITE_DIR gets `index.html`, a self-contained page, and `leaderboard.md`. With `--into PAGE.md` the tables are also
written into a Markdown page, between the marks of its section.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import benchmarks
from benchmarks.jobs.files import OUTPUT
from benchmarks.jobs.plan import jobs_of_suites
from benchmarks.leaderboard.build import board_of
from benchmarks.leaderboard.schema import Board
from benchmarks.leaderboard.site.charts import MISSING
from benchmarks.leaderboard.site.markdown import markdown, rankings
from benchmarks.leaderboard.site.page import page
from benchmarks.reports.pages import with_section
from benchmarks.results.stores import open_results
from benchmarks.suites import SUITES, seeds_of, suites_of
from benchmarks.suites.suite import Suite
from trainers.runs.directory import replace_file
from trainers.runs.progress import MovingLine
from vec_envs.command_parser import CommandParser
from vec_envs.files import check_output_file, check_output_folder

PUBLISHED = Path(benchmarks.__file__).with_name("published")
"""The folder of the published results; an installed package does not have it."""


def suite_in(paths: Sequence[Path], known: Mapping[str, tuple[Suite, ...]], more: Sequence[Path] = ()) -> str:
    """Returns the name of the ranked suite that has the largest share of its results in these folders or files.

    A custom policy alone has no results of a ranked suite. Then it is the suite with results in `more` of which the
    policy played the most cases. Raises `ValueError` where there is none.
    """
    ranked = {name: suite for name, suites in known.items() for suite in suites if suite.version}
    shares = _shares(paths, ranked)
    if more and not any(shares.values()):
        shares = _shares(more, ranked)
        played = {name: cases for name, cases in _played_cases(paths, ranked).items() if shares[name] and cases[0]}
        if played:
            return max(played, key=played.__getitem__)
    largest = max(shares, key=shares.__getitem__)
    if not shares[largest]:
        where = " and ".join(map(str, paths))
        raise ValueError(
            f"{where} has no results of the policies of {' or '.join(ranked)}, which the ranks of others need: run "
            f"these first (python -m benchmarks.run {next(iter(ranked))}, with the same --output), or name your own "
            "suite (--suite package.module:NAME)"
        )
    return largest


def _shares(paths: Sequence[Path], ranked: Mapping[str, Suite]) -> dict[str, float]:
    """Returns the share of each suite's results that these folders or files hold."""
    found = set[str]().union(*(open_results(path).names for path in paths))
    return {
        name: float(np.mean([job.name in found for job in jobs_of_suites((suite,), suite.seeds)]))
        for name, suite in ranked.items()
    }


def _played_cases(paths: Sequence[Path], ranked: Mapping[str, Suite]) -> dict[str, tuple[int, float]]:
    """Returns how many cases of each suite have results here, and their share of the suite's cases."""
    stores = [open_results(path) for path in paths]
    found = [result for store in stores for name in store.names if (result := store.find(name)) is not None]
    played = {_case_key(result.definition) for result in found}
    cases = {name: {_case_key(job.definition) for job in jobs_of_suites((of,), 1)} for name, of in ranked.items()}
    return {name: (len(of & played), len(of & played) / max(len(of), 1)) for name, of in cases.items()}


def _case_key(definition: Mapping[str, Any]) -> str:
    """Returns the environment, its options and the episodes that a job played, as text."""
    evaluation = definition["evaluation"]
    return json.dumps([definition["env_id"], evaluation["env"], evaluation["seed"], evaluation["episodes"]])


def _of_suite(published: Sequence[Path], suites: Sequence[Suite], *, beside: Sequence[Path]) -> list[Path]:
    """Returns the folders that hold results of these suites and are not among the paths `beside` them already."""
    jobs = {job.name for job in jobs_of_suites(suites, seeds_of(suites))}
    known = [path.resolve() for path in beside]
    return [path for path in published if path.resolve() not in known and jobs & open_results(path).names]


def within(text: str, board: Board) -> str:
    """Returns a page's text with the board's tables in its section `leaderboard`."""
    return with_section(text, "leaderboard", rankings(board, level=3))


def main(arguments: Sequence[str] | None = None, known: Mapping[str, tuple[Suite, ...]] = SUITES) -> int:
    """Writes the leaderboard that the command line asks for; returns the exit code: 0, or 2 for an error."""
    options, line = _parsed(arguments), MovingLine()
    report = line.show if line.is_shown else _logged
    try:
        if not all(importlib.util.find_spec(package) for package in ("altair", "vl_convert")):
            raise ImportError(MISSING)
        check_output_folder(options.output)
        if options.into:
            check_output_file(options.into, "--into", makes_folder=False)
        paths: list[Path] = options.results
        published = [PUBLISHED] if options.published and PUBLISHED.is_dir() else []
        name: str = options.suite or suite_in(paths, known, more=published)
        suites = suites_of(name, known)
        paths += _of_suite(published, suites, beside=paths)
        seeds, workers = options.seeds or seeds_of(suites), os.cpu_count() or 1
        board = board_of(suites, seeds, *paths, suite_name=name, workers=workers, report=report, detail=line.show)
        report("writing the page")
        texts = {options.output / "index.html": page(board), options.output / "leaderboard.md": markdown(board)}
        if options.into:
            texts[options.into] = within(options.into.read_text(), board)
        for path, text in texts.items():
            replace_file(path, text)
        line.clear()
    except (ImportError, OSError, ValueError) as error:
        line.clear()
        print(f"benchmarks.leaderboard: {error}", file=sys.stderr)
        return 2
    for rejected in board.left_out:
        print(f"left out: {rejected.what}: {rejected.why}", file=sys.stderr)
    print(f"written to {options.output / 'index.html'} and {options.output / 'leaderboard.md'}")
    return 0


def _logged(line: str) -> None:
    """Writes a line about the progress where no terminal can show a line that moves."""
    print(f"{line} ...", file=sys.stderr, flush=True)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Returns the options of the command line; exits with a message where they are wrong."""
    parser = CommandParser(prog="python -m benchmarks.leaderboard", description="Writes the leaderboard.")
    parser.add_argument("results", type=Path, nargs="*", metavar="RESULTS", help=f"default: {OUTPUT}, where it exists")
    parser.add_argument(
        "--published",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also read the published results of the suite (default: yes)",
    )
    parser.add_argument("--output", type=Path, default=Path("site"), metavar="SITE_DIR", help="default: %(default)s")
    parser.add_argument(
        "--suite",
        help="the suite to rank by, or your own as package.module:NAME (default: that with most of its results)",
    )
    parser.add_argument("--seeds", type=int, help="expected training seeds (default: the suite's number)")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="a Markdown page to write the tables into as well")
    options = parser.parse_args(arguments)
    if options.seeds is not None and options.seeds < 1:
        parser.error(f"--seeds {options.seeds} must be at least 1")
    if not options.results and (OUTPUT.exists() or not (options.published and PUBLISHED.is_dir())):
        options.results = [OUTPUT]
    return options
