"""Imports a policy or a suite of a user within a time limit."""

from __future__ import annotations

from typing import Any

from benchmarks.policies.time_limits import at_most
from vec_envs.importing import import_source

IMPORT_S = 120.0
"""How long the import of a user's module may take."""


def import_in_time(source: str, what: str) -> Any:
    """Returns the object that a source names. The working directory is searched last.

    Args:
        source: "package.module:NAME".
        what: The kind of the object for error messages, such as "policy".

    Raises `ValueError` where `vec_envs.importing.import_source` does, and where the import takes too long.
    """
    return import_source(source, f"the {what}", at_most(IMPORT_S, "importing it"))
