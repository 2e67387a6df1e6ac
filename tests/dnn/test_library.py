"""The library against published totals, hand-worked layers, and the script that makes it."""

import json
import math

import pytest

from vec_envs.dnn import DNNProfile
from vec_envs.dnn.architectures import (
    ARCHITECTURES,
    Architecture,
    bottleneck,
    original_bottleneck,
    resnet_layers,
)
from vec_envs.dnn.build_library import LIBRARY, main, render
from vec_envs.dnn.geometry import (
    Convolution,
    MatrixProduct,
    OtherProduct,
    Pooling,
    convolution,
    pooling,
    residual,
    sequence,
)
from vec_envs.dnn.workload import WORKLOADS, convention, macs, mad2rl_flops, mad2rl_literal_flops, rtd_flops

NAMES = tuple(architecture.name for architecture in ARCHITECTURES)
CONVOLUTION = Convolution(in_channels=3, out_channels=5, kernel=(7, 7), input_size=(20, 30), output_size=(10, 15))
POOLING = Pooling(channels=4, kernel=(3, 3), input_size=(9, 9), output_size=(4, 4))
PRODUCT = MatrixProduct(in_features=6, out_features=5)


def resnet152(block):
    layers = resnet_layers(block, (3, 8, 36, 3))
    return Architecture(name="resnet152", sources=(), input_shape=(3, 224, 224), layers=layers)


def total(architecture, count):
    return sum(count(operation) for _, stage in architecture.stages() for operation in stage.operations)


@pytest.mark.parametrize(
    ("name", "layers", "gmacs", "million_parameters"),
    [
        ("alexnet", 11, 0.714, 61.10),
        ("mobilenetv2", 34, 0.301, 3.50),
        ("nin", 16, 1.100, 7.60),
        ("resnet18", 12, 1.814, 11.69),
        ("resnet50", 20, 4.089, 25.56),
        ("tinyyolov2", 15, 3.486, 15.86),
        ("vgg16", 21, 15.47, 138.36),
    ],
)
def test_published_totals(name, layers, gmacs, million_parameters):
    profile = DNNProfile.load(name)
    assert profile.num_layers == layers
    assert profile.local_gmacs[-1] == pytest.approx(gmacs, abs=0.0005 if gmacs < 10 else 0.005)
    assert profile.local_parameter_mbyte[-1] / 4 == pytest.approx(million_parameters, abs=0.005)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("alexnet", 61_100_840),
        ("mobilenetv2", 3_504_872),
        ("nin", 7_595_176),
        ("resnet18", 11_689_512),
        ("resnet50", 25_557_032),
        ("tinyyolov2", 15_861_773),
        ("vgg16", 138_357_544),
    ],
)
def test_parameter_counts_are_exact(name, parameters):
    assert round(DNNProfile.load(name).local_parameter_mbyte[-1] * 1e6 / 4, 3) == parameters


def test_tiny_yolo_is_as_large_as_darknet_says():
    """By its printed BFLOPs (2 a multiply-accumulate) and its weights file (a header of 16 bytes; per channel
    of a normalisation also a running mean and a running variance, which are not learned)."""
    profile = DNNProfile.load("tinyyolov2")
    normalised = 16 + 32 + 64 + 128 + 256 + 512 + 1024 + 1024
    assert 2 * profile.local_gmacs[-1] == pytest.approx(6.97, abs=0.005)
    assert round(profile.local_parameter_mbyte[-1] * 1e6) + 4 * 2 * normalised + 16 == 63_471_556


def test_nin_is_as_large_as_its_snapshot():
    assert DNNProfile.load("nin").local_parameter_mbyte[-1] * 1e6 / 2**20 == pytest.approx(29, abs=0.05)


@pytest.mark.parametrize(("block", "gflop"), [(bottleneck, 23.07), (original_bottleneck, 22.61)])
def test_resnet152_confirms_the_reading_at_the_output_size(block, gflop):
    network = resnet152(block)
    assert total(network, mad2rl_flops) / 1e9 == pytest.approx(gflop, abs=0.005)
    assert total(network, mad2rl_literal_flops) / 1e9 > 1.3 * gflop
    assert sum(stage.parameters for _, stage in network.stages()) == 60_192_808
    assert len(network.layers) == 54


@pytest.mark.parametrize(
    ("count", "convolution_flops", "pooling_flops"),
    [
        (mad2rl_flops, 2 * 10 * 15 * (3 * 49 + 1) * 5, 9 * 4 * 16),
        (mad2rl_literal_flops, 2 * 20 * 30 * (3 * 49 + 1) * 5, 2 * 81 * (4 * 9 + 1) * 4),
        (rtd_flops, 3 * 97 * 10 * 15 * 5, 9 * 4 * 16),
        (macs, 3 * 49 * 10 * 15 * 5, 0),
    ],
)
def test_work_conventions_match_hand_computed_values(count, convolution_flops, pooling_flops):
    assert count(CONVOLUTION) == convolution_flops
    assert count(POOLING) == pooling_flops
    assert count(PRODUCT) == (30 if count is macs else 11 * 5)
    assert count(OtherProduct(macs=7)) == (7 if count is macs else 14)


def test_groups_and_positions_scale_the_work():
    grouped = Convolution(in_channels=6, out_channels=6, kernel=(3, 3), input_size=(4, 4), output_size=(4, 4), groups=6)
    assert mad2rl_flops(grouped) == 2 * 16 * (9 + 1) * 6
    assert rtd_flops(grouped) == 17 * 16 * 6
    assert macs(grouped) == 9 * 16 * 6
    tokens = MatrixProduct(in_features=6, out_features=5, positions=3)
    assert [count(tokens) for count in WORKLOADS.values()] == [3 * 55] * 3


@pytest.mark.parametrize(
    ("name", "layer", "workload", "gflops"),
    [
        ("alexnet", "conv1", "mad2rl", 2 * 55 * 55 * (3 * 121 + 1) * 64 / 1e9),
        ("alexnet", "conv1", "mad2rl-literal", 2 * 224 * 224 * (3 * 121 + 1) * 64 / 1e9),
        ("alexnet", "pool5", "rtd", 9 * 256 * 36 / 1e9),
        ("vgg16", "fc6", "rtd", (2 * 25088 - 1) * 4096 / 1e9),
        ("resnet18", "layer2.0", "rtd", 28 * 28 * 128 * (64 * 17 + 128 * 17 + 64) / 1e9),
        ("resnet18", "avgpool", "mad2rl", 49 * 512 / 1e9),
        ("resnet50", "layer2.1", "rtd", 28 * 28 * (512 * 128 + 128 * 17 * 128 + 128 * 512) / 1e9),
        ("nin", "conv1", "rtd", 3 * 241 * 54 * 54 * 96 / 1e9),
        ("nin", "cccp8", "rtd", 1024 * 1 * 6 * 6 * 1000 / 1e9),
        ("nin", "pool1", "rtd", 9 * 96 * 27 * 27 / 1e9),
        ("nin", "pool4", "rtd", 36 * 1000 / 1e9),
        ("nin", "pool3", "mad2rl-literal", 2 * 13 * 13 * (384 * 9 + 1) * 384 / 1e9),
        ("tinyyolov2", "conv2", "rtd", 16 * 17 * 208 * 208 * 32 / 1e9),
        ("tinyyolov2", "conv9", "rtd", 1024 * 1 * 13 * 13 * 125 / 1e9),
        ("tinyyolov2", "conv9", "mad2rl", 2 * 13 * 13 * (1024 + 1) * 125 / 1e9),
        ("tinyyolov2", "pool6", "rtd", 4 * 512 * 13 * 13 / 1e9),
        ("tinyyolov2", "pool6", "mad2rl-literal", 2 * 13 * 13 * (512 * 4 + 1) * 512 / 1e9),
        ("mobilenetv2", "block2.depthwise", "rtd", 17 * 56 * 56 * 96 / 1e9),
        ("mobilenetv2", "block3", "rtd", 56 * 56 * (24 * 144 + 17 * 144 + 144 * 24) / 1e9),
        ("mobilenetv2", "fc", "rtd", (2 * 1280 - 1) * 1000 / 1e9),
    ],
)
def test_layers_match_hand_computed_values(name, layer, workload, gflops):
    row = next(row for row in DNNProfile.load(name, workload).layers if row.name == layer)
    assert row.gflops == gflops


def test_sizes_of_the_cuts():
    mbit = DNNProfile.load("tinyyolov2").cut_mbit
    assert mbit[[0, 1, 2, 11, 12, 14, 15]] * 1e6 / 32 == pytest.approx(
        [3 * 416**2, 16 * 416**2, 16 * 208**2, 512 * 169, 512 * 169, 1024 * 169, 0]
    )
    kilobit = DNNProfile.load("alexnet").cut_mbit * 1e3
    values = [3 * 224**2, 64 * 55**2, 64 * 27**2, 192 * 27**2, 192 * 13**2, 384 * 13**2, 256 * 13**2, 256 * 13**2]
    assert kilobit == pytest.approx([32e-3 * count for count in [*values, 256 * 36, 4096, 4096, 0]])


@pytest.mark.parametrize("name", NAMES)
def test_a_convention_changes_work_and_nothing_else(name):
    profiles = [DNNProfile.load(name, workload) for workload in WORKLOADS]
    assert len({profile.local_gflops[-1] for profile in profiles}) == len(profiles)
    for profile in profiles[1:]:
        assert (profile.cut_mbit == profiles[0].cut_mbit).all()
        assert (profile.local_gmacs == profiles[0].local_gmacs).all()


def test_default_workload_is_mad2rl():
    assert DNNProfile.load("vgg16") == DNNProfile.load("vgg16", "mad2rl") != DNNProfile.load("vgg16", "rtd")


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=NAMES)
def test_files_equal_the_output_of_the_build(architecture):
    text = (LIBRARY / f"{architecture.name}.json").read_text(encoding="utf-8")
    assert text == render(architecture)


@pytest.mark.parametrize("name", DNNProfile.library())
def test_files_cite_their_sources_and_name_each_layer_once(name):
    table = json.loads((LIBRARY / f"{name}.json").read_text(encoding="utf-8"))
    layers = [row["name"] for row in table["layers"]]
    assert table["name"] == name
    assert table["sources"]
    assert len(set(layers)) == len(layers)
    assert all(row["output_mbit"] == math.prod(row["output_shape"]) * 32 / 1e6 for row in table["layers"])


def test_check_finds_missing_and_changed_files(tmp_path, capsys):
    assert main(["--check"], library=tmp_path) == 1
    assert main([], library=tmp_path) == 0
    assert main(["--check"], library=tmp_path) == 0
    changed = tmp_path / "vgg16.json"
    changed.write_text(changed.read_text().replace("0.0", "0.1", 1))
    capsys.readouterr()
    assert main(["--check"], library=tmp_path) == 1
    assert capsys.readouterr().err == "these files differ from what the build writes: vgg16.json\n"


def test_an_unknown_convention_lists_the_known_ones():
    with pytest.raises(ValueError, match="workload must be one of 'mad2rl', 'mad2rl-literal', 'rtd', got 'guess'"):
        convention("guess")


def test_an_identity_shortcut_is_free_and_a_projection_counts():
    body = convolution(8, 3, padding=1, batch_norm=True)
    assert residual(body)((8, 5, 5)) == body((8, 5, 5))
    projected = residual(body)((4, 5, 5))
    assert [operation.kernel for operation in projected.operations] == [(3, 3), (1, 1)]
    assert projected.parameters == (8 * 4 * 9 + 16) + (8 * 4 + 16)


def test_steps_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="kernel of 5 does not fit into 3 values with padding 0"):
        sequence(pooling(2, stride=2), convolution(4, 5))((3, 6, 6))
    with pytest.raises(ValueError, match="must have the body's output shape, 8x3x3; got 8x6x6"):
        residual(convolution(8, 2, stride=2), stride=1)((4, 6, 6))
