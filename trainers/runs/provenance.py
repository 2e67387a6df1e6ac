"""The git commit of the code that is running."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path


@cache
def commit() -> str | None:
    """Returns the commit of the checkout; None where the code is not in a git checkout, or git is missing."""
    return _git("rev-parse", "HEAD")


@cache
def is_changed() -> bool | None:
    """Returns whether files that git tracks differ from the commit; None where `commit` is None."""
    return None if commit() is None else bool(_git("status", "--porcelain", "--untracked-files=no"))


def _git(*arguments: str) -> str | None:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
