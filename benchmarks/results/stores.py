"""Stores of results: folders with one result a file, and `.jsonl` files with one result a line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from benchmarks.results import checks
from benchmarks.results import result as results
from benchmarks.results.result import Result

INDEX = "index.json"
"""The file beside published results that lists the results of each page."""
_NAME = re.compile(r'^\{"format":\d+,"name":"([^"\\]+)"')
_OLD = '{"format":1,'


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A text that should be a result."""

    label: str
    """The file, or the file and the number of the line."""
    path: Path
    """The file."""
    name: str
    """The name of the result; the name of the file where the text cannot be read."""
    read: Callable[[], Result]
    """Returns the result. Raises `OSError` or `ValueError` where the text is not a result."""


class ResultStore:
    """The results in a folder or a `.jsonl` file, by name. Each is parsed and checked when it is asked for.

    Results of format 1 have their names of the present format here.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: tuple[Entry, ...] = tuple(_entries(path))
        self._found: dict[str, Result | None] = {}
        self._by_name: dict[str, list[Entry]] = {}
        for entry in self.entries:
            self._by_name.setdefault(entry.name, []).append(entry)

    @property
    def names(self) -> set[str]:
        """The names of all results, readable or not."""
        return set(self._by_name)

    def find(self, name: str) -> Result | None:
        """Returns the result of a name; None where there is none, or where it cannot be read.

        Results of format 1 that differ in their metrics alone are one result.
        """
        if name not in self._found:
            found = [result for entry in self._by_name.get(name, ()) if (result := _readable(entry)) is not None]
            self._found[name] = reduce(joined, found) if found else None
        return self._found[name]


def open_results(path: Path) -> ResultStore:
    """Returns the results of a path: an output of `benchmarks.run`, a folder of results, or a `.jsonl` file.

    Raises `ValueError` where the path has no results.
    """
    inner = path / "results"
    if inner.is_dir():
        return ResultStore(inner)
    if path.is_dir() or (path.suffix == ".jsonl" and path.is_file()):
        store = ResultStore(path)
        if store.entries:
            return store
    raise ValueError(f"{path} holds no results: give the --output of benchmarks.run, or a .jsonl file of results")


def convert_folder(folder: Path) -> int:
    """Replaces the files of format 1 in a folder by files of the present format, and returns their number.

    Files that cannot be read stay.
    """
    number = 0
    for path in sorted(folder.glob("*.json")):
        if not _is_old(path):
            continue
        try:
            result = results.read(path)
        except (OSError, ValueError):
            continue
        results.put(folder, result.content)
        path.unlink()
        number += 1
    return number


def _entries(path: Path) -> Iterator[Entry]:
    """Yields the results of a folder or file, in the order of their files and lines."""
    if path.suffix == ".jsonl":
        yield from _lines(path)
        return
    for file in sorted(path.glob("*.json*")):
        if file.suffix == ".jsonl":
            yield from _lines(file)
        elif file.name != INDEX:
            yield _entry(file)


def _entry(file: Path) -> Entry:
    name = file.stem
    if _is_old(file):
        with contextlib.suppress(OSError, ValueError):  # a damaged one is reported when it is read
            name = results.read(file).content["name"]
    return Entry(label=file.name, path=file, name=name, read=lambda: results.read(file))


def _is_old(path: Path) -> bool:
    with path.open(errors="replace") as file:
        return file.read(len(_OLD)) == _OLD


def _lines(file: Path) -> Iterator[Entry]:
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        label = f"{file.name}, line {number}"
        yield _line(line, label, file)


def _line(line: str, label: str, file: Path) -> Entry:
    named = _NAME.match(line)
    name = named[1] if named else _parsed_name(line) or label
    return Entry(label=label, path=file, name=name, read=lambda: results.result_of(line, file, name=None))


def _parsed_name(line: str) -> str | None:
    """Returns the name that the content of a line gives; None where it is not a result."""
    try:
        return checks.parsed(line, None)["name"]
    except checks.REFUSED:
        return None


def _readable(entry: Entry) -> Result | None:
    try:
        return entry.read()
    except (OSError, ValueError):
        return None


def joined(first: Result, other: Result) -> Result:
    """Returns a result with the metrics that only another result of the same episodes has."""
    content = results.merged(first.content, other.content)
    return first if content is first.content else results.result_of(results.line_of(content), first.path, name=None)
