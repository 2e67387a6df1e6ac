"""What tests of the faces have in common, whatever the environment: what is the same, and who makes one."""

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


def makers(door: Any, env_id: str) -> pytest.MarkDecorator:
    """Returns a parameter `make`: every way to an environment."""
    return pytest.mark.parametrize(
        "make",
        [door.joint_env, door.parallel_env, door.env, door.vector_env, lambda **o: gymnasium.make(env_id, **o)],
        ids=["joint", "parallel", "aec", "vector", "gymnasium"],
    )


def assert_same(one: Any, other: Any) -> None:
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


def visible(infos: Mapping[str, Any], lanes: int) -> dict[str, Any]:
    """Returns the infos with whatever their masks hide taken away, so that two vectorisers can be compared."""
    shown: dict[str, Any] = {}
    for name in (n for n in infos if f"_{n}" in infos and infos[f"_{n}"].any()):
        value, mask = infos[name], infos[f"_{name}"]
        if isinstance(value, Mapping):
            shown[name] = visible(value, lanes)
        else:
            shown[name] = [np.asarray(value[b]).tolist() if mask[b] else None for b in range(lanes)]
    return shown


def first_of(infos: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the infos of the first lane, as a single environment gives them."""
    named = {name: value for name, value in infos.items() if not name.startswith("_")}
    return {n: first_of(v) if isinstance(v, Mapping) else v[0].item() for n, v in named.items()}
