"""LyMDO's three allocations by cvxpy: the comparison that `benchmarks.speed` times."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from benchmarks.speed.convex_reference import ConvexSlots, compare
from vec_envs.problems.cooperative_inference.problem import CooperativeInference, Exogenous, State

SLOTS = 40


def test_our_allocations_are_those_of_cvxpy() -> None:
    problem, rng = CooperativeInference(), np.random.default_rng(5)
    shape = SLOTS, problem.num_devices
    gain = problem.channel.mean_gain(150.0) * rng.standard_exponential(shape)
    now = Exogenous(gain=gain, arrival_rate_hz=rng.uniform(0.5, 2.5, shape))
    state = State(energy_queue=rng.uniform(0.0, 50.0, shape), memory_queue=np.zeros(shape))
    cut = rng.integers(0, problem.num_layers + 1, shape)
    assert compare(problem, state, cut, now, slots=SLOTS)["largest_difference"] < 1e-6


def test_without_cvxpy_the_extra_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "cvxpy":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RuntimeError, match=r"\[convex\]"):
        ConvexSlots(CooperativeInference())
