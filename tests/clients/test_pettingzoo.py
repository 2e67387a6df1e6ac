"""PettingZoo's own tests pass on every environment. `run.py` repeats them with older releases of PettingZoo."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test, state_test

from tests.clients.every import EVERY_ID, EVERY_PADDING, aec_env, parallel_env

CYCLES = 40
"""More than the 30 slots of an episode, so that a test sees an end and a new beginning."""


def check_api(env_id: str, **options: Any) -> None:
    api_test(aec_env(env_id, **options), num_cycles=CYCLES)


def check_seeds(env_id: str, **options: Any) -> None:
    seed_test(partial(aec_env, env_id, **options), num_cycles=CYCLES)


def check_parallel_api(env_id: str, **options: Any) -> None:
    parallel_api_test(parallel_env(env_id, **options), num_cycles=CYCLES)


def check_parallel_seeds(env_id: str, **options: Any) -> None:
    parallel_seed_test(partial(parallel_env, env_id, **options))


def check_state(env_id: str, **options: Any) -> None:
    state_test(aec_env(env_id, **options), parallel_env(env_id, **options), num_cycles=CYCLES)


@pytest.mark.slow
@EVERY_ID
@EVERY_PADDING
@pytest.mark.parametrize("check", [check_api, check_seeds, check_parallel_api, check_parallel_seeds, check_state])
def test_of_pettingzoo(env_id: str, padded: bool, check: Callable[..., None]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # recommendations, such as to bound observations
        check(env_id, padded=padded)
