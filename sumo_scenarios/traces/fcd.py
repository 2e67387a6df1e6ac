"""Reads SUMO's floating car data (FCD), the XML that `sumo --fcd-output FILE` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn
from xml.parsers import expat

from sumo_scenarios.traces.samples import Collector
from sumo_scenarios.traces.streams import chunks
from vec_envs.files import shortened

MOST_TAG_BYTES = 2**20
"""The largest size of a tag with its attributes."""
MOST_DEPTH = 16
_ROOT = "fcd-export"


def read_fcd(path: Path, into: Collector) -> None:
    """Adds the vehicles of a file to a collector; those inside of others, and persons, are left out.

    Raises `ValueError` where the file is no XML of FCD, and `OSError` where it is missing.
    """
    reader = _Reader(path, into)
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reader.refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    reader.line = lambda: parser.CurrentLineNumber
    fed = 0
    try:
        for piece in chunks(path):
            parser.Parse(piece, False)
            fed += len(piece)
            if fed - max(0, parser.CurrentByteIndex) > MOST_TAG_BYTES:
                raise ValueError(f"{path} must have tags of at most {MOST_TAG_BYTES} bytes, got a longer one")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise ValueError(
            f"{path} is not complete XML: {shortened(error)}; write it again with: sumo --fcd-output FILE"
        ) from error


class _Reader:
    """The handlers of the parser's events."""

    def __init__(self, path: Path, into: Collector) -> None:
        self._path, self._into = path, into
        self._depth, self._time_s = 0, 0.0
        self.line: Any = lambda: 0

    def refuse_doctype(self, *_: Any) -> NoReturn:
        """Refuses entities, by which a small file can become a large one, or read others."""
        raise ValueError(f"{self._path} must be FCD without a document type (<!DOCTYPE ...>)")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Reads a time, or the sample of a vehicle."""
        self._depth += 1
        if self._depth == 1 and tag != _ROOT:
            raise ValueError(
                f"{self._path} must be SUMO's FCD, whose first tag is <{_ROOT}>, got <{tag[:40]}>; write it with: sumo "
                "--fcd-output FILE"
            )
        if self._depth > MOST_DEPTH:
            raise ValueError(f"{self._path} must not nest tags deeper than {MOST_DEPTH}")
        if self._depth == 2 and tag == "timestep":
            self._time_s = self._number(attributes, "time")
        elif self._depth == 3 and tag == "vehicle":
            self._sample(attributes)

    def end(self, _: str) -> None:
        """Leaves a tag."""
        self._depth -= 1

    def _sample(self, attributes: Mapping[str, str]) -> None:
        if not attributes.get("id"):
            raise ValueError(f"{self._path}, line {self.line()}: a vehicle must have an id")
        x, y = self._number(attributes, "x"), self._number(attributes, "y")
        try:
            self._into.add(attributes["id"], self._time_s, x, y, attributes.get("type", ""))
        except ValueError as error:
            raise ValueError(f"{self._path}, line {self.line()}: {error}") from error

    def _number(self, attributes: Mapping[str, str], name: str) -> float:
        text = attributes.get(name)
        try:
            return float(text or "")
        except ValueError:
            got = "nothing" if text is None else repr(text[:40])
            raise ValueError(f"{self._path}, line {self.line()}: {name} must be a number, got {got}") from None
