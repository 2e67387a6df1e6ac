"""The infos of a step: a problem's metrics as NumPy scalars and arrays, which clients can register."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool


class NamedNumbers(np.ndarray):
    """An array whose last axis has names. `terms["drift"]` is the entry of that name, as in a dictionary.

    Clients such as TorchRL take arrays as infos, and no dictionaries.
    """

    names: tuple[str, ...]

    def __new__(cls, by_name: Mapping[str, Any]) -> NamedNumbers:
        """Returns the values `[*batch]` of each name as an array `[*batch, names]`."""
        array = np.stack([np.asarray(value) for value in by_name.values()], axis=-1).view(cls)
        array.names = tuple(by_name)
        return array

    def __array_finalize__(self, obj: Any) -> None:
        self.names = getattr(obj, "names", ())

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, str):
            return np.asarray(self)[index]
        if index not in self.names:
            raise KeyError(index)
        return np.asarray(self)[..., self.names.index(index)]

    def __reduce__(self) -> tuple[Any, ...]:
        return NamedNumbers, (dict(self.items()),)

    def keys(self) -> tuple[str, ...]:
        """Returns the names."""
        return self.names

    def values(self) -> list[Any]:
        """Returns the values, in the order of the names."""
        return [self[name] for name in self.names]

    def items(self) -> Iterator[tuple[str, Any]]:
        """Returns pairs of name and value."""
        return zip(self.names, self.values(), strict=True)


def info_of_row(metrics: Mapping[str, Any], row: int = 0) -> dict[str, Any]:
    """Returns the metrics of one environment of a batch as NumPy scalars. A dictionary becomes `NamedNumbers`."""
    return {
        name: NamedNumbers({key: of[row] for key, of in value.items()}) if isinstance(value, Mapping) else value[row]  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        for name, value in metrics.items()
    }


def own_copy(info: dict[str, Any]) -> dict[str, Any]:
    """Returns a copy of an info, with copies of the arrays in it."""
    return {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in info.items()}


def vector_infos(metrics: Mapping[str, Any], mask: Bool[np.ndarray, "batch"]) -> dict[str, Any]:
    """Returns metrics as vector infos by Gymnasium's rules: each `name` with a mask `_name` of environments.

    Values of environments outside the mask are zero. A metric that no environment has is left out.
    """
    infos: dict[str, Any] = {}
    if not mask.any():
        return infos
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            infos[name] = NamedNumbers({key: np.where(mask, of, 0.0) for key, of in value.items()})  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType, reportUnknownArgumentType]
        else:
            infos[name] = np.where(mask, value, np.zeros((), value.dtype))
        infos[f"_{name}"] = mask.copy()
    return infos
