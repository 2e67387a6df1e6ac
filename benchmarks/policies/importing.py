"""Imports a policy or a suite of a user, named as "package.module:NAME"."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from benchmarks.policies.time_limits import at_most

IMPORT_S = 120.0
"""How long the import of a user's module may take."""
_PATTERN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


def is_source(name: str) -> bool:
    """Returns whether a name is a user's "package.module:NAME" and not a name of this project: it has a colon."""
    return ":" in name


def import_source(source: str, what: str) -> Any:
    """Returns the object that a source names. The working directory is searched last.

    Args:
        source: "package.module:NAME".
        what: The kind of the object for error messages, such as "policy".

    Raises `ValueError` for a source of another form, and where its module cannot be imported or lacks the name.
    """
    if not _PATTERN.fullmatch(source):
        raise ValueError(f"the {what} must be given as package.module:name, got {source!r}")
    module, _, name = source.partition(":")
    working_directory = str(Path.cwd())
    if working_directory not in sys.path:
        sys.path.append(working_directory)
    try:
        with at_most(IMPORT_S, "importing it"):
            return getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        raise ValueError(f"the {what} {source!r} cannot be imported: {type(error).__name__}: {error}") from error
