"""Names and hashes of results."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any


def key_of(definition: Mapping[str, Any]) -> str:
    """Returns a hash of a definition: of a result, of a training run, or of a policy."""
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
