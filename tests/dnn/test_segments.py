"""Merging of segments without counted work, and the names and numbers of the layers that result."""

from __future__ import annotations

from vec_envs.dnn.documents import MOST_CHARACTERS
from vec_envs.dnn.geometry import MatrixProduct
from vec_envs.dnn.segments import Segment, layers_of, merged

PRODUCT = MatrixProduct(in_features=6, out_features=5)


def segment(*counted: str, bits: int, parameter_bytes: float = 4) -> Segment:
    """Returns a segment with a product for each path."""
    return Segment(
        counted=counted, operations=(PRODUCT,) * len(counted), parameter_bytes=parameter_bytes, output_bits=bits
    )


def test_a_segment_without_work_joins_the_neighbour_that_leaves_the_smaller_tensor_to_send() -> None:
    parts = [segment(bits=9), segment("a", bits=4), segment(bits=4), segment(bits=8), segment("b", bits=2)]
    layers = merged([*parts, segment(bits=7)])
    assert [(layer.counted, layer.output_bits, layer.parameter_bytes) for layer in layers] == [
        (("a",), 4, 12),
        (("b",), 7, 12),
    ]


def test_a_network_without_work_has_no_layers() -> None:
    assert layers_of([segment(bits=3), segment(bits=2)], workload="rtd") == layers_of([], workload="rtd") == ()


def test_a_layer_is_named_after_the_module_with_all_its_work_in_a_name_that_a_file_takes() -> None:
    long = "module." * 40
    parts = [segment("net.a.x", "net.a.y", bits=8), segment("b", "c", bits=8), segment(f"{long}x", bits=8)]
    names = [layer.name for layer in layers_of(parts, workload="rtd")]
    assert names == ["net.a", "b-c", long[:MOST_CHARACTERS]]
