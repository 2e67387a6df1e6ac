"""Writes the tables and pictures of a suite into its page: `python -m benchmarks.report SUITE --results DIR`.

The page `SUITE.md` keeps its prose: only the measured sections between marks are replaced. The results are published as
lines of `SUITE.jsonl`, so that the tables can be computed again from them (`benchmarks/reports/published.py`).
Published results are used too, so DIR need not hold all results.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.reports.figures import NoMatplotlib, draw
from benchmarks.reports.pages import escaped, with_section
from benchmarks.reports.policy_results import PolicyResults, collect
from benchmarks.reports.published import Measured, Published
from benchmarks.reports.tables import conditions, markdown, suite_tables
from benchmarks.results.stores import open_results
from benchmarks.suites import SUITES, page_name, suites_of
from benchmarks.suites.suite import Suite
from trainers.runs.directory import replace_file
from vec_envs.command_parser import CommandParser
from vec_envs.files import check_output_folder

PAGES, PUBLISHED = Path("docs/results"), Path("benchmarks/published")
"""The default folders of pages and of published results."""
LISTED = 5
"""The largest number of policies with missing results that a page lists one by one."""


def section(suite: Suite, of_suite: list[PolicyResults]) -> str:
    """Returns the measured section of a suite, as Markdown."""
    tables = suite_tables(suite, of_suite)
    if not tables:
        return "Nothing has been measured yet.\n"
    missing = _missing(of_suite)
    pictured = suite.picture != "none"
    parts = [f"![{suite.title}]({suite.name}.svg)\n"] if pictured else []
    parts += [conditions(of_suite, pictured=pictured)]
    parts += [f"{missing}\n"] if missing else []
    parts += [f"{of.policy} on {of.case} warned: {escaped(of.warned)}\n" for of in of_suite if of.warnings]
    for title, table in tables:
        parts.append(f"**{title}**\n\n{markdown(table)}")
    return "\n".join(parts)


def _missing(of_suite: list[PolicyResults]) -> str:
    """Returns a sentence that lists the missing results, or gives their number where they are many; "" for none."""
    incomplete = [of for of in of_suite if len(of.found) < len(of.expected)]
    if len(incomplete) > LISTED:
        expected = sum(len(of.expected) for of in of_suite)
        missing = expected - sum(len(of.found) for of in of_suite)
        return f"Missing: {missing} of {expected} results; the tables say which."
    return f"Missing: {', '.join(f'{of.policy} on {of.case} ({of.runs})' for of in incomplete)}." if incomplete else ""


def write_suite(suite: Suite, of_suite: list[PolicyResults], folder: Path) -> list[Path]:
    """Writes a page and a picture of a suite alone into a folder, and returns their paths.

    Without matplotlib, or without results, there is no picture.
    """
    page = folder / f"{suite.name}.md"
    replace_file(page, f"# {suite.title}\n\n{section(suite, of_suite)}")
    picture = write_picture(suite, of_suite, folder)
    return [page, picture] if picture else [page]


def write_picture(suite: Suite, of_suite: list[PolicyResults], folder: Path) -> Path | None:
    """Writes a suite's picture and returns its path; None without matplotlib, which is reported, or without results."""
    path = folder / f"{suite.name}.svg"
    if suite.picture == "none":
        return None
    try:
        replace_file(path, draw(suite, of_suite))
    except NoMatplotlib as error:
        print(f"{path.name} is not drawn: {error}", file=sys.stderr)
        return None
    except ValueError:  # there are no results
        return None
    return path


def write_page(name: str, measured: Measured, folder: Path) -> Path:
    """Writes the measured sections of a page and its pictures into a folder, and returns the page.

    Raises `ValueError` for a page whose marks are not in pairs.
    """
    page = folder / f"{name}.md"
    text = page.read_text() if page.exists() else f"# {name}\n"
    for suite, of_suite in measured:
        text = with_section(text, suite.name, section(suite, of_suite))
    for suite, of_suite in measured:
        write_picture(suite, of_suite, folder)
    replace_file(page, text)
    return page


def main(arguments: list[str] | None = None, known: Mapping[str, tuple[Suite, ...]] = SUITES) -> None:
    """Writes the page of the command line's suite, and publishes its results."""
    options = _parsed(arguments, known)
    pages: Path = options.output
    try:
        check_output_folder(pages)
        published = Published(options.published or (PUBLISHED if pages == PAGES else pages / "published"))
        check_output_folder(published.folder, "--published")
        stores = [open_results(path) for path in options.results]
        suites = suites_of(options.suite, known)
        name = page_name(options.suite, suites)
        seeds = {suite.name: options.seeds or suite.seeds for suite in suites}
        measured = [(suite, collect(suite, seeds[suite.name], *stores, published.store)) for suite in suites]
        page = write_page(name, measured, pages)
        messages = published.write(name, measured, seeds, drop=options.seeds is None)
    except (OSError, ValueError) as error:
        sys.exit(f"benchmarks.report: {error}")
    for message in messages:
        print(message)
    missing = sum(len(of.expected) - len(of.found) for _, of_suite in measured for of in of_suite)
    print(f"written to {page}" + (f"; {missing} results are missing, and shown as missing" if missing else ""))


def _parsed(arguments: list[str] | None, known: Mapping[str, tuple[Suite, ...]]) -> argparse.Namespace:
    """Returns the options of the command line; exits with a message where they are wrong."""
    parser = CommandParser(prog="python -m benchmarks.report", description="Writes a suite's page.")
    parser.add_argument("suite", metavar="SUITE", help=f"{', '.join(known)}, or your own as package.module:NAME")
    parser.add_argument(
        "--results",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="the --output of benchmarks.run, or a .jsonl file of results; the first that has a result counts",
    )
    parser.add_argument("--output", type=Path, default=PAGES, help="folder of the page (default: %(default)s)")
    parser.add_argument(
        "--published",
        type=Path,
        metavar="DIR",
        help=f"folder of the published results (default: {PUBLISHED}; with --output OUTPUT: OUTPUT/published)",
    )
    parser.add_argument("--seeds", type=int, help="training seeds that are expected (default: the suite's)")
    options = parser.parse_args(arguments)
    if options.seeds is not None and options.seeds < 1:
        parser.error(f"--seeds {options.seeds} must be at least 1")
    return options


if __name__ == "__main__":
    main()
