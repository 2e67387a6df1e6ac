"""Finds out whether a folder or a file of the user hides a package of this project, and whether an extra is missing.

Python searches the current folder first. There a `trainers/__init__.py` of yours hides the package `trainers` of this
project, so that its commands are not found.
"""

from __future__ import annotations

import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

from vec_envs.validation import missing_extra

COMMAND_PACKAGES = ("trainers", "benchmarks", "sumo_scenarios")
"""The packages with the commands of this project. They stand beside `vec_envs`, in a wheel as in a clone."""


def hidden_by(package: str) -> Path | None:
    """Returns the path that Python imports instead of a package of this project; None if nothing hides the package."""
    spec = find_spec(package)
    places = [] if spec is None else [*(spec.submodule_search_locations or ()), spec.origin]
    own = Path(__file__).resolve().parents[1] / package
    if not places or places[0] is None or own in (Path(place).resolve() for place in places if place):
        return None
    return Path(places[0])


def explanation(package: str, hiding: Path) -> str:
    """Returns the message that names the path that hides a package, and the remedy."""
    return (
        f"{hiding} hides the package {package} of VEC-Envs: run the command in another folder, or set the environment "
        "variable PYTHONSAFEPATH=1, so that Python does not search the current folder"
    )


def warn_if_hidden(*packages: str) -> None:
    """Warns of paths that hide one of the packages, which explains an import that then fails."""
    for package in packages:
        if (hiding := hidden_by(package)) is not None:
            warnings.warn(explanation(package, hiding), RuntimeWarning, stacklevel=2)


def exit_without(*packages: str, extra: str) -> None:
    """Exits with the extra to install where a command cannot start, because one of the packages is missing.

    A package calls this when it is imported. Only `python -m` is answered, whose `sys.argv` begins with "-m" while it
    looks for the command. An import from code raises Python's own error where the missing package is needed.
    """
    if sys.argv[:1] != ["-m"]:
        return
    for package in packages:
        if find_spec(package) is None:
            sys.exit(missing_extra("the command", package, extra))
