"""Checks of options that a user gives: each raises a `ValueError` that names the option, the rule and the value.

Options are passed as keywords, so that the message can name them:

    check_integer(1, num_envs=0)    # ValueError: num_envs must be an integer of at least 1, got 0
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np


def check_one_of(known: Sequence[str], **options: object) -> None:
    """Raises `ValueError` for an option that is not one of the known names; the message lists them."""
    for name, value in options.items():
        if not isinstance(value, str) or value not in known:
            allowed = ", ".join(map(repr, known))
            raise ValueError(f"{name} must be {'one of ' * (len(known) > 1)}{allowed}, got {value!r}")


def check_integer(least: int, **options: object) -> None:
    """Raises `ValueError` for an option that is not an integer of at least `least`."""
    for name, value in options.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")


def check_positive(**options: Any) -> None:
    """Raises `ValueError` for an option that is not a finite number above 0."""
    for name, value in options.items():
        if not (_is_finite(value) and value > 0.0):
            raise ValueError(f"{name} must be a finite number above 0, got {value!r}")


def check_not_negative(**options: Any) -> None:
    """Raises `ValueError` for an option that is not a finite number of at least 0."""
    for name, value in options.items():
        if not (_is_finite(value) and value >= 0.0):
            raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")


def check_fraction(**options: Any) -> None:
    """Raises `ValueError` for an option that is not a number from 0 to 1."""
    for name, value in options.items():
        if not (_is_finite(value) and 0.0 <= value <= 1.0):
            raise ValueError(f"{name} must be a number from 0 to 1, got {value!r}")


def check_decibels(**options: Any) -> None:
    """Raises `ValueError` for an option that is not a number from -1000 to 1000.

    A power beyond these bounds is not physical, and its value in W overflows or is 0.
    """
    for name, value in options.items():
        if not (_is_finite(value) and abs(value) <= 1000.0):
            raise ValueError(f"{name} must be a finite number from -1000 to 1000, got {value!r}")


def check_positive_range(**options: Any) -> None:
    """Raises `ValueError` for an option that is not a pair (low, high) of finite numbers with 0 < low <= high."""
    for name, value in options.items():
        if not (_is_pair(value) and all(map(_is_finite, value)) and 0.0 < value[0] <= value[1]):
            raise ValueError(f"{name} must be a range (low, high) with 0 < low <= high, got {value!r}")


def check_list(**options: object) -> None:
    """Raises `ValueError` for an option that is not a list, tuple or array with one axis; ignores its items."""
    for name, value in options.items():
        if not (isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1)):
            raise ValueError(f"{name} must be a list, a tuple or an array with one axis, got {value!r}")


def check_path(**options: object) -> None:
    """Raises `ValueError` for an option that is neither a string nor a path."""
    for name, value in options.items():
        if not isinstance(value, str | Path):
            raise ValueError(f"{name} must be a name or a path, got {value!r}")


def check_bool(**options: object) -> None:
    """Raises `ValueError` for an option that is neither True nor False."""
    for name, value in options.items():
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name} must be True or False, got {value!r}")


def check_callable(**options: object) -> None:
    """Raises `ValueError` for an option that cannot be called."""
    for name, value in options.items():
        if not callable(value):
            raise ValueError(f"{name} must be a function, got {value!r}")


def _is_pair(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return np.shape(value) == (2,)  # pyright: ignore[reportUnknownArgumentType]
    return isinstance(value, list | tuple) and len(value) == 2  # pyright: ignore[reportUnknownArgumentType]


def _is_finite(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
