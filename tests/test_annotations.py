"""What pytest checks at each call of a function of `vec_envs`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from jaxtyping import Float, TypeCheckError

from tests.annotations import checked, decorated

if TYPE_CHECKING:
    from somewhere import Unknown


@checked
def first(values: Float[np.ndarray, " n"], beside: Float[np.ndarray, " n"], count: int) -> Float[np.ndarray, " n"]:
    return values[:count]


@checked
def items(values: Float[np.ndarray, " n"]) -> Iterator[float]:
    yield from values.tolist()


@checked
def partly(unknown: Unknown, count: int) -> Unknown:
    return unknown


@checked
def warns() -> None:
    warnings.warn("to the caller", stacklevel=2)


@decorated(typechecker=None)
@dataclass(frozen=True)
class Pair:
    one: Float[np.ndarray, " n"]
    other: Float[np.ndarray, " n"]


TWO, THREE = np.zeros(2), np.zeros(3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: first(TWO, THREE, 2),
        lambda: first(TWO, TWO.astype(np.int64), 2),
        lambda: first(TWO, beside=TWO, count="2"),
        lambda: first(THREE, THREE, 2),
        lambda: list(items(np.zeros((2, 2)))),
        lambda: Pair(TWO, THREE),
        lambda: partly(1, "2"),
    ],
    ids=["axis", "dtype", "keyword", "returned", "generator", "dataclass", "beside an unknown type"],
)
def test_a_wrong_value_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(TypeCheckError):
        call()


def test_an_axis_has_one_length_in_each_call() -> None:
    assert [len(first(values, values, 3)) for values in (TWO, THREE)] == [2, 3]
    assert list(items(THREE)) == [0.0] * 3
    assert Pair(THREE, THREE).other is THREE


def test_a_type_for_type_checkers_alone_is_not_checked() -> None:
    assert partly("anything", 2) == "anything"


def test_a_warning_to_the_caller_is_none_of_the_checked_module() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", module=re.escape(warns.__module__))
        warns()
