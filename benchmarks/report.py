"""Tables and pictures of a suite: `python -m benchmarks.report SUITE --results DIR [--output docs/results]`.

The page `SUITE.md` keeps its prose: what is measured stands between marks, and only that is written anew. The results
themselves go beside it, into a folder of the suite's name, with an index: the tables can be computed again from them.
A result that another page has beside it already stands once, there: where it was run again, it is replaced there, and
that page must be written again too. One that the page no longer asks for goes to another page that does, or goes;
with `--seeds` it stays.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.leaderboard.site.markdown import escaped
from benchmarks.reports.figures import NoMatplotlib, draw
from benchmarks.reports.policy_results import Line, collect
from benchmarks.reports.tables import conditions, markdown, suite_tables
from benchmarks.results import result as results
from benchmarks.suites import SUITES, suites_of
from benchmarks.suites.suite import Suite
from trainers.runs.directory import replace_file

INDEX = "index.json"
LISTED = 5
"""So many policies that lack results are named one by one."""
Measured = list[tuple[Suite, list[Line]]]


def section(suite: Suite, lines: list[Line]) -> str:
    """Returns what is measured of a suite, as Markdown."""
    tables = suite_tables(suite, lines)
    if not tables:
        return "Nothing has been measured yet.\n"
    missing = _missing(lines)
    pictured = suite.picture != "none"
    parts = [f"![{suite.title}]({suite.name}.svg)\n"] if pictured else []
    parts += [conditions(lines, pictured=pictured)]
    parts += [f"{missing}\n"] if missing else []
    parts += [f"{line.policy} on {line.case} warned: {escaped(line.warned)}\n" for line in lines if line.warnings]
    for title, table in tables:
        parts.append(f"**{title}**\n\n{markdown(table)}")
    return "\n".join(parts)


def _missing(lines: list[Line]) -> str:
    """Returns a sentence on what is missing, one by one where that is little; "" for nothing."""
    lacking = [line for line in lines if len(line.found) < len(line.expected)]
    if len(lacking) > LISTED:
        wanted = sum(len(line.expected) for line in lines)
        return f"Missing: {wanted - sum(len(line.found) for line in lines)} of {wanted} results; the tables say which."
    return (
        f"Missing: {', '.join(f'{line.policy} on {line.case} ({line.runs})' for line in lacking)}." if lacking else ""
    )


def write_suite(suite: Suite, lines: list[Line], folder: Path) -> list[Path]:
    """Writes a suite's page and picture of their own into a folder, and returns their paths.

    Without matplotlib, or results, there is no picture.
    """
    page = folder / f"{suite.name}.md"
    replace_file(page, f"# {suite.title}\n\n{section(suite, lines)}")
    picture = write_picture(suite, lines, folder)
    return [page, picture] if picture else [page]


def write_picture(suite: Suite, lines: list[Line], folder: Path) -> Path | None:
    """Writes a suite's picture; says so where that cannot be, and returns None."""
    path = folder / f"{suite.name}.svg"
    if suite.picture == "none":
        return None
    try:
        replace_file(path, draw(suite, [line for line in lines if line.found]))
    except NoMatplotlib as error:
        print(f"{path.name} is not drawn: {error}", file=sys.stderr)
        return None
    except ValueError:  # there is nothing to draw
        return None
    return path


def write_page(name: str, measured: Measured, folder: Path, *, drop: bool = True) -> Path:
    """Writes the page of some suites, their pictures, and the results, with an index, beside it; returns the page.

    Results beside it that it does not ask for are given to a page that does, or removed where none does and `drop` is
    true. Raises `ValueError` for a page whose marks are not in pairs.
    """
    page = folder / f"{name}.md"
    text = page.read_text() if page.exists() else f"# {name}\n"
    for suite, lines in measured:
        text = with_section(text, suite.name, section(suite, lines))
        write_picture(suite, lines, folder)
    beside = folder / name
    used = {result.path for _, lines in measured for line in lines for result in line.found}
    beside.mkdir(parents=True, exist_ok=True)
    places = (beside, *_of_other_pages(name, folder))
    for path in used:
        place = next((place for place in places if (place / path.name).exists()), beside) / path.name
        if path.resolve() != place.resolve() and (not place.exists() or path.read_bytes() != place.read_bytes()):
            if place.exists():
                too = "" if place.parent == beside else f": run benchmarks.report {place.parent.name} too"
                print(f"{place} is replaced{too}")
            shutil.copyfile(path, place)
    expected = {result for _, lines in measured for line in lines for result in line.expected}
    for path in sorted(beside.glob("*.json")):
        if path.stem not in expected and path.name != INDEX:
            _let_go(path, _of_other_pages(name, folder), drop=drop)
    index = {
        suite.name: [
            {"case": line.case, "x": line.x, "policy": line.policy, "results": line.expected} for line in lines
        ]
        for suite, lines in measured
    }
    replace_file(beside / INDEX, json.dumps(index, indent=1) + "\n")
    replace_file(page, text)
    return page


def _let_go(path: Path, others: list[Path], *, drop: bool) -> None:
    """Gives a result to the first of other pages that asks for it; removes it where none does."""
    asking = next((other for other in others if path.stem in _asked_for(other)), None)
    if asking is not None:
        print(f"{path} now stands in {asking}, whose page asks for it")
        path.replace(asking / path.name)
    elif drop:
        print(f"removed {path}: it is no job of these suites, or of other options")
        path.unlink()


def _asked_for(beside: Path) -> set[str]:
    """Returns the names of the results that a page was written of."""
    index = json.loads((beside / INDEX).read_text())
    return {name for lines in index.values() for line in lines for name in line["results"]}


def _of_other_pages(name: str, folder: Path) -> list[Path]:
    """Returns the folders of results that stand beside other pages."""
    return [index.parent for index in sorted(folder.glob(f"*/{INDEX}")) if index.parent.name != name]


def with_section(page: str, name: str, measured: str) -> str:
    """Returns the page with what is measured between the marks of that name, which are added where they are not.

    Raises `ValueError` where one of them is missing, or they are there twice: prose behind them would go.
    """
    begin, end = f"<!-- measured: {name} -->", f"<!-- end: {name} -->"
    block = f"{begin}\n\n{measured}\n{end}"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    marks = page.count(begin), page.count(end)
    if marks not in {(0, 0), (1, 1)} or page.find(begin) > page.find(end):
        raise ValueError(f"the page has {marks[0]} of {begin} and {marks[1]} of {end}; there must be one of each")
    if not marks[0]:
        return f"{page.rstrip()}\n\n{block}\n"
    return pattern.sub(lambda _: block, page, count=1)


def indexed(name: str, folder: Path, known: Mapping[str, tuple[Suite, ...]] = SUITES) -> Measured:
    """Returns the lines of a page that was written, from the results beside it and beside other pages."""
    beside = folder / name
    index = json.loads((beside / INDEX).read_text())
    return [
        (suite, [_line(line, beside, *_of_other_pages(name, folder)) for line in index[suite.name]])
        for suite in suites_of(name, known)
        if suite.name in index
    ]


def _line(line: dict[str, Any], *folders: Path) -> Line:
    paths = ([folder / f"{name}.json" for folder in folders] for name in line["results"])
    there = (next((path for path in of_name if path.exists()), None) for of_name in paths)
    return Line(
        case=line["case"],
        x=line["x"],
        policy=line["policy"],
        expected=tuple(line["results"]),
        found=tuple(results.read(path) for path in there if path is not None),
    )


def main(arguments: list[str] | None = None, known: Mapping[str, tuple[Suite, ...]] = SUITES) -> None:
    """Writes the page of the command line's suite."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description="Writes a suite's page.")
    parser.add_argument("suite", metavar="SUITE", help=f"which: {', '.join(known)}")
    parser.add_argument("--results", type=Path, required=True, help="the --output of benchmarks.run")
    parser.add_argument("--output", type=Path, default=Path("docs/results"), help="default: %(default)s")
    parser.add_argument("--seeds", type=int, help="training seeds that there should be (default: the suite's)")
    options = parser.parse_args(arguments)
    if options.seeds is not None and options.seeds < 1:
        parser.error(f"--seeds {options.seeds} must be at least 1")
    try:
        if not (options.results / "results").is_dir():
            raise ValueError(f"{options.results} holds no results: run benchmarks.run with --output {options.results}")
        suites = suites_of(options.suite, known)
        published = options.output / options.suite, *_of_other_pages(options.suite, options.output)
        folders = options.results / "results", *published  # what is published already counts too
        measured = [(suite, collect(suite, options.seeds or suite.seeds, *folders)) for suite in suites]
        page = write_page(options.suite, measured, options.output, drop=options.seeds is None)
    except (OSError, ValueError) as error:
        sys.exit(f"benchmarks.report: {error}")
    missing = sum(len(line.expected) - len(line.found) for _, lines in measured for line in lines)
    print(f"written to {page}" + (f"; {missing} results are missing, and shown as missing" if missing else ""))


if __name__ == "__main__":
    main()
