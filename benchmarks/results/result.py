"""Results: the held-out episodes of a policy on a case, as a file or as a line of a file."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from benchmarks.results.checks import REFUSED, parsed
from benchmarks.results.format1 import FORMAT
from benchmarks.results.kept import Kept
from benchmarks.results.naming import digest_of, key_of, name_of
from benchmarks.results.provenance import provenance, traffic_version
from trainers.runs.directory import PARTIAL, replace_file
from vec_envs.files import read_text, shortened

CURVE_POINTS = 200
"""The largest number of points of a stored learning curve."""
MOST_BYTES = 2**21
"""The largest size of a result, fifty times that of the largest one so far."""
Values = Mapping[str, Float[np.ndarray, "episodes"]]


@dataclass(frozen=True, kw_only=True)
class Result:
    """The held-out episodes of a policy, and its learning curve where it has been trained."""

    definition: Mapping[str, Any]
    """The environment, the policy with all options of its training, and the episodes: all that decides the values."""
    kept: Kept
    """The metrics that are stored."""
    values: Values
    """Means over the decisions of each episode, by metric."""
    decisions: Float[np.ndarray, "episodes"]
    curve: Values | None
    """The learning curve, by metric, and `episodes`; None for a policy without training episodes."""
    traces: Values
    """Means over the episodes at each decision epoch, by metric."""
    training_s: float
    evaluation_s: float
    decision_ms: float | None = None
    """Median CPU time of a decision; None where it was not measured."""
    recording: Mapping[str, Any] | None = None
    """The first episode, slot by slot, where the case asks for it."""
    warnings: tuple[str, ...] = ()
    """Warnings of the policy while it played."""
    provenance: Mapping[str, Any]
    path: Path
    """The file that holds the result."""
    content: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """The JSON of the result, in the present format."""


def write(
    folder: Path,
    definition: Mapping[str, Any],
    kept: Kept,
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
    """Writes a result into a folder and returns its file. A file of the same name is replaced, see `put`.

    Args:
        folder: The folder.
        definition: See `Result.definition`.
        kept: The metrics of `values` and `traces`.
        values: See `Result`, as are the other arguments.
        trained_by: The commit of the code that began the training.

    Raises `ValueError` where a value is not finite.
    """
    policy, code = definition["policy"], provenance()
    if sumo := traffic_version(definition["evaluation"]["env"]):
        code = {**code, "versions": {**code["versions"], "sumo": sumo}}
    if trained_by not in (None, code["commit"]):
        code = {**code, "trained_by": trained_by}
    content = {
        "format": FORMAT,
        "name": name_of(definition),
        "key": key_of(definition),
        "seed": policy.get("seed"),
        "definition": definition,
        "kept": kept.as_json(),
        "provenance": code,
        "training_s": rounded(training_s),
        "evaluation_s": rounded(evaluation_s),
        "decision_ms": None if decision_ms is None else rounded(decision_ms),
        "decisions": [int(n) for n in decisions],
        "values": _lists(values),
        "curve": None if curve is None else _lists(curve),
        "traces": _lists(traces),
        **({} if recording is None else {"recording": recording}),
        **({"warnings": list(warnings)} if warnings else {}),
    }
    return put(folder, {**content, "digest": digest_of(content)})


def put(folder: Path, content: Mapping[str, Any]) -> Path:
    """Writes the content of a result into a folder. A stored result of the same episodes adds its other metrics.

    The file is written completely or not at all. Raises `ValueError` where a value is not finite.
    """
    path = folder / f"{content['name']}.json"
    with contextlib.suppress(OSError, ValueError):  # there is no result yet, or a damaged one
        content = merged(content, read(path).content)
    replace_file(path, line_of(content))
    return path


def line_of(content: Mapping[str, Any]) -> str:
    """Returns the text of a result in one line. Raises `ValueError` where a value is not finite."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"


def merged(content: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a result with the metrics that only another result of the same name has.

    The other result is ignored where the decisions or a metric that both have differ: it is of other episodes then.
    """
    if content["decisions"] != other["decisions"]:
        return content
    for name in ("values", "traces"):
        if any(numbers != other[name].get(metric, numbers) for metric, numbers in content[name].items()):
            return content
    kept = Kept.of(content["kept"]) | Kept.of(other["kept"])
    both: dict[str, Any] = {name: {**other[name], **content[name]} for name in ("values", "traces")}
    whole = {
        **content,
        "kept": kept.as_json(),
        "values": {name: both["values"][name] for name in kept.values},
        "traces": {name: both["traces"][name] for name in kept.traces},
    }
    if "recording" not in whole and "recording" in other:
        whole["recording"] = other["recording"]
    return {**whole, "digest": digest_of(whole)}


def read(path: Path) -> Result:
    """Returns the result in a file. Raises `ValueError` with the reason where the file is not a valid result."""
    if path.suffix == PARTIAL:
        raise ValueError(f"{path} was left by a write that was stopped: delete it")
    text = read_text(path, most_bytes=MOST_BYTES)
    return result_of(text, path, name=path.name.removesuffix(".json"))


def result_of(text: str, path: Path, *, name: str | None) -> Result:
    """Returns the result in a text.

    Args:
        text: The JSON of the result, also of format 1.
        path: The file that holds the text.
        name: The name of the file where it holds this result alone; None for a line of a file.

    Raises `ValueError` saying what is wrong where the text is not a result.
    """
    try:
        content = parsed(text, name)
    except REFUSED as error:
        raise ValueError(f"{path} is damaged or of other content: {shortened(error)}") from error
    curve = content["curve"]
    return Result(
        definition=content["definition"],
        kept=Kept.of(content["kept"]),
        values=_arrays(content["values"]),
        decisions=np.array(content["decisions"], dtype=np.float64),
        curve=None if curve is None else _arrays(curve),
        traces=_arrays(content["traces"]),
        training_s=float(content["training_s"]),
        evaluation_s=float(content["evaluation_s"]),
        decision_ms=content.get("decision_ms"),
        recording=content.get("recording"),
        warnings=tuple(content.get("warnings", [])),
        provenance=dict(content["provenance"]),
        path=path,
        content=content,
    )


def learning_curve(metrics: Path) -> tuple[dict[str, np.ndarray], float]:
    """Returns the learning curve of a run's `metrics.jsonl`, and the seconds of its training.

    A point of the curve is the mean over neighbouring rounds where there are more than `CURVE_POINTS` rounds. Raises
    `ValueError` where the file is empty.
    """
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    if not rows:
        raise ValueError(f"{metrics} is empty: delete {metrics.parent} to train the run again")
    names = [name for name in rows[-1] if all(name in row for row in rows) and name != "round_s"]
    parts = np.array_split(np.arange(len(rows)), min(len(rows), CURVE_POINTS))
    columns = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in names}
    curve = {name: np.array([column[part].mean() for part in parts]) for name, column in columns.items()}
    curve["episodes"] = np.array([columns["episodes"][part[-1]] for part in parts])
    return curve, float(sum(row["round_s"] for row in rows))


def rounded(value: float) -> float:
    """Returns a value with 6 significant digits."""
    return float(f"{value:.6g}")


def _lists(values: Values) -> dict[str, list[float]]:
    return {name: [rounded(x) for x in numbers] for name, numbers in values.items()}


def _arrays(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.array(numbers, dtype=np.float64) for name, numbers in values.items()}
