"""Parsing and checking the content of a result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema

from benchmarks.results import format1
from benchmarks.results.kept import Kept
from benchmarks.results.naming import digest_of, key_of, name_of
from vec_envs.files import parse_json

LARGEST = 1e15
"""The largest number of a result. An episode has no larger ones, and their sums could overflow."""
REFUSED = (KeyError, TypeError, ValueError, OverflowError, RecursionError, fastjsonschema.JsonSchemaException)
"""The errors of `parsed` for content that is not a result."""


def parsed(text: str, name: str | None) -> dict[str, Any]:
    """Returns the content of a result, converted where it is of format 1.

    Args:
        text: The JSON text.
        name: The name of the file that holds the result alone; None for a line of a file.

    Raises one of `REFUSED` where the text is not a result, was edited, or is the result of another name.
    """
    content: Any = parse_json(text, largest=LARGEST)
    if isinstance(content, dict) and content.get("format") == 1:  # pyright: ignore[reportUnknownMemberType]
        _check_name(name_of(content["definition"]), name)
        content = format1.converted(content)
        name = None
    _schema()(content)
    _check(content)
    _check_name(content["name"], name)
    return content


@cache
def _schema() -> Callable[[Any], Any]:
    """Returns a function that raises an error where content does not match `result.schema.json`."""
    return fastjsonschema.compile(json.loads(Path(__file__).with_name("result.schema.json").read_text()))


def _check_name(name: str, file: str | None) -> None:
    if file not in (None, name):
        raise ValueError(f"it is the result {name}.json, in a file of another name")


def _check(content: Mapping[str, Any]) -> None:
    """Raises `ValueError` where names, hashes or lengths do not fit the content."""
    json.dumps(content, ensure_ascii=False).encode()  # a lone surrogate cannot be written to a page
    if content["key"] != key_of(content["definition"]):
        raise ValueError("its key is not the hash of its definition")
    if content["name"] != name_of(content["definition"]):
        raise ValueError(f"its name is not {name_of(content['definition'])}, which its definition gives")
    if content["digest"] != digest_of(content):
        raise ValueError("its digest is not the hash of its content: it has been edited")
    _check_values(content, Kept.of(content["kept"]))
    if "recording" in content:
        _check_recording(content["recording"])


def _check_values(content: Mapping[str, Any], kept: Kept) -> None:
    """Raises `ValueError` if values, traces, recording or curve do not match the metrics that the result keeps."""
    values, traces, episodes = content["values"], content["traces"], content["definition"]["evaluation"]["episodes"]
    for name, of_episodes in {"decisions": content["decisions"], **values}.items():
        if len(of_episodes) != episodes:
            raise ValueError(f"{name} has {len(of_episodes)} numbers for {episodes} episodes")
    for what, names, listed in (("values", set(values), kept.values), ("traces", set(traces), kept.traces)):
        if names != set(listed):
            raise ValueError(f"it lists the {what} {', '.join(sorted(listed))}, and has {', '.join(sorted(names))}")
    if kept.recorded != ("recording" in content):
        raise ValueError(f"it has {'no' if kept.recorded else 'a'} recording, other than it lists")
    curve = content["curve"]  # of the metrics that a run reports: the case's own need not be among them
    if curve is not None and "episodes" not in curve:
        raise ValueError("its learning curve has no column episodes")
    if curve is not None and len({len(column) for column in curve.values()}) != 1:
        raise ValueError("its learning curve has columns of different lengths")


def _check_recording(recording: Mapping[str, Any]) -> None:
    """Raises `ValueError` where a frame does not fit the recording's nodes."""
    nodes, kinds = len(recording["nodes"]), len(recording.get("queues", [None]))
    for frame in recording["frames"]:
        ends = [end for start, to, _ in frame["links"] for end in (start, to)]
        lengths = [len(frame[name]) for name in ("x_m", "y_m", "waits")]
        if lengths != [nodes, nodes, nodes * kinds] or max(ends, default=0) >= nodes:
            raise ValueError(f"a frame of its recording does not have {nodes} nodes, or a link to another node")
