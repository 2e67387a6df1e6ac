"""The file of a result: what was asked, what came out, and where. Small, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import fastjsonschema
import numpy as np
from jaxtyping import Float

import vec_envs
from trainers.runs import provenance as checkout
from trainers.runs.directory import LEFT_OVER, replace_file

FORMAT = 1
CURVE_POINTS = 200
LARGEST = 1e15
"""Numbers beyond are none that an episode has, and sums of them may be none at all."""
Values = Mapping[str, Float[np.ndarray, "episodes"]]


@dataclass(frozen=True, kw_only=True)
class Result:
    """A policy's held-out episodes, by figure, and its learning curve where it has learned."""

    definition: Mapping[str, Any]
    values: Values
    """Means over the decisions of each episode."""
    decisions: Float[np.ndarray, "episodes"]
    curve: Values | None
    traces: Values
    """Means over the episodes, point by point."""
    training_s: float
    evaluation_s: float
    decision_ms: float | None = None
    """Median CPU time of a decision; None in results of before it was taken."""
    recording: Mapping[str, Any] | None = None
    """The first episode, slot by slot, where the case asks for it."""
    warnings: tuple[str, ...] = ()
    """What the policy warned of while it played."""
    provenance: Mapping[str, Any]
    path: Path

    @property
    def ranked_by(self) -> str:
        """The figure by which policies are ranked: the first."""
        return self.definition["evaluation"]["figures"][0]


def key_of(definition: Mapping[str, Any]) -> str:
    """Returns a hash of what defines a result."""
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def name_of(definition: Mapping[str, Any]) -> str:
    """Returns a result's name: who plays, the training seed, and the key."""
    policy = definition["policy"]
    if "given" in policy:
        who = "given-" + re.sub(r"[^A-Za-z0-9]+", "-", policy["given"]).strip("-")[:60]
    else:
        who = policy["reference"] if "reference" in policy else f"{policy['learner_name']}-seed{policy['seed']}"
    return f"{who}-{key_of(definition)}"


def write(
    folder: Path,
    definition: Mapping[str, Any],
    *,
    values: Values,
    decisions: np.ndarray,
    curve: Values | None,
    traces: Values,
    training_s: float,
    evaluation_s: float,
    decision_ms: float | None = None,
    recording: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    trained_by: str | None = None,
) -> Path:
    """Writes a result beside its place, then renames it there. Raises `ValueError` where a value is not finite.

    `trained_by` is the commit by which training began.
    """
    policy, code = definition["policy"], provenance()
    if trained_by not in (None, code["commit"]):
        code = {**code, "trained_by": trained_by}
    content = {
        "format": FORMAT,
        "key": key_of(definition),
        "seed": policy.get("seed"),
        "definition": definition,
        "provenance": code,
        "training_s": rounded(training_s),
        "evaluation_s": rounded(evaluation_s),
        "decision_ms": None if decision_ms is None else rounded(decision_ms),
        "decisions": [int(n) for n in decisions],
        "values": {name: [rounded(x) for x in of] for name, of in values.items()},
        "curve": None if curve is None else {name: [rounded(x) for x in of] for name, of in curve.items()},
        "traces": {name: [rounded(x) for x in of] for name, of in traces.items()},
        **({} if recording is None else {"recording": recording}),
        **({"warnings": list(warnings)} if warnings else {}),
    }
    content["digest"] = digest_of(content)
    path = folder / f"{name_of(definition)}.json"
    replace_file(path, json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")
    return path


def digest_of(content: Mapping[str, Any]) -> str:
    """Returns a hash of all that a result says, but for the hash itself."""
    said = {name: of for name, of in content.items() if name != "digest"}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@cache
def _schema() -> Callable[[Any], Any]:
    """Returns what raises an error where a file's content is not as `result.schema.json` says."""
    return fastjsonschema.compile(json.loads(Path(__file__).with_name("result.schema.json").read_text()))


def read(path: Path) -> Result:
    """Returns the result in a file. Raises `ValueError` saying what is wrong where it is none of ours, or damaged."""
    if path.suffix == LEFT_OVER:
        raise ValueError(f"{path} is what a stopped write has left: delete it")
    try:
        content = json.loads(path.read_text(), parse_constant=_no_number, parse_float=_number, parse_int=_integer)
        _schema()(content)
        _check(content, path)
        return _result(content, path)
    except (ValueError, TypeError, OverflowError, RecursionError, fastjsonschema.JsonSchemaException) as error:
        raise ValueError(f"{path} is damaged or of other content: {error}") from error


def _check(content: Mapping[str, Any], path: Path) -> None:
    """Raises `ValueError` where a result is not what its name, key and digest say, or not whole."""
    json.dumps(content, ensure_ascii=False).encode()  # half a character is no text that a page could hold
    if content["key"] != key_of(content["definition"]):
        raise ValueError("its key is not that of what it holds")
    if path.name != f"{name_of(content['definition'])}.json":
        raise ValueError(f"it is the result {name_of(content['definition'])}.json")
    if content["digest"] != digest_of(content):
        raise ValueError("it has been edited: its digest is not that of what it holds")
    evaluation = content["definition"]["evaluation"]
    episodes, values, traces = evaluation["episodes"], content["values"], content.get("traces", {})
    for name, of in {"decisions": content["decisions"], **values}.items():
        if len(of) != episodes:
            raise ValueError(f"{name} are not {episodes} numbers")
    wanted = {*evaluation["figures"], *(f"late_{name}" for name in evaluation.get("late", []))}
    wanted |= {f"trend_{name}" for name in evaluation.get("trends", [])}
    for has, should in ((set(values), wanted), (set(traces), set(evaluation.get("traces", [])))):
        if has != should:
            raise ValueError(f"it should hold {', '.join(sorted(should))}, and holds {', '.join(sorted(has))}")
    if bool(evaluation.get("recorded")) != ("recording" in content):
        raise ValueError("a recording is there where none is asked for, or none where one is")
    curve, first = content["curve"], evaluation["figures"][0]
    if curve is not None and (not {"episodes", first} <= set(curve) or len({len(of) for of in curve.values()}) != 1):
        raise ValueError(f"its learning curve has no episodes, no {first}, or columns of other lengths")
    if "recording" in content:
        _check_recording(content["recording"])


def _check_recording(recording: Mapping[str, Any]) -> None:
    """Raises `ValueError` where a frame is not of the recording's nodes."""
    nodes = len(recording["nodes"])
    for frame in recording["frames"]:
        ends = [end for start, to, _ in frame["links"] for end in (start, to)]
        if {len(frame[name]) for name in ("x_m", "y_m", "waits")} != {nodes} or max(ends, default=0) >= nodes:
            raise ValueError(f"its recording has a frame that is not of its {nodes} nodes")


def _result(content: Mapping[str, Any], path: Path) -> Result:
    curve = content["curve"]
    return Result(
        definition=content["definition"],
        values=_arrays(content["values"]),
        decisions=np.array(content["decisions"], dtype=np.float64),
        curve=None if curve is None else _arrays(curve),
        traces=_arrays(content.get("traces", {})),
        training_s=float(content["training_s"]),
        evaluation_s=float(content["evaluation_s"]),
        decision_ms=content.get("decision_ms"),
        recording=content.get("recording"),
        warnings=tuple(content.get("warnings", [])),
        provenance=dict(content["provenance"]),
        path=path,
    )


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _number(text: str) -> float:
    if not abs(number := float(text)) <= LARGEST:
        raise ValueError(f"{text} is too large for a number of an episode")
    return number


def _integer(text: str) -> int:
    return int(_number(text))  # exactly, since what is not too large has less than 53 bits


def _arrays(of: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.array(numbers, dtype=np.float64) for name, numbers in of.items()}


def learning_curve(metrics: Path) -> tuple[dict[str, np.ndarray], float]:
    """Returns a run's metrics, means over neighbouring rounds where these are many, and the seconds of its rounds.

    Raises `ValueError` where there are none.
    """
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    if not rows:
        raise ValueError(f"{metrics} is empty: delete {metrics.parent}, and it is trained anew")
    names = [name for name in rows[-1] if all(name in row for row in rows) and name != "round_s"]
    parts = np.array_split(np.arange(len(rows)), min(len(rows), CURVE_POINTS))
    columns = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in names}
    curve = {name: np.array([column[part].mean() for part in parts]) for name, column in columns.items()}
    curve["episodes"] = np.array([columns["episodes"][part[-1]] for part in parts])
    return curve, float(sum(row["round_s"] for row in rows))


def rounded(value: float) -> float:
    """Returns a value with 6 significant digits."""
    return float(f"{value:.6g}")


@cache
def provenance() -> dict[str, Any]:
    """Returns the code and the machine, without its name."""
    import sys

    packages = ("torch", "tianshou", "numpy", "libsumo")
    return {
        "version": vec_envs.__version__,
        "commit": checkout.commit(),
        "dirty": checkout.is_changed(),
        "machine": {"system": platform.system(), "architecture": platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": sys.version.split()[0]} | {name: _version(name) for name in packages},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
