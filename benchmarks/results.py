"""The file of a result: what was asked, what came out, and where. Small, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

import vec_envs
from trainers.run_directory import replace_file

FORMAT = 1
CURVE_POINTS = 200
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
    provenance: Mapping[str, Any]
    path: Path


def key_of(definition: Mapping[str, Any]) -> str:
    """Returns a hash of what defines a result."""
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def name_of(definition: Mapping[str, Any]) -> str:
    """Returns a result's name: who plays, the training seed, and the key."""
    policy = definition["policy"]
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
) -> Path:
    """Writes a result beside its place, then renames it there. Raises `ValueError` where a value is not finite."""
    policy = definition["policy"]
    content = {
        "format": FORMAT,
        "key": key_of(definition),
        "seed": policy.get("seed"),
        "definition": definition,
        "provenance": provenance(),
        "training_s": rounded(training_s),
        "evaluation_s": rounded(evaluation_s),
        "decisions": [int(n) for n in decisions],
        "values": {name: [rounded(x) for x in of] for name, of in values.items()},
        "curve": None if curve is None else {name: [rounded(x) for x in of] for name, of in curve.items()},
        "traces": {name: [rounded(x) for x in of] for name, of in traces.items()},
    }
    path = folder / f"{name_of(definition)}.json"
    replace_file(path, json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")
    return path


def read(path: Path) -> Result:
    """Returns the result in a file. Raises `ValueError` saying what is wrong where it is none of ours, or damaged."""
    try:
        content = json.loads(path.read_text())
        if content["format"] != FORMAT:
            raise ValueError(f"it is of format {content['format']!r}, not {FORMAT}")
        if content["key"] != key_of(content["definition"]):
            raise ValueError("its key is not that of what it holds")
        if path.stem != name_of(content["definition"]):
            raise ValueError(f"it is the result {name_of(content['definition'])}")
        return _result(content, path)
    except ValueError as error:
        raise ValueError(f"{path} is damaged or of other content: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged or of other content: {error!r} when read as a result") from error


def _result(content: Mapping[str, Any], path: Path) -> Result:
    episodes = content["definition"]["evaluation"]["episodes"]
    values = {name: np.array(of, dtype=np.float64) for name, of in content["values"].items()}
    values_of = {"decisions": np.array(content["decisions"], dtype=np.float64), **values}
    for name, of in values_of.items():
        if of.shape != (episodes,) or not np.isfinite(of).all():
            raise ValueError(f"{name} are not {episodes} finite numbers")
    evaluation, curve = content["definition"]["evaluation"], content["curve"]
    traces = {name: np.array(of, dtype=np.float64) for name, of in content.get("traces", {}).items()}
    late = {f"late_{name}" for name in evaluation.get("late", [])}
    trends = {f"trend_{name}" for name in evaluation.get("trends", [])}
    missing = sorted({*evaluation["figures"], *late, *trends} - set(values)) + sorted(
        {*evaluation.get("traces", [])} - set(traces)
    )
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    return Result(
        definition=content["definition"],
        values=values,
        decisions=values_of["decisions"],
        curve=None if curve is None else {name: np.array(of, dtype=np.float64) for name, of in curve.items()},
        traces=traces,
        training_s=float(content["training_s"]),
        evaluation_s=float(content["evaluation_s"]),
        provenance=dict(content["provenance"]),
        path=path,
    )


def learning_curve(metrics: Path) -> tuple[dict[str, np.ndarray], float]:
    """Returns a run's metrics, means over neighbouring rounds where these are many, and the seconds of its rounds."""
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
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
    commit = _git("rev-parse", "HEAD")
    return {
        "version": vec_envs.__version__,
        "commit": commit,
        "dirty": None if commit is None else bool(_git("status", "--porcelain", "--untracked-files=no")),
        "machine": {"system": platform.system(), "architecture": platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": sys.version.split()[0]} | {name: _version(name) for name in packages},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """Returns what git says of the tree that this code is in; None where it is in none."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
