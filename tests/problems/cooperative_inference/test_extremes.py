"""Extreme options: either refused by name, or every delay, reward and observation is finite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vec_envs.mobility import StillMobility
from vec_envs.mobility.traffic import EpisodeShape
from vec_envs.problems.cooperative_inference.options import POSITIVE
from vec_envs.problems.cooperative_inference.problem import CooperativeInference, Exogenous, Outcome

SLOTS = 6
NAMES = [name for name in POSITIVE if name != "slot_s"]
OUTCOMES = ("delay_s", "energy_j", "memory_gb", "drift", "reward", "device_ghz", "server_ghz", "bandwidth_share")


def drawn(problem: CooperativeInference, rng: np.random.Generator) -> Exogenous:
    shape: EpisodeShape = problem.traffic_shape
    mobility = StillMobility()
    return problem.draw(rng, next(iter(mobility.blocks(3, shape, start=0))), mobility.road)


def check_episode(problem: CooperativeInference, seed: int) -> None:
    """Plays random decisions, and checks that all quantities are finite and all resources feasible."""
    rng = np.random.default_rng(seed)
    episode, state = drawn(problem, rng), problem.initial_state()
    for slot in range(problem.episode_slots):
        now = Exogenous(gain=episode.gain[slot], arrival_rate_hz=episode.arrival_rate_hz[slot])
        learned = problem.allocation == "learned"
        action = rng.uniform(-1.0, 1.0, (5, 4)) if learned else rng.integers(0, np.array(problem.action_counts))
        assert np.isfinite(problem.observe(state, now)).all()
        state, outcome = problem.transition(state, action, now)
        check_outcome(problem, outcome)


def check_outcome(problem: CooperativeInference, outcome: Outcome) -> None:
    for name in OUTCOMES:
        assert np.isfinite(getattr(outcome, name)).all(), name
    rounding = 1.0 + problem.num_devices * 2.0**-52
    assert outcome.server_ghz.sum() <= problem.server_ghz * rounding
    assert outcome.bandwidth_share.sum() <= rounding
    assert (outcome.device_ghz <= problem.device_ghz).all()


def play_or_refuse(options: dict[str, Any], seed: int) -> bool:
    """Returns whether the options are refused; plays an episode with them where they are not."""
    try:
        problem = CooperativeInference(episode_slots=SLOTS, unstable="clip", **options)
    except ValueError:
        return True
    check_episode(problem, seed)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("allocation", ["exact", "learned"])
@pytest.mark.parametrize("name", NAMES)
def test_an_extreme_option_is_refused_or_its_episodes_are_finite(name: str, allocation: str) -> None:
    refused = 0
    for decades in (-300, -200, -100, -50, -30, -20, -12, -6, 6, 12, 20, 30, 50, 100, 200, 300):
        refused += play_or_refuse({name: 10.0**decades, "allocation": allocation}, seed=decades % 97)
    assert refused >= 1


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(st.sampled_from(NAMES), st.floats(-12.0, 12.0).map(lambda decades: 10.0**decades), max_size=4),
    st.floats(-250.0, 0.0),
    st.sampled_from(["exact", "learned"]),
    st.integers(0, 1000),
)
@pytest.mark.slow
def test_extreme_options_together_are_refused_or_their_episodes_are_finite(
    options: dict[str, float], noise: float, allocation: str, seed: int
) -> None:
    play_or_refuse({**options, "noise_dbm_per_hz": noise, "allocation": allocation}, seed)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kappa_j_per_gcycle_ghz2": 1e300}, r"energy_j must be .* got .*: bring kappa_j_per_gcycle_ghz2=1e\+300 nea"),
        ({"bandwidth_mhz": 1e-300}, "signal-to-noise ratio must be .* got inf: bring bandwidth_mhz=1e-300 nearer to"),
        ({"path_loss_exponent": 1e3}, r"gain must be from 1e-100 to 1e\+100 .* got 0: bring path_loss_exponent=1000"),
        ({"noise_dbm_per_hz": 900.0}, "got .*: bring noise_dbm_per_hz=900.0 nearer to the default"),
        ({"arrival_rate_hz": (1e200, 1e200)}, "got .*: bring arrival_rate_hz="),
    ],
)
def test_refused_options_are_named_with_numbers(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CooperativeInference(**options)


def test_a_distance_without_gain_is_refused_at_reset() -> None:
    """Options are checked up to 1 km. A device may be farther away."""
    problem, rng = CooperativeInference(episode_slots=2), np.random.default_rng(0)
    mobility = StillMobility()
    block = next(iter(mobility.blocks(3, problem.traffic_shape, start=0)))
    far = type(block)(**{**vars(block), "client_xy_m": np.full_like(block.client_xy_m, 1e120)})
    with pytest.raises(
        ValueError, match=r"channel gains must be finite and above 0, got 0 at a distance of 1.*e\+120 m"
    ):
        problem.draw(rng, far, mobility.road)


@pytest.mark.parametrize("exponent", [2.0, 3.0, 4.0, 5.0, 6.0])
def test_usual_options_are_not_refused(exponent: float) -> None:
    check_episode(CooperativeInference(path_loss_exponent=exponent, episode_slots=SLOTS, unstable="clip"), seed=1)
    CooperativeInference(path_loss_exponent=exponent, device_ghz=1e3, bandwidth_mhz=1e-3, lyapunov_v=1e-6)


@pytest.mark.parametrize("types", [(0, 0), (1,), (1, 1, 0)])
def test_a_dnn_type_may_have_no_device(types: tuple[int, ...]) -> None:
    problem = CooperativeInference(dnn_of_device=types, episode_slots=2)
    exogenous = drawn(problem, np.random.default_rng(1))
    now = Exogenous(gain=exogenous.gain[0], arrival_rate_hz=exogenous.arrival_rate_hz[0])
    mask = problem.action_mask(problem.initial_state(), now)
    assert mask.shape == (len(types), max(problem.action_counts))
    assert mask[:, 0].all()
