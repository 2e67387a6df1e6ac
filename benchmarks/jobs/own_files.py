"""Files of somebody's own in the options of an environment: definitions name them by path, and keys by content."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.policies.importing import import_in_time
from benchmarks.results.naming import FILES
from vec_envs.importing import is_source
from vec_envs.mobility.contents import hash_of_files, hash_of_traffic


def own_files(env: Mapping[str, Any]) -> dict[str, str]:
    """Returns the hashes of the own files in an environment's options, by the path or source in the options.

    These are the files of a scenario, recording or converted trace, and the module of a mobility. Networks are no such
    files: options hold their content.

    Raises:
        ValueError: A file is missing or cannot be read, or a mobility cannot be imported.
    """
    mobility, scenario = str(env["mobility"]), str(env["scenario"])
    try:
        if is_source(mobility):
            given = (Path(scenario),) if Path(scenario).is_file() else ()
            return {mobility: _hash_of_source(mobility), **{str(path): hash_of_files((path,)) for path in given}}
        found = hash_of_traffic(mobility, scenario)
    except OSError as error:
        raise ValueError(f"{error.filename} cannot be read: {error.strerror}") from error
    return {} if found is None else {scenario: found}


def _hash_of_source(source: str) -> str:
    """Returns a hash of the module of a mobility, and of the name of its factory."""
    import_in_time(source, "mobility")
    module, _, name = source.partition(":")
    file = getattr(sys.modules[module], "__file__", None)
    if file is None:
        raise ValueError(f"the mobility {source!r} must be defined in a file")
    return hashlib.sha256(f"{name} {hash_of_files((Path(file),))}".encode()).hexdigest()[:16]


def with_hashes(definition: Mapping[str, Any], env: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a definition with the hashes of the own files in the options of an environment."""
    files = own_files(env)
    return {**definition, FILES: files} if files else dict(definition)


def check_unchanged(definition: Mapping[str, Any]) -> None:
    """Raises `ValueError` where own files have changed since their job was planned."""
    policy: Mapping[str, Any] = definition["policy"]
    trained = [(policy, policy["env"])] if "env" in policy else []
    for part, env in [*trained, (definition, definition["evaluation"]["env"])]:
        planned, found = part.get(FILES, {}), own_files(env)
        if planned != found:
            names = ", ".join(planned | found)
            raise ValueError(f"{names} changed after this job was planned: run benchmarks.run again")
