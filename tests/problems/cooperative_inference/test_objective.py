"""The objective of `CooperativeInference` has one home: the reward follows it, and the exact policy refuses others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vec_envs.policies import ExactCuts
from vec_envs.problems.cooperative_inference import CooperativeInference, Exogenous, State
from vec_envs.problems.cooperative_inference.objective import SlotTerms


def energy_alone(terms: SlotTerms) -> Any:
    """The energy of all devices, ten times."""
    return 10.0 * terms.energy_j.sum(axis=-1)


def test_the_reward_is_minus_a_custom_objective() -> None:
    problem = CooperativeInference(reward=energy_alone)
    rng = np.random.default_rng(0)
    state = State(energy_queue=rng.exponential(5.0, (6, 5)), memory_queue=rng.exponential(5.0, (6, 5)))
    exogenous = Exogenous(gain=rng.exponential(1e-9, (6, 5)), arrival_rate_hz=rng.uniform(0.5, 1.0, (6, 5)))
    outcome = problem.transition(state, np.full((6, 5), 2), exogenous)[1]
    np.testing.assert_allclose(outcome.reward, -10.0 * outcome.energy_j.sum(axis=-1))


@pytest.mark.parametrize(("reward", "name"), [(energy_alone, "energy_alone"), ("drift", "drift"), ("delay", "delay")])
def test_the_exact_policy_refuses_other_objectives_by_name(reward: Any, name: str) -> None:
    problem = CooperativeInference(reward=reward)
    with pytest.raises(ValueError, match=f"exact for the objective 'drift_bound' only, got '{name}'"):
        ExactCuts(problem)
    ExactCuts(problem, objective="drift_bound")  # what is asked for by name is solved


def test_an_unknown_reward_is_refused() -> None:
    with pytest.raises(ValueError, match="reward"):
        CooperativeInference(reward="energy")
