"""Functions on frozen dataclasses of arrays: stack records, read rows and write rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast

import numpy as np

R = TypeVar("R")


def map_arrays(function: Callable[[np.ndarray], np.ndarray], record: R) -> R:
    """Returns the record with `function` applied to each of its arrays."""
    kind: Callable[..., R] = type(record)
    return kind(**{f.name: function(getattr(record, f.name)) for f in fields(record)})  # pyright: ignore[reportArgumentType]


def row_of(record: R, row: int | slice) -> R:
    """Returns one row of each array of a record, including the arrays of nested records; or several, for a slice."""
    kind: Callable[..., R] = type(record)
    names = [f.name for f in fields(record)]  # pyright: ignore[reportArgumentType]
    return kind(**{name: _row_of_value(getattr(record, name), row) for name in names})


def _row_of_value(value: Any, row: int | slice) -> Any:
    if is_dataclass(value):
        return row_of(value, row)
    if isinstance(value, Mapping):
        return {name: _row_of_value(of, row) for name, of in cast(Mapping[str, Any], value).items()}
    return value[row, ...]


def stack(records: Sequence[R]) -> R:
    """Returns one record, which stacks the arrays of the given records along a new first axis."""
    if len(records) == 1:
        return map_arrays(lambda a: a[None], records[0])
    kind: Callable[..., R] = type(records[0])
    names = [f.name for f in fields(records[0])]  # pyright: ignore[reportArgumentType]
    return kind(**{name: np.stack([getattr(r, name) for r in records]) for name in names})


def with_rows(record: R, rows: np.ndarray, other: R) -> R:
    """Returns the record with the rows `rows` of each array replaced by the rows of `other`, in order."""
    values: dict[str, Any] = {}
    for f in fields(record):  # pyright: ignore[reportArgumentType]
        array = getattr(record, f.name).copy()
        array[rows] = getattr(other, f.name)
        values[f.name] = array
    kind: Callable[..., R] = type(record)
    return kind(**values)


def pick(rows: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Returns the entries at `index`, `[*batch]` or `[*batch, k]`, of rows `[*batch, n]`, in the shape of `index`.

    Several times faster than numpy's `take_along_axis` on small batches.
    """
    return rows.reshape(-1).take(_flat(rows, index)).reshape(index.shape)


def put(rows: np.ndarray, index: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Returns a copy of the rows `[*batch, n]` with `value` in the entries at `index`, both `[*batch]`."""
    copy = rows.copy()
    copy.reshape(-1)[_flat(rows, index)] = value.reshape(-1, 1)
    return copy


def _flat(rows: np.ndarray, index: np.ndarray) -> np.ndarray:
    length: int = rows.shape[-1]
    count = math.prod(rows.shape[:-1])
    starts = (np.arange(count) * length).reshape(-1, 1)
    return index.reshape(count, index.size // max(count, 1)) + starts
