"""The work of each cut on both sides: counted operations, or times that were measured on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from vec_envs.dnn.profile import DNNProfile, by_type
from vec_envs.validation import shown

Table = Float[np.ndarray, "types cuts"]


@dataclass(frozen=True, kw_only=True)
class Processors:
    """The devices on whose measured times an environment runs.

    A layer takes its measured seconds at the reference speed, and half of them at twice that speed. So its work in
    Gcycles is these seconds times the reference speed in GHz.
    """

    local: str
    """The device of the vehicle that has the task."""
    edge: str
    """The device of the roadside unit."""
    local_ghz: float
    edge_ghz: float

    def local_gcycles(self, profiles: Sequence[DNNProfile]) -> Table:
        """Returns the work of layers 1..c on the vehicle, by DNN type and cut c; short rows end in zeros."""
        return by_type(self.local_ghz * np.cumsum([0.0, *profile.layer_s(self.local)]) for profile in profiles)

    def edge_gcycles(self, profiles: Sequence[DNNProfile]) -> Table:
        """Returns the work of layers c+1..L on the edge, by DNN type and cut c; short rows end in zeros."""
        return by_type(
            self.edge_ghz * np.cumsum([0.0, *reversed(profile.layer_s(self.edge))])[::-1] for profile in profiles
        )


def as_processors(
    devices: Any, profiles: Sequence[DNNProfile], *, local_ghz: float, edge_ghz: float
) -> Processors | None:
    """Returns the processors of an environment; None where it counts operations instead.

    Args:
        devices: The names of the device of the vehicle and of that of the roadside unit; empty to count operations.
        profiles: The DNN types, each with measured times on both devices.
        local_ghz: The speed of the vehicle's processor at which it takes the measured times.
        edge_ghz: That of the roadside unit's processor.

    Raises:
        ValueError: There is another number of devices, or a DNN type has no measured times on one of them.
    """
    if not isinstance(devices, tuple | list) or len(devices) not in (0, 2):  # pyright: ignore[reportUnknownArgumentType]
        raise ValueError(
            "processors must be empty, or name two devices with measured times, of the vehicle and of the roadside "
            f"unit, got {shown(devices)}"
        )
    if not devices:
        return None
    local, edge = devices  # pyright: ignore[reportUnknownVariableType]
    for profile in profiles:
        known = [times.device for times in profile.measured]
        for device in (local, edge):  # pyright: ignore[reportUnknownVariableType]
            if device not in known:
                raise ValueError(
                    f"processors names {shown(device)}, on which {profile.name!r} was not measured; "
                    f"it was measured on {', '.join(map(repr, known)) or 'no device'}"
                )
    return Processors(local=str(local), edge=str(edge), local_ghz=float(local_ghz), edge_ghz=float(edge_ghz))  # pyright: ignore[reportUnknownArgumentType]


def work_by_cut(profiles: Sequence[DNNProfile], processors: Processors | None) -> tuple[Table, Table]:
    """Returns the work of each cut on the vehicle and on the edge, in Gcycles; short rows end in zeros.

    Without processors, an operation takes a cycle.
    """
    if processors is None:
        return by_type(p.local_gflops for p in profiles), by_type(p.edge_gflops for p in profiles)
    return processors.local_gcycles(profiles), processors.edge_gcycles(profiles)
