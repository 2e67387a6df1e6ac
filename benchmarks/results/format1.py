"""Results of format 1, whose names depend on the metrics that are kept.

A definition of format 1 lists the kept metrics in `evaluation`. Since format 2 they are listed beside the definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.results.kept import Kept
from benchmarks.results.naming import digest_of, key_of, name_of

FORMAT = 2
"""The present format of results."""
_KEPT = {"figures": "metrics", "late": "late", "trends": "trends", "traces": "traces", "recorded": "recorded"}
"""Name in a definition of format 1 -> name in `kept`."""


def converted(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content of a result of format 1 in the present format: all values stay, the name and hashes change.

    Raises `ValueError` where the key or the digest does not fit the content.
    """
    definition = content["definition"]
    if content["key"] != key_of(definition):
        raise ValueError("its key is not the hash of its definition")
    if content["digest"] != digest_of(content):
        raise ValueError("its digest is not the hash of its content: it has been edited")
    evaluation = definition["evaluation"]
    kept = Kept.of({new: evaluation[old] for old, new in _KEPT.items() if old in evaluation})
    episodes = {name: value for name, value in evaluation.items() if name not in _KEPT}
    new = {**definition, "evaluation": episodes}
    hashes = {"format": FORMAT, "name": name_of(new), "key": key_of(new)}
    others = {name: of for name, of in content.items() if name not in ("format", "key", "digest", "seed", "definition")}
    result = {**hashes, "seed": content["seed"], "definition": new, "kept": kept.as_json(), **others}
    result.setdefault("traces", {})
    return {**result, "digest": digest_of(result)}


def definition_of(definition: Mapping[str, Any], kept: Kept) -> dict[str, Any]:
    """Returns a definition with its kept metrics as format 1 wrote it."""
    names = {new: old for old, new in _KEPT.items()}
    return {
        **definition,
        "evaluation": {**definition["evaluation"], **{names[name]: of for name, of in kept.as_json().items()}},
    }
