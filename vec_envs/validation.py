"""Checks of options that a user gives: each raises a `ValueError` that names the option, the rule and the value.

Options are passed as keywords, so that the message can name them:

    check_integer(1, num_envs=0)    # ValueError: num_envs must be an integer of at least 1, got 0
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Collection, Iterable, Sequence
from itertools import islice, takewhile
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

MOST_VEHICLES = 10_000
"""The largest number of vehicles of a role, of devices, and of roadside units."""
MOST_SLOTS = 100_000
"""The largest number of slots of an episode."""
MOST_NUMBERS = 10**8
"""The largest number of entries of an episode's arrays, such as slots x clients x nodes: 800 MB each."""
MOST_DNNS = 100
"""The largest number of DNN types."""
MOST_LAYERS = 10_000
"""The largest number of layers of a DNN."""
MOST_ENVIRONMENTS = 100_000
"""The largest number of environments that are played in parallel."""
MOST_WORKERS = 1000
"""The largest number of processes of live SUMO."""


def check_one_of(known: Sequence[str], **options: object) -> None:
    """Raises `ValueError` for an option that is not one of the known names; the message lists them."""
    for name, value in options.items():
        if not isinstance(value, str) or value not in known:
            allowed = ", ".join(map(repr, known))
            near = did_you_mean(value, known)
            raise ValueError(f"{name} must be {'one of ' * (len(known) > 1)}{allowed}, got {shown(value)}{near}")


def check_integer(least: int, **options: object) -> None:
    """Raises `ValueError` for an option that is not an integer of at least `least`."""
    for name, value in options.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be an integer of at least {least}, got {shown(value)}")


def check_at_most(most: int, **options: Any) -> None:
    """Raises `ValueError` for an integer option above `most`, such as a size for which no machine has the memory."""
    for name, value in options.items():
        if value > most:
            raise ValueError(f"{name} must be at most {most}, got {shown(value)}")


def check_product(**factors: int | np.integer) -> None:  # pyright: ignore[reportMissingTypeArgument]
    """Raises `ValueError` where the product of options, the length of an array, is above `MOST_NUMBERS`."""
    if (product := math.prod(int(factor) for factor in factors.values())) > MOST_NUMBERS:
        raise ValueError(f"{' x '.join(factors)} must be at most {MOST_NUMBERS}, got {product}")


def check_positive(**options: Any) -> None:
    """Raises `ValueError` for an option that is not a finite number above 0."""
    for name, value in options.items():
        if not (_is_finite(value) and value > 0.0):
            raise ValueError(f"{name} must be a finite number above 0, got {shown(value)}")


def check_not_negative(**options: Any) -> None:
    """Raises `ValueError` for an option that is not a finite number of at least 0."""
    for name, value in options.items():
        if not (_is_finite(value) and value >= 0.0):
            raise ValueError(f"{name} must be a finite number of at least 0, got {shown(value)}")


def check_fraction(**options: Any) -> None:
    """Raises `ValueError` for an option that is not a number from 0 to 1."""
    for name, value in options.items():
        if not (_is_finite(value) and 0.0 <= value <= 1.0):
            raise ValueError(f"{name} must be a number from 0 to 1, got {shown(value)}")


def check_decibels(**options: Any) -> None:
    """Raises `ValueError` for an option that is not a number from -1000 to 1000.

    A power beyond these bounds is not physical, and its value in W overflows or is 0.
    """
    for name, value in options.items():
        if not (_is_finite(value) and abs(value) <= 1000.0):
            raise ValueError(f"{name} must be a finite number from -1000 to 1000, got {shown(value)}")


def check_positive_range(**options: Any) -> None:
    """Raises `ValueError` for an option that is not a pair (low, high) of finite numbers with 0 < low <= high."""
    for name, value in options.items():
        if not (_is_pair(value) and all(map(_is_finite, value)) and 0.0 < value[0] <= value[1]):
            raise ValueError(f"{name} must be a range (low, high) with 0 < low <= high, got {shown(value)}")


def check_list(**options: object) -> None:
    """Raises `ValueError` for an option that is not a list, tuple or array with one axis; ignores its items."""
    for name, value in options.items():
        if not (isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1)):
            raise ValueError(f"{name} must be a list, a tuple or an array with one axis, got {shown(value)}")


def check_path(**options: object) -> None:
    """Raises `ValueError` for an option that is neither a string nor a path."""
    for name, value in options.items():
        if not isinstance(value, str | Path):
            raise ValueError(f"{name} must be a name or a path, got {shown(value)}")


def check_bool(**options: object) -> None:
    """Raises `ValueError` for an option that is neither True nor False."""
    for name, value in options.items():
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name} must be True or False, got {shown(value)}")


def check_callable(**options: object) -> None:
    """Raises `ValueError` for an option that cannot be called."""
    for name, value in options.items():
        if not callable(value):
            raise ValueError(f"{name} must be a function, got {shown(value)}")


def check_takes(*arguments: str, keywords: Sequence[str] = (), **options: Any) -> None:
    """Raises `ValueError` for a function that does not take these arguments by place and these keywords.

    A function whose signature is not known, such as one that is written in C, is taken as sound.
    """
    for name, function in options.items():
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            continue
        try:
            signature.bind(*arguments, **dict.fromkeys(keywords))
        except TypeError as error:
            wanted = ", ".join((*arguments, *(("*", *keywords) if keywords else ())))
            raise ValueError(f"{name} must be a function ({wanted}), got one with {signature}: {error}") from error


def check_name_or_function(known: Sequence[str], *arguments: str, **options: Any) -> None:
    """Raises `ValueError` for an option that is neither a known name nor a function of these arguments."""
    for name, value in options.items():
        option: dict[str, Any] = {name: value}
        if isinstance(value, str) or not callable(value):
            check_one_of(known, **option)
        else:
            check_takes(*arguments, **option)


LONGEST_PROPOSAL = 100
"""The largest length of a name that is proposed."""


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """Returns "; did you mean NAME?" with the known name that is nearest to a misspelt one; "" where none is near.

    Upper and lower case, and dashes and underscores, are taken as equal. A name that begins with at least three given
    characters is near too. Of several near names, one that begins as the given one is preferred. Very long
    names, which files can have, are not proposed.
    """
    if not isinstance(given, str):
        return ""
    folded = {_folded(name): name for name in known if len(name) <= LONGEST_PROPOSAL}
    misspelt = _folded(given[:200])
    near = difflib.get_close_matches(misspelt, folded, n=5)
    near += [name for name in folded if len(misspelt) >= 3 and name.startswith(misspelt)]
    nearest = max(near, key=lambda name: _likeness(misspelt, name), default=None)
    return "" if nearest is None else f"; did you mean {folded[nearest]}?"


def near_misses(given: Iterable[object], known: Collection[str]) -> str:
    """Returns `did_you_mean` of the first three of several misspelt names, one after the other."""
    return "".join(did_you_mean(name, known) for name in islice(given, 3))


def missing_extra(what: str, package: str, extra: str) -> str:
    """Returns the message of something that needs a package which an extra of this project installs."""
    return f'{what} needs {package}, which is missing; install it with: pip install "vec-envs[{extra}]"'


def shown(value: Any) -> str:
    """Returns the text of a value for a message, cut after 200 characters."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _likeness(given: str, name: str) -> float:
    """Returns the similarity of two names, and a bonus for a common beginning."""
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(given, name, strict=False)))
    return difflib.SequenceMatcher(None, given, name).ratio() + 0.4 * common / max(len(given), 1)


def _folded(name: str) -> str:
    return name.casefold().replace("-", "_")


def _is_pair(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return np.shape(value) == (2,)  # pyright: ignore[reportUnknownArgumentType]
    return isinstance(value, list | tuple) and len(value) == 2  # pyright: ignore[reportUnknownArgumentType]


def _is_finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the numbers of a float
        return False
