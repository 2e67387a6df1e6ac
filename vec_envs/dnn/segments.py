"""Segments of a network, which are the parts of its graph between two possible cuts, and the layers that they make.

A segment without counted work, such as an activation, a normalisation or a flattening, is merged into a neighbour:

- into the layer before it, in general;
- into the layer after it at the start of the network, and where it makes the tensor larger (padding, nearest
  upsampling), because the smaller tensor is the better one to send.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

from vec_envs.dnn.documents import MOST_CHARACTERS
from vec_envs.dnn.geometry import Operation
from vec_envs.dnn.layer import Layer
from vec_envs.dnn.workload import layer_of


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a graph between two cuts. `counted` holds the paths of the modules that did its operations."""

    counted: tuple[str, ...]
    operations: tuple[Operation, ...]
    parameter_bytes: float
    """Memory of the parameters in bytes; two values of 4 bits take one byte."""
    output_bits: int

    @property
    def name(self) -> str:
        """The path of the innermost module that did all the work, or the paths of the first and the last module."""
        levels = zip(*(path.split(".") for path in self.counted), strict=False)
        shared = takewhile(lambda level: len(set(level)) == 1, levels)
        name = ".".join(level[0] for level in shared) or f"{self.counted[0]}-{self.counted[-1]}"
        return name[:MOST_CHARACTERS]

    def ends_before(self, other: Segment) -> bool:
        """Returns whether the next segment, `other`, starts a new layer."""
        enlarges = other.output_bits > self.output_bits
        return bool(self.operations) and (bool(other.operations) or enlarges)

    def join(self, other: Segment) -> Segment:
        """Returns this segment, followed by `other`, as one segment."""
        return Segment(
            counted=self.counted + other.counted,
            operations=self.operations + other.operations,
            parameter_bytes=self.parameter_bytes + other.parameter_bytes,
            output_bits=other.output_bits,
        )


def layers_of(segments: Iterable[Segment], *, workload: str) -> tuple[Layer, ...]:
    """Returns the logical layers of a network; empty where no segment has counted work.

    Args:
        segments: The segments of its graph, in order.
        workload: How work is counted, one of `vec_envs.dnn.workload.WORKLOADS`.
    """
    layers = merged(segments)
    if not any(segment.operations for segment in layers):
        return ()
    return tuple(
        layer_of(
            segment.name,
            segment.operations,
            output_bits=segment.output_bits,
            parameter_bytes=segment.parameter_bytes,
            workload=workload,
        )
        for segment in layers
    )


def merged(segments: Iterable[Segment]) -> list[Segment]:
    """Returns segments that each have counted work, if any has: merges those without it into a neighbour."""
    layers: list[Segment] = []
    for segment in segments:
        if layers and not layers[-1].ends_before(segment):
            layers[-1] = layers[-1].join(segment)
        else:
            layers.append(segment)
    if len(layers) > 1 and not layers[-1].operations:
        layers[-2:] = [layers[-2].join(layers[-1])]
    return layers
