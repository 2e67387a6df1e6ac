"""What an option of a user must satisfy; each check raises a `ValueError` that gives the value and the bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np


def one_of(known: Sequence[str], **options: object) -> None:
    """Refuses a name that is not among the known ones, and lists those."""
    for name, value in options.items():
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"{name}={value!r} is unknown; there are {', '.join(map(repr, known))}")


def count(least: int, **options: object) -> None:
    """Refuses what is no integer of at least `least`."""
    for name, value in options.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name}={value!r} must be an integer of at least {least}")


def positive(**options: Any) -> None:
    """Refuses what is no finite number above 0."""
    for name, value in options.items():
        if not (_is_finite(value) and value > 0.0):
            raise ValueError(f"{name}={value!r} must be a finite number above 0")


def not_negative(**options: Any) -> None:
    """Refuses what is no finite number of at least 0."""
    for name, value in options.items():
        if not (_is_finite(value) and value >= 0.0):
            raise ValueError(f"{name}={value!r} must be a finite number of at least 0")


def fraction(**options: Any) -> None:
    """Refuses what is no number from 0 to 1."""
    for name, value in options.items():
        if not (_is_finite(value) and 0.0 <= value <= 1.0):
            raise ValueError(f"{name}={value!r} must be from 0 to 1")


def decibels(**options: Any) -> None:
    """Refuses what is no number from -1000 to 1000: powers beyond are none, and cannot be written in W."""
    for name, value in options.items():
        if not (_is_finite(value) and abs(value) <= 1000.0):
            raise ValueError(f"{name}={value!r} must be a finite number from -1000 to 1000")


def positive_range(**options: Any) -> None:
    """Refuses what is no pair (low, high) of finite numbers with 0 < low <= high."""
    for name, value in options.items():
        if not (_is_pair(value) and all(map(_is_finite, value)) and 0.0 < value[0] <= value[1]):
            raise ValueError(f"{name}={value!r} must be a range (low, high) with 0 < low <= high")


def a_list(**options: object) -> None:
    """Refuses what is no list, tuple or array with one axis; what stands in it is not looked at."""
    for name, value in options.items():
        if not (isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1)):
            raise ValueError(f"{name}={value!r} must be a list of numbers")


def a_path(**options: object) -> None:
    """Refuses what is neither a text nor a path."""
    for name, value in options.items():
        if not isinstance(value, str | Path):
            raise ValueError(f"{name}={value!r} must be a name or a path")


def yes_or_no(**options: object) -> None:
    """Refuses what is neither True nor False."""
    for name, value in options.items():
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name}={value!r} must be True or False")


def a_function(**options: object) -> None:
    """Refuses what cannot be called."""
    for name, value in options.items():
        if not callable(value):
            raise ValueError(f"{name}={value!r} must be a function")


def _is_pair(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return np.shape(value) == (2,)  # pyright: ignore[reportUnknownArgumentType]
    return isinstance(value, list | tuple) and len(value) == 2  # pyright: ignore[reportUnknownArgumentType]


def _is_finite(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
