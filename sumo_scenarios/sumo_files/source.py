"""What a scenario is made of: SUMO's files, times and options, as a configuration or a command line names them."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, cast
from urllib.parse import unquote
from xml.etree import ElementTree

from sumo_scenarios.sumo_files.programs import ImportRefusal, linked, run_program
from vec_envs.mobility.sumo_worker.departures import seconds_of

Kind = Literal["configuration", "network", "map"]
_KEPT_SECTIONS = (
    "processing",
    "routing",
    "taxi_device",
    "bluelight_device",
    "driver_state_device",
    "toc_device",
    "friction_device",
)
"""Sections of a configuration whose options change how vehicles move."""
_NOT_KEPT = ("mesosim", "game", "threads", "routing-threads")
_INPUTS = ("net-file", "route-files", "additional-files")
"""The inputs of a configuration that are taken over."""
_OTHER_ROOTS = {
    "routes": "holds vehicles; give the network first, and this file with --routes",
    "additional": "is an additional file; give the network first, and this file with --additional",
    "add": "is an additional file; give the network first, and this file with --additional",
    "trips": "holds trips; give the network first, and this file with --routes",
    "nodes": "holds nodes only; make a network of it with netconvert",
    "edges": "holds edges only; make a network of it with netconvert",
    "gpx": "is a GPS track; python -m sumo_scenarios.convert reads traces",
    "fcd-export": "is a trace of vehicles; python -m sumo_scenarios.convert reads it",
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """The network and the traffic of a simulation. `options` are further options of SUMO by their long names."""

    title: str
    net_file: Path
    route_files: tuple[Path, ...] = ()
    additional_files: tuple[Path, ...] = ()
    begin_s: float = 0.0
    end_s: float | None = None
    options: dict[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()
    """What was left out of a configuration, for the report."""


def kind_of(path: Path) -> Kind:
    """Returns what a file is, by its root element. Raises `ImportRefusal` for a file of another kind."""
    if not path.is_file():
        raise ImportRefusal(f"SOURCE must be a file that exists, got {path}")
    if path.suffix == ".pbf":
        raise ImportRefusal(
            f"{path} is OpenStreetMap's binary format; make XML of it with: osmium cat {path.name} -o "
            f"{path.name.removesuffix('.pbf').removesuffix('.osm')}.osm"
        )
    root = _root(path)
    if root == "osm":
        return "map"
    if root == "net":
        return "network"
    if root in _OTHER_ROOTS:
        raise ImportRefusal(f"{path} {_OTHER_ROOTS[root]}")
    if path.name.removesuffix(".gz").endswith("cfg") or "config" in root.lower():
        return "configuration"
    raise ImportRefusal(
        f"SOURCE must be a SUMO configuration (.sumocfg), a network (.net.xml) or an OpenStreetMap extract (.osm), "
        f"got {path} with the root element <{root}>"
    )


@contextmanager
def open_xml(path: Path) -> Generator[IO[bytes]]:
    """Opens an XML file, packed by gzip or not, while it is read. Raises `ImportRefusal` where it is damaged."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb") as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ImportRefusal(f"{path} is not a complete gzip file; pack it again") from error
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise ImportRefusal(f"{path} is not XML: {error}") from error


def _root(path: Path) -> str:
    """Returns the name of the root element of an XML file. Raises `ImportRefusal` if the file is not XML."""
    with open_xml(path) as file:
        for _, element in ElementTree.iterparse(file, events=("start",)):
            return str(element.tag).rpartition("}")[2]
    raise ImportRefusal(f"{path} is not XML: it has no element")


def from_configuration(path: Path, work: Path) -> Source:
    """Returns the source of a SUMO configuration. SUMO itself reads the file, with short names and variables.

    Raises `ImportRefusal` if SUMO refuses the configuration, or a file that it names does not exist.
    """
    flat, unknown = _flattened(path, work)
    sections = {section.tag: {str(o.tag): o.get("value", "") for o in section} for section in _parsed(flat)}
    inputs, times = sections.get("input", {}), sections.get("time", {})
    if not inputs.get("net-file"):
        unread = f"; SUMO does not know {', '.join(unknown)}" if unknown else ""
        raise ImportRefusal(f"{path} names no network; its <input> must have a <net-file value=...>{unread}")
    kept = {name: value for section in _KEPT_SECTIONS for name, value in sections.get(section, {}).items()}
    left_out = [name for name in kept if name in _NOT_KEPT] + [name for name in inputs if name not in _INPUTS]
    (net_file,) = _files(path, flat, inputs["net-file"])
    return Source(
        title=path.name,
        net_file=net_file,
        route_files=_files(path, flat, inputs.get("route-files", "")),
        additional_files=_files(path, flat, inputs.get("additional-files", "")),
        begin_s=seconds(times.get("begin", "0")),
        end_s=seconds(times["end"]) if "end" in times and seconds(times["end"]) > 0.0 else None,
        options={name: value for name, value in sorted(kept.items()) if name not in _NOT_KEPT},
        notes=tuple(f"the option {name} of the configuration is left out" for name in (*unknown, *left_out)),
    )


def _flattened(path: Path, work: Path) -> tuple[Path, list[str]]:
    """Returns a configuration as SUMO reads it, and the options that this build of SUMO does not know.

    Raises `ImportRefusal` if SUMO refuses it for another reason.
    """
    flat, unknown = work / "flat.sumocfg", list[str]()
    given = linked(path.resolve().parent, work) / path.name
    while True:
        read = given if not unknown else _without_options(given, unknown, work)
        try:
            run_program("sumo", ["--configuration-file", read, "--save-configuration", flat], folder=work)
        except ImportRefusal as error:
            match = re.search(r"No option with the name '([^']+)' exists", str(error))
            if match is None or match[1] in unknown:
                raise ImportRefusal(str(error).replace(str(given), str(path))) from error
            unknown.append(match[1])
        else:
            return flat, unknown


def _without_options(path: Path, names: Sequence[str], work: Path) -> Path:
    """Returns a copy of a configuration without some options, and with absolute paths of the files that exist."""
    tree = ElementTree.parse(path)
    for section in (tree.getroot(), *tree.getroot()):
        for option in list(section):
            if option.tag in names:
                section.remove(option)
            parts = [path.parent / part.strip() for part in option.get("value", "").split(",")]
            if option.get("value") and all(part.is_file() for part in parts):
                option.set("value", ",".join(map(str, parts)))
    copy = work / "known.sumocfg"
    tree.write(copy, encoding="utf-8", xml_declaration=True)
    return copy


def from_files(net_file: Path, routes: Sequence[Path], additional: Sequence[Path]) -> Source:
    """Returns the source of a network with route files and additional files. Raises `ImportRefusal` if one lacks."""
    for path in (*routes, *additional):
        if not path.is_file():
            raise ImportRefusal(f"--routes and --additional must be files that exist, got {path}")
    return Source(title=net_file.name, net_file=net_file, route_files=tuple(routes), additional_files=tuple(additional))


def seconds(text: str) -> float:
    """Returns a time of SUMO [s]: a number, or `hours:minutes:seconds` with days before it.

    Raises `ImportRefusal` for another text.
    """
    time_s = seconds_of(text)
    if time_s is None:
        raise ImportRefusal(f"a time must be seconds or hours:minutes:seconds, got {text!r}")
    return time_s


def _parsed(path: Path) -> ElementTree.Element:
    return ElementTree.parse(path).getroot()


def _files(configuration: Path, flat: Path, names: str) -> tuple[Path, ...]:
    """Returns the files of an option. SUMO wrote their paths relative to `flat`, with marks for some characters."""
    found: list[Path] = []
    for name in filter(None, map(unquote, names.split(","))):
        path = (flat.parent / name).resolve()
        if not path.is_file():
            path = (path.parent / path.name.strip()).resolve()  # a list may have spaces after its commas
        if not path.is_file():
            raise ImportRefusal(f"{configuration} names a file that does not exist: {path}")
        found.append(path)
    return tuple(found)
