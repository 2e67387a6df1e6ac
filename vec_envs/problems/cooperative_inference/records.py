"""The records of `CooperativeInference`: what its functions take and return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from jaxtyping import Real as RealArray

from vec_envs.physics.lyapunov import PerEnvironment

PerDevice = Float[np.ndarray, "*batch devices"]
Cuts = Int[np.ndarray, "*batch devices"]


@dataclass(frozen=True, kw_only=True)
class State:
    """By how much each device has overdrawn its budgets: the virtual queues Q and W, without unit."""

    energy_queue: RealArray[np.ndarray, "*batch devices"]
    memory_queue: RealArray[np.ndarray, "*batch devices"]


@dataclass(frozen=True, kw_only=True)
class Exogenous:
    """What exogenous decides for a slot: channel gains, a factor of power, and arrival rates."""

    gain: RealArray[np.ndarray, "*batch devices"]
    arrival_rate_hz: RealArray[np.ndarray, "*batch devices"]


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The raw draws of an episode: fading power, exponential with mean 1, and uniform numbers for the rates."""

    fading_power: Float[np.ndarray, "*batch slots devices"]
    arrival: Float[np.ndarray, "*batch slots devices"]


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """What each device is given: its own speed, its part of the server, and of the bandwidth."""

    device_ghz: PerDevice
    server_ghz: PerDevice
    bandwidth_share: PerDevice


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a slot brought to each device: means of its tasks, energy of a second of it, and how it was allocated.

    `delay_s` is the sum of the three parts; `drift` that of all virtual queues.
    """

    cut: Int[np.ndarray, "*batch devices"]
    delay_s: PerDevice
    local_s: PerDevice
    transmit_s: PerDevice
    server_s: PerDevice
    energy_j: PerDevice
    memory_gb: PerDevice
    device_ghz: PerDevice
    server_ghz: PerDevice
    bandwidth_share: PerDevice
    has_tasks: Bool[np.ndarray, "*batch devices"]
    """False for an empty seat."""
    drift: PerEnvironment
    reward: PerEnvironment
