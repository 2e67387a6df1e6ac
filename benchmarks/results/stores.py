"""Stores of results: folders with one result a file, and `.jsonl` files with one result a line."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path

from benchmarks.results import result as results
from benchmarks.results.result import Result
from vec_envs.files import opened

INDEX = "index.json"
"""The file beside published results that lists the results of each page."""
MOST_BYTES = 2**27
"""The largest size of a `.jsonl` file of results."""
MOST_LINES = 100_000
"""The largest number of results in a folder or file."""
_NAME = re.compile(rb'^\{"format":\d{1,9},"name":"([^"\\]{1,200})"')
_OLD = b'{"format":1,'


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
    files = list(itertools.islice(path.glob("*.json*"), MOST_LINES + 1))
    if len(files) > MOST_LINES:
        raise ValueError(f"{path} must have at most {MOST_LINES} files, got more")
    for file in sorted(files):
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
    with contextlib.suppress(OSError, ValueError), opened(path, most_bytes=results.MOST_BYTES) as file:
        return file.read(len(_OLD)) == _OLD
    return False


def _lines(file: Path) -> Iterator[Entry]:
    """Yields the lines of a file. A file that cannot be read is one entry, which raises the reason."""
    try:
        for number, line in enumerate(lines_of(file), start=1):
            yield _line(line, f"{file.name}, line {number}", file)
    except (OSError, ValueError) as error:
        yield Entry(label=file.name, path=file, name=file.name, read=partial(_refuse, str(error)))


def lines_of(file: Path) -> Iterator[bytes]:
    """Yields the lines of a `.jsonl` file. Of a line that is longer than a result can be, yields only the beginning.

    Raises `ValueError` where the file is too large, is no regular file or has too many lines.
    """
    with opened(file, most_bytes=MOST_BYTES) as opened_file:
        for number in itertools.count():
            line = opened_file.readline(results.MOST_BYTES + 2)
            if not line:
                return
            if number == MOST_LINES:
                raise ValueError(f"{file} must have at most {MOST_LINES} lines, got more: the others are left out")
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = opened_file.readline(results.MOST_BYTES)
            yield line


def _line(line: bytes, label: str, file: Path) -> Entry:
    named = _NAME.match(line)
    name = named[1].decode(errors="replace") if named else _parsed_name(line, file) or label
    return Entry(label=label, path=file, name=name, read=lambda: _result_of(line, file))


def _result_of(line: bytes, file: Path) -> Result:
    """Returns the result of a line. Raises `ValueError` where it is too long, is not UTF-8, or is not a result."""
    if len(line) > results.MOST_BYTES + 1:
        raise ValueError(f"{file} has a line of more than {results.MOST_BYTES} bytes, which is not a result")
    return results.result_of(line.decode(), file, name=None)


def _parsed_name(line: bytes, file: Path) -> str | None:
    """Returns the name that the content of a line gives; None where it is not a result."""
    try:
        return _result_of(line, file).content["name"]
    except ValueError:
        return None


def _refuse(why: str) -> Result:
    raise ValueError(why)


def _readable(entry: Entry) -> Result | None:
    try:
        return entry.read()
    except (OSError, ValueError):
        return None


def joined(first: Result, other: Result) -> Result:
    """Returns a result with the metrics that only another result of the same episodes has."""
    content = results.merged(first.content, other.content)
    return first if content is first.content else results.result_of(results.line_of(content), first.path, name=None)
