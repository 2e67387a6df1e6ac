"""The leaderboard's page: `python -m benchmarks.leaderboard [RESULTS_DIR] [--output SITE_DIR] [--suite NAME]`.

RESULTS_DIR is the `--output` of `benchmarks.run`, or its `results/`; several are read as one. SITE_DIR gets
`index.html`, a page that needs nothing else, and `leaderboard.md`; with `--into README.md` its tables also stand there,
between marks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.leaderboard.build import board_of
from benchmarks.leaderboard.schema import Board
from benchmarks.leaderboard.site.markdown import markdown, rankings
from benchmarks.leaderboard.site.page import page
from benchmarks.report import with_section
from benchmarks.run import OUTPUT, jobs_of_suites
from benchmarks.suites import SUITES, seeds_of, suites_of
from benchmarks.suites.suite import Suite
from trainers.runs.directory import replace_file


def suite_in(folders: Sequence[Path], known: Mapping[str, tuple[Suite, ...]]) -> str:
    """Returns the leaderboard suite of which folders have the greatest part.

    Raises `ValueError` where they have of none.
    """
    ranked = {name: suite for name, of_name in known.items() for suite in of_name if suite.version}
    there = {path.stem for folder in folders for path in folder.glob("*.json")}
    parts = {
        name: float(np.mean([job.name in there for job in jobs_of_suites((suite,), suite.seeds)]))
        for name, suite in ranked.items()
    }
    most = max(parts, key=parts.__getitem__)
    if not parts[most]:
        where = " and ".join(map(str, folders))
        raise ValueError(
            f"{where} has no results of the policies of {' or '.join(ranked)}, by which all others are scored: play "
            f"these first, python -m benchmarks.run {next(iter(ranked))} with the same --output"
        )
    return most


def results_in(folder: Path) -> Path:
    """Returns where a folder's results are. Raises `ValueError` where it is none."""
    inner = folder / "results" if (folder / "results").is_dir() else folder
    if not inner.is_dir():
        raise ValueError(f"{folder} is no folder of results")
    return inner


def within(text: str, board: Board) -> str:
    """Returns a page's text with the board's tables between its marks."""
    return with_section(text, "leaderboard", rankings(board, level=3))


def main(arguments: Sequence[str] | None = None, known: Mapping[str, tuple[Suite, ...]] = SUITES) -> int:
    """Writes the page and the table of the command line's results; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leaderboard", description="Writes the leaderboard.")
    parser.add_argument(
        "results", type=Path, nargs="*", default=[OUTPUT], metavar="RESULTS_DIR", help=f"default: {OUTPUT}"
    )
    parser.add_argument("--output", type=Path, default=Path("site"), metavar="SITE_DIR", help="default: %(default)s")
    parser.add_argument("--suite", help="which suite's (default: the one that has results)")
    parser.add_argument("--seeds", type=int, help="training seeds that there should be (default: the suite's)")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="a Markdown page in which the tables stand too")
    options = parser.parse_args(arguments)
    if options.seeds is not None and options.seeds < 1:
        parser.error(f"--seeds {options.seeds} must be at least 1")
    try:
        folders = [results_in(folder) for folder in options.results]
        suites = suites_of(options.suite or suite_in(folders, known), known)
        board = board_of(suites, options.seeds or seeds_of(suites), *folders)
        texts = {options.output / "index.html": page(board), options.output / "leaderboard.md": markdown(board)}
        if options.into:
            texts[options.into] = within(options.into.read_text(), board)
        for path, text in texts.items():
            replace_file(path, text)
    except (ImportError, OSError, ValueError) as error:
        print(f"benchmarks.leaderboard: {error}", file=sys.stderr)
        return 2
    for rejected in board.left_out:
        print(f"left out: {rejected.what}: {rejected.why}", file=sys.stderr)
    print(f"written to {options.output / 'index.html'} and {options.output / 'leaderboard.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
