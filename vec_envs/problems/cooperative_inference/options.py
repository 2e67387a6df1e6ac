"""Checks of the options of `CooperativeInference`: each names the option, the value given and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vec_envs.validation import MOST_VEHICLES, check_at_most, check_integer, check_positive

ALLOCATIONS = ("exact", "learned")
UNSTABLE = ("error", "clip")
POSITIVE = (
    "lyapunov_v",
    "slot_s",
    "device_ghz",
    "server_ghz",
    "cycles_per_mac",
    "kappa_j_per_gcycle_ghz2",
    "bandwidth_mhz",
    "transmit_power_w",
    "device_memory_factor",
    "server_memory_factor",
    "energy_queue_scale",
    "memory_queue_scale",
    "antenna_gain",
    "carrier_mhz",
    "path_loss_exponent",
)
"""The options that must be finite numbers above 0."""


def check_devices(dnn_of_device: Sequence[Any], *, num_types: int) -> None:
    """Raises `ValueError` unless there are devices, and each has an index of a DNN type."""
    if not dnn_of_device:
        raise ValueError("dnn_of_device must hold an index of dnns for each device, got none; add at least one device")
    check_at_most(MOST_VEHICLES, **{"the length of dnn_of_device": len(dnn_of_device)})
    for n, dnn_type in enumerate(dnn_of_device):
        check_integer(0, **{f"dnn_of_device[{n}]": dnn_type})
        if dnn_type >= num_types:
            raise ValueError(
                f"dnn_of_device[{n}] must be an index of dnns, from 0 to {num_types - 1}, got {dnn_type!r}"
            )


def check_budgets(*, num_types: int, **budgets: Sequence[Any]) -> None:
    """Raises `ValueError` unless each option holds one finite number above 0 for each DNN type."""
    for name, numbers in budgets.items():
        if len(numbers) != num_types:
            raise ValueError(f"{name} must hold one number for each of the {num_types} dnns, got {len(numbers)}")
        for k, budget in enumerate(numbers):
            check_positive(**{f"{name}[{k}]": budget})
