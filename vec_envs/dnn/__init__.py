"""What is cut: the layer tables of deep neural networks.

`DNNProfile` is a network as a chain of logical layers, each with its work, its memory and the size
of its output, so that cutting the chain after any layer is a look-up in arrays. Profiles come from
the library (`DNNProfile.load`), from a torch module (`DNNProfile.from_torch`) or from your own
numbers. Nothing here needs torch until `from_torch` is called.

`geometry` knows the shapes of convolutions, poolings and matrix products, `workload` counts
their operations the way each paper does, `architectures` writes the library's networks down, and
`python -m vec_envs.dnn.build_library` turns them into `library/*.json`.
"""

from vec_envs.dnn.profile import DNNProfile, Layer

__all__ = ["DNNProfile", "Layer"]
