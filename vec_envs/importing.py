"""Imports an object of a user, named as "package.module:NAME"."""

from __future__ import annotations

import importlib
import re
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from vec_envs.validation import did_you_mean

_SOURCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


def is_source(name: object) -> bool:
    """Returns whether a value names an object of a user, and not one of this project: a text with a colon."""
    return isinstance(name, str) and ":" in name


def import_source(source: str, what: str, within: AbstractContextManager[object] | None = None) -> Any:
    """Returns the object that a source names. The working directory is searched last.

    Args:
        source: "package.module:NAME".
        what: The beginning of error messages, such as "the policy".
        within: A context for the import, such as a time limit.

    Raises `ValueError` for a source of another form, and where its module cannot be imported or lacks the name.
    """
    if not _SOURCE.fullmatch(source):
        raise ValueError(f"{what} must be given as package.module:name, got {source!r}")
    module, _, name = source.partition(":")
    working_directory = str(Path.cwd())
    if working_directory not in sys.path:
        sys.path.append(working_directory)
    try:
        with within or nullcontext():
            return getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        near = did_you_mean(name, vars(sys.modules[module])) if module in sys.modules else ""
        raise ValueError(f"{what} {source!r} cannot be imported: {type(error).__name__}: {error}{near}") from error
