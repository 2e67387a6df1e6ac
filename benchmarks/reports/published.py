"""The published results: a file `PAGE.jsonl` for each page, with one result a line, and `index.json`.

A result is stored once, even if several pages use it. The index lists the results that each page uses, by suite, and
the number of training seeds that its tables expect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.reports.policy_results import PolicyResults, collect
from benchmarks.results import result as results
from benchmarks.results.result import Result
from benchmarks.results.stores import INDEX, ResultStore, lines_of
from benchmarks.suites import suites_of
from benchmarks.suites.suite import Suite
from trainers.runs.directory import replace_file
from vec_envs.files import read_json

Measured = list[tuple[Suite, list[PolicyResults]]]
"""Suites with their results."""


class Published:
    """A folder of published results. It may be empty, or not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = ResultStore(folder)
        path = folder / INDEX
        self.index: dict[str, dict[str, Any]] = read_json(path) if path.exists() else {}

    def indexed(self, page: str, known: Mapping[str, tuple[Suite, ...]]) -> Measured:
        """Returns the suites of a published page with their results. Raises `KeyError` for a page that is not there."""
        of_page = self.index[page]
        return [
            (suite, collect(suite, of_page[suite.name]["seeds"], self.store))
            for suite in suites_of(page, known)
            if suite.name in of_page
        ]

    def write(self, page: str, measured: Measured, seeds: Mapping[str, int], *, drop: bool = True) -> list[str]:
        """Writes the results of a page and the index, and returns messages about results of other pages.

        A result that is stored in the file of another page is replaced there. A result in the page's file that the page
        does not use moves to a page that does. Where no page uses it, it is removed if `drop` is true.

        Args:
            page: The name of the page.
            measured: Its suites with their results.
            seeds: The number of training seeds that the tables expect, by suite.
            drop: Whether to remove results that no page uses.
        """
        lines = self._lines()
        expected = {name for _, of_suite in measured for of_policy in of_suite for name in of_policy.expected}
        messages: list[str] = []
        for result in (result for _, of_suite in measured for of_policy in of_suite for result in of_policy.found):
            messages += _put(lines, page, result)
        self.index[page] = {suite.name: _of_suite(seeds[suite.name], of_suite) for suite, of_suite in measured}
        for name in sorted(lines.get(page, {}).keys() - expected):
            messages += self._let_go(lines, page, name, drop=drop)
        for of_page, of_names in lines.items():
            _write_lines(self.folder / f"{of_page}.jsonl", of_names)
        replace_file(self.folder / INDEX, _index_text(self.index))
        return list(dict.fromkeys(messages))

    def _lines(self) -> dict[str, dict[str, str]]:
        """Returns the lines of each page's file, by the name of the result."""
        lines: dict[str, dict[str, str]] = {}
        for path in sorted(self.folder.glob("*.jsonl")):
            store = ResultStore(path)
            texts = (line.decode() for line in lines_of(path))
            lines[path.stem] = {entry.name: text for entry, text in zip(store.entries, texts, strict=True)}
        return lines

    def _let_go(self, lines: dict[str, dict[str, str]], page: str, name: str, *, drop: bool) -> list[str]:
        """Moves a result to the first other page that uses it. Removes it where no page does and `drop` is true."""
        others = (other for other in sorted(self.index) if other != page and name in self._used_by(other))
        other = next(others, None)
        if other is not None:
            lines.setdefault(other, {})[name] = lines[page].pop(name)
            return [f"{name} moved to {other}.jsonl, whose page uses it"]
        if drop:
            del lines[page][name]
            return [f"removed {name}: these suites do not contain its job, or contain it with other options"]
        return []

    def _used_by(self, page: str) -> set[str]:
        return {name for suite in self.index[page].values() for name in suite["results"]}


def _put(lines: dict[str, dict[str, str]], page: str, result: Result) -> list[str]:
    """Replaces a stored result, or adds a new one to the page's file. Returns messages."""
    name = result.content["name"]
    place = next((other for other in (page, *lines) if name in lines.get(other, {})), page)
    stored = lines.setdefault(place, {}).get(name)
    content = result.content
    if stored is not None and stored != results.line_of(content):
        content = results.merged(content, json.loads(stored))
    line = results.line_of(content)
    lines[place][name] = line
    if stored in (None, line):
        return []
    return [f"{name} in {place}.jsonl is replaced" + ("" if place == page else f": run benchmarks.report {place} too")]


def _of_suite(seeds: int, of_suite: Sequence[PolicyResults]) -> dict[str, Any]:
    names = {name for of_policy in of_suite for name in of_policy.expected}
    return {"seeds": seeds, "results": sorted(names)}


def _write_lines(path: Path, lines: Mapping[str, str]) -> None:
    """Writes a file of results, sorted by name. A file without results is removed."""
    if not lines:
        path.unlink(missing_ok=True)
        return
    text = "".join(lines[name] for name in sorted(lines))
    if not path.exists() or path.read_text() != text:
        replace_file(path, text)


def _index_text(index: Mapping[str, Any]) -> str:
    """Returns the JSON of an index, sorted by page, with one suite a line."""
    pages: list[str] = []
    for page in sorted(index):
        suites = ",\n".join(f"  {json.dumps(name)}: {json.dumps(suite)}" for name, suite in index[page].items())
        pages.append(f"{json.dumps(page)}: {{\n{suites}\n}}")
    return "{\n" + ",\n".join(pages) + "\n}\n"
