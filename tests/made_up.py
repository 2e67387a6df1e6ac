"""What tests of every problem have in common: made-up DNNs, and when two records are the same."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from vec_envs.dnn import DNNProfile, Layer


def profile(
    name: str, gflops: tuple[float, ...], mbit: tuple[float, ...], mbyte: tuple[float, ...] | None = None
) -> DNNProfile:
    """Returns a DNN of layers with this work, output and parameters; the first of `mbit` is the raw input."""
    rows = zip(gflops, mbit[1:], mbyte or (0.0,) * len(gflops), strict=True)
    layers = tuple(
        Layer(name=f"layer{n}", gflops=work, gmacs=work / 2, output_mbit=size, parameter_mbyte=parameters)
        for n, (work, size, parameters) in enumerate(rows, start=1)
    )
    return DNNProfile(name=name, input_mbit=mbit[0], layers=layers)


SHORT = profile("short", (1.0, 3.0), (4.0, 2.0, 0.5))
LONG = profile("long", (2.0, 0.0, 5.0), (8.0, 6.0, 3.0, 0.1))


def assert_same(one: Any, other: Any) -> None:
    """Two records hold the same arrays, records within them too."""
    for f in fields(one):
        a, b = getattr(one, f.name), getattr(other, f.name)
        if is_dataclass(a):
            assert_same(a, b)
        elif isinstance(a, dict):
            assert list(a) == list(b)
            for name, array in a.items():
                np.testing.assert_array_equal(array, b[name], err_msg=f"{f.name}[{name}]")
        else:
            np.testing.assert_array_equal(a, b, err_msg=f.name)
