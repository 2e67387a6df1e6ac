"""The records that the functions of `CooperativeInference` take and return."""

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
    """The virtual queues Q (energy) and W (memory) of each device: how far its budgets are overdrawn; dimensionless."""

    energy_queue: RealArray[np.ndarray, "*batch devices"]
    memory_queue: RealArray[np.ndarray, "*batch devices"]


@dataclass(frozen=True, kw_only=True)
class Exogenous:
    """The exogenous record of a slot: channel gains (ratios of powers) and arrival rates, which no action changes."""

    gain: RealArray[np.ndarray, "*batch devices"]
    arrival_rate_hz: RealArray[np.ndarray, "*batch devices"]


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The random draws of an episode.

    `fading_power` is exponential with mean 1. `arrival` is uniform from 0 to 1 and gives the arrival rates.
    """

    fading_power: Float[np.ndarray, "*batch slots devices"]
    arrival: Float[np.ndarray, "*batch slots devices"]


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """The resources of each device in a slot: its own speed, its speed at the server, its share of the bandwidth."""

    device_ghz: PerDevice
    server_ghz: PerDevice
    bandwidth_share: PerDevice


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of a slot: delays, energy, memory and resources of each device, and the reward that all share.

    `delay_s` is the mean delay of a task, the sum of `local_s`, `transmit_s` and `server_s`. `energy_j` is the energy
    of one second of the slot. `drift` is the Lyapunov drift of all virtual queues.
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
    """False where no tasks arrive, such as at a seat without a vehicle."""
    drift: PerEnvironment
    reward: PerEnvironment
