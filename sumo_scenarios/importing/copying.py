"""Copies the files of a source into a scenario's folder, without what would write files in each simulation."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from sumo_scenarios.sumo_files.programs import ImportRefusal
from sumo_scenarios.sumo_files.source import Source, open_xml

MOST_DEPTH = 10
"""The largest depth of files that include others."""
_OUTPUTS = {
    "timedEvent",
    "edgeData",
    "laneData",
    "meandata",
    "routeProbe",
    "vTypeProbe",
    "poly",
    "poi",
    "taz-output",
}
"""Elements of additional files that write files or are only drawn."""
_SILENT = {
    "e1Detector": "file",
    "inductionLoop": "file",
    "instantInductionLoop": "file",
    "e2Detector": "file",
    "laneAreaDetector": "file",
    "e3Detector": "file",
    "entryExitDetector": "file",
    "calibrator": "output",
}
"""Elements that are kept, because signals may use them, and the attribute that names their output."""


def copy_source(source: Source, folder: Path) -> Source:
    """Copies a source's files into a folder, and returns the source of the copies."""
    copier = _Copier(folder)
    return replace(
        source,
        net_file=copier.copied(source.net_file),
        route_files=tuple(map(copier.rewritten_if_needed, source.route_files)),
        additional_files=tuple(map(copier.rewritten, source.additional_files)),
    )


class _Copier:
    """Copies files into a folder under names of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._taken = folder, {"scenario.toml", "report.md", "picture.png"}

    def copied(self, path: Path) -> Path:
        """Copies a file as it is."""
        target = self._target(path)
        shutil.copyfile(path, target)
        return target

    def rewritten_if_needed(self, path: Path) -> Path:
        """Copies a file of routes; one that includes other files is written anew with their content."""
        with open_xml(path) as file:
            includes = any(b"<include" in line for line in file)
        return self.rewritten(path) if includes else self.copied(path)

    def rewritten(self, path: Path) -> Path:
        """Writes an additional file anew: with the files that it includes, and without its outputs."""
        root = _tree(path)
        children = list(self._children(root, path, 0))
        root[:] = children
        target = self._target(path)
        text = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
        target.write_bytes(gzip.compress(text) if target.suffix == ".gz" else text)
        return target

    def _children(self, root: ElementTree.Element, path: Path, depth: int) -> Iterable[ElementTree.Element]:
        """Yields the elements of a file that are kept."""
        if depth > MOST_DEPTH:
            raise ImportRefusal(f"{path} includes files that include each other")
        for element in root:
            if element.tag == "include":
                inner = _referred(path, element.get("href", ""))
                yield from self._children(_tree(inner), inner, depth + 1)
            elif element.tag not in _OUTPUTS:
                if element.tag in _SILENT and element.get(_SILENT[element.tag]) is not None:
                    element.set(_SILENT[element.tag], "NUL")
                elif element.tag in ("rerouter", "variableSpeedSign") and element.get("file"):
                    element.set("file", self.rewritten(_referred(path, element.get("file", ""))).name)
                yield element

    def _target(self, path: Path) -> Path:
        """Returns a free place for a copy; SUMO's lists of files have no commas or spaces in names."""
        name = re.sub(r"[^\w.-]", "_", path.name)
        stem, dot, ending = name.partition(".")
        candidates = (name, *(f"{stem}-{k}{dot}{ending}" for k in range(2, 1000)))
        free = next(name for name in candidates if name not in self._taken)
        self._taken.add(free)
        return self._folder / free


def _tree(path: Path) -> ElementTree.Element:
    with open_xml(path) as file:
        return ElementTree.parse(file).getroot()


def _referred(path: Path, name: str) -> Path:
    """Returns a file that another one names."""
    found = path.parent / name
    if not name or not found.is_file():
        raise ImportRefusal(f"{path} names {name!r}, but the file {found} does not exist")
    return found
