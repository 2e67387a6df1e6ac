"""Deep neural networks that can be cut: profiles of their layers.

`DNNProfile` describes a network as a chain of logical layers, each with its work, its memory and the size of its
output. The costs of a cut after any layer are then entries of arrays. A profile comes from

- the library: `DNNProfile.load("vgg16")`;
- a file: `DNNProfile.read("mine.json")`, which `profile.write("mine.json")` wrote;
- a torch module: `DNNProfile.from_torch(module, example_input, name="mine")`, the only source that needs torch;
- an ONNX file: `DNNProfile.from_onnx("mine.onnx")`, which needs the extra `onnx`;
- your own numbers: `DNNProfile(name="mine", input_mbit=4.8, layers=(Layer(...), ...))`.

Modules, from the lowest to the highest:

- `layer`: the record of one logical layer
- `geometry`: the shapes of convolutions, poolings and matrix products
- `workload`: the work of operations, by each paper's convention
- `documents`: the JSON document of a profile, as files and runs hold it; `profile.schema.json` is its schema
- `segments`: the parts of a network between two possible cuts, and the layers that they make
- `torch_products`, `torch_operations`: the operations of torch code
- `torch_modules`, `torch_residents`, `torch_trace`, `torch_graph`, `torch_failures`: from a module to its graph
- `torch_profile`: the layers of a torch module
- `onnx_model`, `onnx_operations`, `onnx_profile`: the layers of an ONNX file
- `measured`: the record of times on a device
- `exits`: early exits, and their accuracy
- `profile`: the profile of a network
- `choices`: DNN types as users give them, with files and names, for environments and for the options of a run
- `processors`, `latency`: the work of cuts by measured times, and measuring them
- `sources`, `plot`: networks named on a command line, and their pictures, for `python -m vec_envs.dnn`
- `attention`: steps of transformers on sequences of tokens
- `architectures`: the networks of the library, which `python -m vec_envs.dnn.build_library` writes to `library/*.json`
"""

from vec_envs.dnn.exits import EarlyExit
from vec_envs.dnn.latency import measure_latency
from vec_envs.dnn.layer import Layer
from vec_envs.dnn.measured import MeasuredTimes
from vec_envs.dnn.profile import DNNProfile

__all__ = ["DNNProfile", "EarlyExit", "Layer", "MeasuredTimes", "measure_latency"]
