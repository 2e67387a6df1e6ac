"""Under pytest every array that enters or leaves a function of `vec_envs` is held against its annotated shape.

This must stand before the first import of `vec_envs`: functions are wrapped as their modules are read.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
from beartype import BeartypeConf, beartype
from hypothesis import settings
from jaxtyping import install_import_hook

OWN_WORDS = (
    "BestResponse.__init__",
    "CheapestCut.__init__",
    "CooperativeInference.__init__",
    "DNNPartition.__init__",
    "DNNProfile.__init__",
    "DNNProfile.from_torch",
    "DNNProfile.load",
    "EnvironmentFactory.parallel_env",
    "EnvironmentFactory.traffic",
    "EnvironmentFactory.vector_env",
    "ExactSlot.__init__",
    "BatchVectorEnv.__init__",
    "Layer.__init__",
    "MobileInference.__init__",
    "SimultaneousEnv.__init__",
    "SimultaneousEnv._check_agents",
    "SimultaneousEnv.step",
    "Scenario.load",
    "SlotEnv._checked",
    "SlotEnv.step",
    "StraightMobility.__init__",
    "SumoMobility.__init__",
    "TaskDiversion.__init__",
    "as_profiles",
    "check_sumo_options",
    "make_mobility",
)


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function with its annotations checked at each call.

    Functions in `OWN_WORDS` are returned unchanged, because they raise their own error for an argument of the wrong
    type.
    """
    if function.__qualname__ in OWN_WORDS:
        return function
    return beartype(conf=BeartypeConf(is_pep484_tower=True))(function)


def pytest_configure(config: pytest.Config) -> None:
    # A shell's background job ignores Ctrl-C, and so would the processes that tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # beartype checks a random item of each list; this ignores Hypothesis's warning about random numbers that it does
    # not control.
    config.addinivalue_line("filterwarnings", "ignore:Do not use the `random` module inside strategies")


settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
install_import_hook("vec_envs", f"{__name__}.checked")
