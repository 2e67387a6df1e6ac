"""Names and hashes of results."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, cast

FILES = "files"
"""The entry of a definition that maps a path in it, or the source of a mobility, to the hash of its content."""
_NAMED_BY_CONTENT = ("mobility", "scenario")


def key_of(definition: Mapping[str, Any]) -> str:
    """Returns a hash of a definition: of a result, of a training run, or of a policy.

    Files of somebody's own count by their content, and not by their path.
    """
    text = json.dumps(by_content(definition), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def by_content(definition: Any, known: Mapping[str, Any] | None = None) -> Any:
    """Returns a definition in which the hashes of `FILES` replace paths. Without hashes, it is unchanged.

    The definition can be from a damaged result, so that anything may stand in it.
    """
    if not isinstance(definition, Mapping):
        return definition
    values = cast(Mapping[str, Any], definition)
    own = values.get(FILES)
    hashes = {**(known or {}), **(cast(Mapping[str, Any], own) if isinstance(own, Mapping) else {})}

    def replaced(name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return by_content(value, hashes)
        named = name in _NAMED_BY_CONTENT and isinstance(value, str) and value in hashes
        return f"sha256:{hashes[value]}" if named else value

    return {name: replaced(name, value) for name, value in values.items() if name != FILES}


def name_of(definition: Mapping[str, Any]) -> str:
    """Returns the name of a result: the policy or learner, the training seed, and the key of the definition."""
    policy = definition["policy"]
    if "given" in policy:
        who = "given-" + re.sub(r"[^A-Za-z0-9]+", "-", policy["given"]).strip("-")[:60]
    else:
        who = policy["reference"] if "reference" in policy else f"{policy['learner_name']}-seed{policy['seed']}"
    return f"{who}-{key_of(definition)}"


def digest_of(content: Mapping[str, Any]) -> str:
    """Returns a hash of all fields of a result except the hash itself."""
    hashed = {name: value for name, value in content.items() if name != "digest"}
    return hashlib.sha256(json.dumps(hashed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
