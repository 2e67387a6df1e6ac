"""A network of the library: its layers by name, its input and its sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from vec_envs.dnn.geometry import Shape, Stage, Step

NamedSteps: TypeAlias = tuple[tuple[str, Step], ...]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network as named logical layers, with the sources of its layers and shapes."""

    name: str
    sources: tuple[str, ...]
    input_shape: Shape
    layers: NamedSteps

    def stages(self) -> tuple[tuple[str, Stage], ...]:
        """Returns the name and the stage of each layer, at the network's input shape."""
        stages: list[tuple[str, Stage]] = []
        shape = self.input_shape
        for name, step in self.layers:
            stage = step(shape)
            stages.append((name, stage))
            shape = stage.output_shape
        return tuple(stages)
