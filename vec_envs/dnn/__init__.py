"""Deep neural networks that can be cut: profiles of their layers.

`DNNProfile` describes a network as a chain of logical layers, each with its work, its memory and the size of its
output. The costs of a cut after any layer are then entries of arrays. A profile comes from

- the library: `DNNProfile.load("vgg16")`;
- a torch module: `DNNProfile.from_torch(module, example_input, name="mine")`, the only source that needs torch;
- your own numbers: `DNNProfile(name="mine", input_mbit=4.8, layers=(Layer(...), ...))`.

Modules, from the lowest to the highest:

- `layer`: the record of one logical layer
- `geometry`: the shapes of convolutions, poolings and matrix products
- `workload`: the work of operations, by each paper's convention
- `torch_products`, `torch_operations`: the operations of torch code
- `torch_modules`, `torch_residents`, `torch_trace`, `torch_graph`, `torch_failures`: from a module to its graph
- `torch_profile`: the layers of a torch module
- `profile`: the profile of a network
- `architectures`: the networks of the library, which `python -m vec_envs.dnn.build_library` writes to `library/*.json`
"""

from vec_envs.dnn.layer import Layer
from vec_envs.dnn.profile import DNNProfile

__all__ = ["DNNProfile", "Layer"]
