"""Under pytest every array that enters or leaves a function of `vec_envs` is held against its annotated shape.

This must stand before the first import of `vec_envs`: functions are wrapped as their modules are read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, runtime_checkable

import pytest
from beartype import BeartypeConf, beartype
from hypothesis import settings
from jaxtyping import install_import_hook

CHECKED = ("core", "dnn", "faces", "physics", "policies", "problems", "records", "units")
"""Rooms whose annotations are checked; not mobility, whose records are stacked over lanes that they do not name."""


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function with its annotations checked at each call.

    Not so the construction of a problem: its `__post_init__` has its own words for an option of the wrong type.
    """
    if function.__qualname__ == "DNNPartition.__init__":
        return function
    from vec_envs.mobility.traffic import Mobility

    runtime_checkable(Mobility)  # a protocol can only be held against an object when it says so
    return beartype(conf=BeartypeConf(is_pep484_tower=True))(function)


def pytest_configure(config: pytest.Config) -> None:
    # beartype looks into a list at a random place, also where Hypothesis would rather hold all randomness itself.
    config.addinivalue_line("filterwarnings", "ignore:Do not use the `random` module inside strategies")


settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
install_import_hook([f"vec_envs.{room}" for room in CHECKED], f"{__name__}.checked")
