"""The git checkout that this code runs from, where there is one."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path


@cache
def commit() -> str | None:
    """Returns the commit; None where the code is in no checkout, or there is no git."""
    return _git("rev-parse", "HEAD")


@cache
def is_changed() -> bool | None:
    """Returns whether files that git tracks differ from the commit; None as for `commit`."""
    return None if commit() is None else bool(_git("status", "--porcelain", "--untracked-files=no"))


def _git(*arguments: str) -> str | None:
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
