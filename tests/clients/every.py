"""What all tests of outside clients share: ids, factories, and options that need no SUMO."""

from __future__ import annotations

from typing import Any

import pytest

from vec_envs.registration import ENVIRONMENTS, factory_of

STRAIGHT: dict[str, Any] = {"mobility": "straight"}
EVERY_ID = pytest.mark.parametrize("env_id", ENVIRONMENTS)
EVERY_PADDING = pytest.mark.parametrize("padded", [False, True], ids=["plain", "padded"])


def parallel_env(env_id: str, **options: Any) -> Any:
    """Returns the PettingZoo environment of an id, on the straight road unless `mobility` is given."""
    return factory_of(env_id).parallel_env(**STRAIGHT | options)


def aec_env(env_id: str, **options: Any) -> Any:
    """Returns the PettingZoo environment of an id in which agents act in turn."""
    return factory_of(env_id).env(**STRAIGHT | options)


def discrete(env_id: str) -> bool:
    """Returns whether agents choose among actions, rather than give numbers."""
    return hasattr(factory_of(env_id).problem().actions, "counts")
