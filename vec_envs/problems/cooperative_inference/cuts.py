"""The cost of each cut of `CooperativeInference`: work on both sides, data sent, and memory occupied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vec_envs.dnn.processors import Processors
from vec_envs.dnn.profile import DNNProfile, by_type
from vec_envs.problems.cooperative_inference.records import Cuts, PerDevice


@dataclass(frozen=True, kw_only=True)
class CutTable:
    """Work, data and memory for each device and cut. Rows of DNNs with fewer cuts end in zeros."""

    local_gcycles: Float[np.ndarray, "devices cuts"]
    server_gcycles: Float[np.ndarray, "devices cuts"]
    sent_mbit: Float[np.ndarray, "devices cuts"]
    memory_gb: Float[np.ndarray, "devices cuts"]

    def of(self, cut: Cuts) -> tuple[PerDevice, PerDevice, PerDevice, PerDevice]:
        """Returns, for each device's cut: Gcycles at the device, Gcycles at the server, Mbit sent, GB occupied."""
        device = np.arange(len(self.local_gcycles))
        return (
            self.local_gcycles[device, cut],
            self.server_gcycles[device, cut],
            self.sent_mbit[device, cut],
            self.memory_gb[device, cut],
        )


def cut_table(
    profiles: Sequence[DNNProfile],
    device_types: Int[np.ndarray, "devices"],
    *,
    cycles_per_mac: float,
    device_memory_factor: float,
    server_memory_factor: float,
    processors: Processors | None = None,
) -> CutTable:
    """Returns the table of devices with these DNNs.

    Args:
        profiles: the DNN types.
        device_types: the index into `profiles` of each device.
        cycles_per_mac: processor cycles of a multiply-accumulate.
        device_memory_factor: the cost of a byte of parameters at the device.
        server_memory_factor: the cost of a byte of parameters at the server.
        processors: the devices whose measured times are the work; None to count multiply-accumulates.
    """

    def memory_of(profile: DNNProfile) -> Float[np.ndarray, "cuts"]:
        return memory_gb(profile, device_memory_factor=device_memory_factor, server_memory_factor=server_memory_factor)

    def rows(of_profile: Callable[[DNNProfile], Float[np.ndarray, "cuts"]]) -> Float[np.ndarray, "devices cuts"]:
        cuts = 1 + max(profiles[int(k)].num_layers for k in device_types)  # a longer DNN may have no device
        return by_type(of_profile(p) for p in profiles)[device_types, :cuts]

    def local_of(profile: DNNProfile) -> Float[np.ndarray, "cuts"]:
        return processors.local_gcycles([profile])[0] if processors else cycles_per_mac * profile.local_gmacs

    def server_of(profile: DNNProfile) -> Float[np.ndarray, "cuts"]:
        return processors.edge_gcycles([profile])[0] if processors else cycles_per_mac * profile.edge_gmacs

    return CutTable(
        local_gcycles=rows(local_of),
        server_gcycles=rows(server_of),
        sent_mbit=rows(lambda p: p.cut_mbit),
        memory_gb=rows(memory_of),
    )


def memory_gb(
    profile: DNNProfile, *, device_memory_factor: float, server_memory_factor: float
) -> Float[np.ndarray, "cuts"]:
    """Returns the memory in GB that a DNN occupies on both sides together, for each cut.

    Paper: LyMDO Eq. (6).
    Differs: the largest tensor of a side is the largest output of its layers, 0 where it has none.
    """
    # A running maximum over layers 1 to cut, and one from the last layer backwards over the layers after the cut.
    outputs = [0.0, *profile.output_mbit, 0.0]
    largest = np.maximum.accumulate(outputs[:-1]) + np.maximum.accumulate(outputs[:0:-1])[::-1]
    parameters = (
        device_memory_factor * profile.local_parameter_mbyte + server_memory_factor * profile.edge_parameter_mbyte
    )
    return (parameters + largest / 8.0) / 1e3
