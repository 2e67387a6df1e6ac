"""Refusal of options of `CooperativeInference` with which delays or rewards would not be finite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from vec_envs.problems.cooperative_inference.dynamics import SlotDynamics
from vec_envs.problems.cooperative_inference.options import POSITIVE
from vec_envs.problems.cooperative_inference.records import Cuts, Exogenous, State

if TYPE_CHECKING:
    from vec_envs.problems.cooperative_inference.problem import CooperativeInference

NEAR_M, FAR_M = 1.0, 1e3
"""The distances for which options are checked."""
LEAST_FADING, MOST_FADING = 1e-9, 50.0
"""The fading power for which options are checked; one draw in 1e9 is smaller."""
MOST, MOST_OBSERVED = 1e100, 1e36
"""The largest size of a quantity and of a feature. Squares of the first and floats of the second do not overflow."""


def check_extremes(problem: CooperativeInference, dynamics: SlotDynamics) -> None:
    """Checks all cuts in slots with the least and the largest gain, arrival rate and queues.

    Raises `ValueError` where a delay, a reward or another quantity of such a slot is not finite. The message names the
    quantity, the bound, and the options that differ most from their defaults.
    """
    with np.errstate(all="ignore"):
        gain, exogenous = _slots(problem)
        _check_range(problem, {"gain": gain, "signal-to-noise ratio": problem.channel.snr(gain)}, least=1.0 / MOST)
        state = problem.initial_state(exogenous.gain.shape[:-1])
        last_cut = np.maximum(problem.action_mask(state, exogenous).sum(axis=-1) - 1, 0)
        cut = np.minimum(np.arange(max(problem.action_counts))[:, None], last_cut)
        first = np.arange(problem.num_devices) == 0
        # Checks empty queues, then the largest queues of an episode, then the largest queues at all devices but the
        # first.
        for kept in (np.ones_like(first), ~first, ~first):
            most = _most_queues(problem, dynamics, state, cut, exogenous)
            state = State(energy_queue=kept * most.energy_queue, memory_queue=kept * most.memory_queue)


def check_gains(
    gain: Float[np.ndarray, "*batch devices"],
    snr: Float[np.ndarray, "*batch devices"],
    distance_m: Float[np.ndarray, "*batch devices"],
) -> None:
    """Raises `ValueError` where the channel of a device has no gain, or one that is not finite."""
    valid = (gain > 0.0) & (snr > 0.0) & np.isfinite(snr)
    if not valid.all():
        raise ValueError(
            f"channel gains must be finite and above 0, got {gain[~valid][0]:g} at a distance of "
            f"{distance_m[~valid][0]:g} m: choose another path_loss_exponent or transmit_power_w"
        )


def _slots(problem: CooperativeInference) -> tuple[np.ndarray, Exogenous]:
    """Returns the two extreme gains, and the exogenous record of slots `[gains, rates, cuts, devices]`."""
    near, far = (problem.channel.mean_gain(np.float64(distance_m)) for distance_m in (NEAR_M, FAR_M))
    gain = np.array([MOST_FADING * near, LEAST_FADING * far])
    rates = np.array([*problem.arrival_rate_hz, *problem.arrival_profile_hz])
    rate_hz = np.array([rates.min(), rates.max()])
    shape = (2, 2, max(problem.action_counts), problem.num_devices)
    return gain, Exogenous(
        gain=np.broadcast_to(gain[:, None, None, None], shape),
        arrival_rate_hz=np.broadcast_to(rate_hz[:, None, None], shape),
    )


def _most_queues(
    problem: CooperativeInference, dynamics: SlotDynamics, state: State, cut: Cuts, exogenous: Exogenous
) -> State:
    """Returns the largest queues to which slots like these lead in an episode, after a check of all quantities."""
    allocation = dynamics.allocate(state, cut, exogenous)
    outcome = dynamics.outcome(state, cut, allocation, exogenous, objective=dynamics.drift_bound)
    names = ("delay_s", "energy_j", "memory_gb", "drift", "reward")
    after = dynamics.budgets.next_state(state, energy_j=outcome.energy_j, memory_gb=outcome.memory_gb)
    most = State(
        energy_queue=np.full_like(after.energy_queue, problem.episode_slots * after.energy_queue.max()),
        memory_queue=np.full_like(after.memory_queue, problem.episode_slots * after.memory_queue.max()),
    )
    queues = {"energy_queue": most.energy_queue, "memory_queue": most.memory_queue}
    _check_range(problem, {name: getattr(outcome, name) for name in names} | queues)
    _check_range(problem, {"observation": problem.observe(most, exogenous)}, most=MOST_OBSERVED)
    return most


def _check_range(
    problem: CooperativeInference, values: Mapping[str, Any], *, least: float = 0.0, most: float = MOST
) -> None:
    """Raises `ValueError` where the size of a value is not within bounds."""
    for name, value in values.items():
        size = np.abs(value)
        outside = size[~((size >= least) & (size <= most))]
        if len(outside):
            raise ValueError(
                f"{name} must be from {least:g} to {most:g} in size in every slot, got {outside[0]:g}: bring "
                f"{_farthest(problem)} nearer to the default"
            )


def _farthest(problem: CooperativeInference) -> str:
    """Returns the one or two options that differ most from their defaults, by order of magnitude."""
    default: dict[str, Any] = {field.name: field.default for field in fields(problem)}
    decades = {name: abs(math.log10(getattr(problem, name) / default[name])) for name in POSITIVE}
    rates = (*problem.arrival_rate_hz, *problem.arrival_profile_hz)
    decades["arrival_rate_hz"] = max(abs(math.log10(rate)) for rate in rates)
    decades["noise_dbm_per_hz"] = abs(problem.noise_dbm_per_hz - default["noise_dbm_per_hz"]) / 10.0
    first, second = sorted(decades, key=lambda name: -decades[name])[:2]
    names = (first, second) if decades[second] > 1.0 else (first,)
    return " and ".join(f"{name}={getattr(problem, name)}" for name in names)
