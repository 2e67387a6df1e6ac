"""Helpers for tests of the interfaces: comparisons of what environments return, and common parametrisations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

MODES = list(AutoresetMode)
WITHOUT_SUMO = pytest.mark.parametrize("mobility", ["straight", "replay"])
QUIET = pytest.mark.filterwarnings("ignore::UserWarning")


def makers(module: Any, env_id: str) -> pytest.MarkDecorator:
    """Returns a parameter `make`: every function that makes the environment of a module."""
    return pytest.mark.parametrize(
        "make",
        [module.joint_env, module.parallel_env, module.env, module.vector_env, lambda **o: gymnasium.make(env_id, **o)],
        ids=["joint", "parallel", "aec", "vector", "gymnasium"],
    )


def assert_same(one: Any, other: Any) -> None:
    """Asserts that two nested containers of numbers and arrays are equal, bit for bit and with equal types."""
    if isinstance(one, Mapping):
        assert one.keys() == other.keys()
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        np.testing.assert_array_equal(one, other, strict=isinstance(one, np.ndarray))


def visible(infos: Mapping[str, Any], num_envs: int) -> dict[str, Any]:
    """Returns vector infos without the values that their masks hide, so that two vectorisers can be compared."""
    shown: dict[str, Any] = {}
    for name in (n for n in infos if f"_{n}" in infos and infos[f"_{n}"].any()):
        value, mask = infos[name], infos[f"_{name}"]
        if isinstance(value, Mapping):
            shown[name] = visible(value, num_envs)
        else:
            shown[name] = [np.asarray(value[b]).tolist() if mask[b] else None for b in range(num_envs)]
    return shown


def info_of(infos: Mapping[str, Any], row: int) -> dict[str, Any]:
    """Returns the infos of one environment of a vector, as a single environment returns them."""
    named = {name: value for name, value in infos.items() if not name.startswith("_")}
    return {n: info_of(v, row) if isinstance(v, Mapping) else v[row] for n, v in named.items()}
