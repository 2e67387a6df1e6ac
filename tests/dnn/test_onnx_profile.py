"""Profiles of ONNX files: counted as the same network in torch, and refused by a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")

from tests.dnn.onnx_networks import FILES, NETWORKS  # noqa: E402
from vec_envs.dnn import DNNProfile  # noqa: E402
from vec_envs.dnn.workload import WORKLOADS  # noqa: E402

FLOAT = onnx.TensorProto.FLOAT


def written(
    path: Path,
    nodes: Sequence[Any],
    shape: Sequence[Any],
    weights: dict[str, Any],
    *,
    kind: int = FLOAT,
    out: int = FLOAT,
) -> Path:
    """Writes a model with an input x and an output y."""
    graph = onnx.helper.make_graph(
        list(nodes),
        "graph",
        [onnx.helper.make_tensor_value_info("x", kind, shape)],
        [onnx.helper.make_tensor_value_info("y", out, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("mine", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets), path)
    return path


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    return onnx.helper.make_node(kind, inputs.split(), [output], name=f"/{output}/{kind}", **attributes)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_network_counts_as_in_torch(name: str, workload: str) -> None:
    """The exporter folds a normalisation into its convolution: scale and shift are one bias then."""
    make, shape = NETWORKS[name]
    of_torch = DNNProfile.from_torch(make(), torch.zeros(1, *shape), name=name, workload=workload)
    of_file = DNNProfile.from_onnx(FILES / f"{name}.onnx", workload=workload)
    if name == "branches":
        folded = replace(of_torch.layers[0], name="stem.1", parameter_mbyte=(8 * 27) * 4 / 1e6)
        of_torch = replace(of_torch, layers=(folded, *of_torch.layers[1:]))
    assert of_file == of_torch


def test_operators_that_torch_exports_rarely_are_counted(tmp_path: Path) -> None:
    nodes = [
        node("Reshape", "x shape", "row"),
        node("LSTM", "row w r", "seq", hidden_size=4),
        node("Squeeze", "seq axis", "flat"),
        node("Einsum", "flat m", "ein", equation="sbi,ij->sbj"),
        node("MatMul", "ein v", "y"),
    ]
    weights = {
        "shape": np.array([5, 1, 3]), "axis": np.array([1]), "w": ones(1, 16, 3), "r": ones(1, 16, 4),
        "m": ones(4, 6), "v": ones(6),
    }  # fmt: skip
    profile = DNNProfile.from_onnx(written(tmp_path / "rare.onnx", nodes, (1, 15), weights))
    macs = [5 * (16 * 3 + 16 * 4), 5 * 4 * 6, 5 * 6]
    assert [layer.gmacs for layer in profile.layers] == pytest.approx([1e-9 * of for of in macs])
    assert profile.cut_mbit.tolist() == pytest.approx([15 * 32e-6, 20 * 32e-6, 30 * 32e-6, 0.0])
    assert [layer.parameter_mbyte for layer in profile.layers] == pytest.approx([448e-6, 96e-6, 24e-6])
    assert [layer.name for layer in profile.layers] == ["seq", "ein", "y"]


def test_data_is_sent_in_its_own_type(tmp_path: Path) -> None:
    nodes = [node("ConvInteger", "x w", "wide"), node("Cast", "wide", "half", to=10), node("Conv", "half v", "y")]
    weights = {"w": np.ones((2, 1, 3, 3), np.uint8), "v": np.ones((1, 2, 1, 1), np.float16)}
    path = written(tmp_path / "int8.onnx", nodes, (1, 1, 8, 8), weights, kind=onnx.TensorProto.UINT8, out=10)
    profile = DNNProfile.from_onnx(path)
    assert profile.cut_mbit.tolist() == pytest.approx([64 * 8e-6, 72 * 16e-6, 0.0])
    assert [layer.parameter_mbyte for layer in profile.layers] == pytest.approx([18e-6, 4e-6])


def test_symbolic_sizes_are_given_by_name(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "y")]
    path = written(tmp_path / "symbolic.onnx", nodes, ("batch", 3, "height", "width"), {"w": ones(4, 3, 1, 1)})
    profile = DNNProfile.from_onnx(path, name="mine", sizes={"height": 6, "width": 5})
    assert (profile.name, profile.workload, profile.input_mbit) == ("mine", "mad2rl", 3 * 30 * 32 / 1e6)
    with pytest.raises(ValueError, match=r"axis 2 of the input 'x' has the symbolic size 'height': give it a number"):
        DNNProfile.from_onnx(path)
    with pytest.raises(ValueError, match="sizes has 'depth', which is no symbolic axis"):
        DNNProfile.from_onnx(path, sizes={"height": 6, "width": 5, "depth": 1})
    with pytest.raises(ValueError, match=r"must be one sample, of shape \[1, ...\], got a first axis of 2"):
        DNNProfile.from_onnx(path, sizes={"height": 6, "width": 5, "batch": 2})
    with pytest.raises(ValueError, match=r"sizes\['width'\] must be an integer of at least 1, got 0"):
        DNNProfile.from_onnx(path, sizes={"height": 6, "width": 0})


def test_what_cannot_be_profiled_is_refused_by_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model " * 50)
    with pytest.raises(ValueError, match="must be an ONNX model"):
        DNNProfile.from_onnx(tmp_path / "text.onnx")
    with pytest.raises(FileNotFoundError):
        DNNProfile.from_onnx(tmp_path / "none.onnx")
    with pytest.raises(ValueError, match="must be a regular file, got a folder"):
        DNNProfile.from_onnx(tmp_path)
    path = written(tmp_path / "own.onnx", [node("Warp", "x", "y", domain="mine")], (1, 4), {})
    with pytest.raises(
        ValueError, match=r"operation Warp of the domain 'mine' .* has an output whose shape is not known"
    ):
        DNNProfile.from_onnx(path)
    path = written(tmp_path / "none.onnx", [node("Relu", "x", "y")], (1, 4), {})
    with pytest.raises(ValueError, match="no convolution, pooling or matrix product to count"):
        DNNProfile.from_onnx(path)
    path = written(tmp_path / "misfit.onnx", [node("MatMul", "x w", "y")], (1, 4), {"w": ones(5, 2)})
    with pytest.raises(ValueError, match=r"MatMul .* inputs that do not fit each other"):
        DNNProfile.from_onnx(path)
    body = onnx.helper.make_graph([], "body", [], [])
    path = written(tmp_path / "loop.onnx", [node("Loop", "x x", "y", body=body)], (1, 4), {})
    with pytest.raises(ValueError, match="Loop '/y/Loop' is control flow"):
        DNNProfile.from_onnx(path)
