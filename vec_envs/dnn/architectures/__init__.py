"""The networks of the library, layer by layer.

To add a network, write its layers as (name, step) pairs, add an `Architecture` to `NETWORKS` of a module of this
package, and run `python -m vec_envs.dnn.build_library`.
"""

from __future__ import annotations

from vec_envs.dnn.architectures import branching, chains, detectors, mobile, residual, transformers
from vec_envs.dnn.architectures.architecture import Architecture, NamedSteps

ARCHITECTURES: tuple[Architecture, ...] = tuple(
    sorted(
        (
            *branching.NETWORKS,
            *chains.NETWORKS,
            *detectors.NETWORKS,
            *mobile.NETWORKS,
            *residual.NETWORKS,
            *transformers.NETWORKS,
        ),
        key=lambda architecture: architecture.name,
    )
)
"""All networks of the library, by name."""

__all__ = ["ARCHITECTURES", "Architecture", "NamedSteps"]
