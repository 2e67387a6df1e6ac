"""The library against published totals, hand-worked layers, and the script that makes it."""

import json
import math

import pytest

from vec_envs.dnn import DNNProfile, build_library
from vec_envs.dnn.architectures import ARCHITECTURES, Architecture
from vec_envs.dnn.architectures.residual import bottleneck, original_bottleneck, resnet_layers
from vec_envs.dnn.build_library import LIBRARY, main, render
from vec_envs.dnn.geometry import (
    Convolution,
    MatrixProduct,
    OtherProduct,
    Pooling,
    concatenation,
    convolution,
    gate,
    global_pooling,
    pooling,
    residual,
    sequence,
)
from vec_envs.dnn.workload import WORKLOADS, convention, macs, mad2rl_flops, mad2rl_literal_flops, rtd_flops

NAMES = tuple(architecture.name for architecture in ARCHITECTURES)
CONVOLUTION = Convolution(in_channels=3, out_channels=5, kernel=(7, 7), input_size=(20, 30), output_size=(10, 15))
POOLING = Pooling(channels=4, kernel=(3, 3), input_size=(9, 9), output_size=(4, 4))
AUXILIARY_OF_INCEPTION = (768 * 128 + 2 * 128) + (25 * 128 * 768 + 2 * 768) + 769 * 1000
"""Parameters of the auxiliary classifier: two convolutions with normalisations, and a fully connected layer."""
PRODUCT = MatrixProduct(in_features=6, out_features=5)


def resnet152(block):
    layers = resnet_layers(block, (3, 8, 36, 3))
    return Architecture(name="resnet152", sources=(), input_shape=(3, 224, 224), layers=layers)


def total(architecture, count):
    return sum(count(operation) for _, stage in architecture.stages() for operation in stage.operations)


@pytest.mark.parametrize(
    ("name", "layers", "gmacs", "parameters"),
    [
        # Tables of weights of torchvision 0.28: "_ops", in units of 1e9, and "num_params".
        ("alexnet", 11, "0.714", 61_100_840),
        ("densenet121", 68, "2.834", 7_978_856),
        ("efficientnetb0", 40, "0.386", 5_288_548),
        ("inceptionv3", 20, "5.713", 27_161_264 - AUXILIARY_OF_INCEPTION),
        ("mobilenetv2", 34, "0.301", 3_504_872),
        ("mobilenetv3large", 33, "0.217", 5_483_032),
        ("resnet18", 12, "1.814", 11_689_512),
        ("resnet34", 20, "3.664", 21_797_672),
        ("resnet50", 20, "4.089", 25_557_032),
        ("resnet101", 37, "7.801", 44_549_160),
        ("resnet152", 54, "11.514", 60_192_808),
        ("squeezenet11", 22, "0.349", 1_235_496),
        ("vgg16", 21, "15.47", 138_357_544),
        ("vgg19", 24, "19.632", 143_667_240),
        ("vitb16", 26, "17.564", 86_567_656),
        # Table 4 of the paper: 569 million multiply-adds, 4.2 million parameters.
        ("mobilenetv1", 29, "0.569", "4.2"),
        # Open Model Zoo, googlenet-v1: 6.999 million parameters. Work: see the test of its modules.
        ("googlenet", 18, None, "6.999"),
        # OpenAI's repository: the "124M" model. The count is that of its published weights.
        ("gpt2prefill", 25, None, 124_439_808),
        ("gpt2decode", 25, None, 124_439_808),
        # transformers' bert-base-uncased with its pooler, "110M" in the paper. Work: see the test of transformers.
        ("bertbase", 25, None, 109_482_240),
        # Configuration of Ultralytics: "YOLOv8n summary: ... 3157200 parameters". Work: see its test.
        ("yolov8n", 10, None, 3_157_200),
        # Logs of training: "YOLOv5n summary: ... 1872157 parameters, 1872157 gradients". Work: see the test of YOLO.
        ("yolov5n", 8, None, 1_872_157),
        # Work as Darknet's pages print it, parameters from the size of the weights file: see the test of tiny YOLO.
        ("tinyyolov2", 15, "3.486", 15_861_773),
        ("tinyyolov3", 10, "2.782", 8_852_366),
        # No source for these totals: they are this library's. See the tests of LeNet's layers and of NIN's snapshot.
        ("nin", 16, "1.100", 7_595_176),
        ("lenet5", 7, "0.000417", 61_706),
    ],
)
def test_published_totals(name, layers, gmacs, parameters):
    profile = DNNProfile.load(name)
    count = round(profile.local_parameter_mbyte[-1] * 1e6 / 4, 3)
    assert profile.num_layers == layers
    if gmacs is not None:
        assert as_printed(profile.local_gmacs[-1], gmacs) == gmacs
    if isinstance(parameters, str):
        assert as_printed(count / 1e6, parameters) == parameters
    else:
        assert count == parameters


def as_printed(number, like):
    """Returns a number with as many decimals as a text."""
    return f"{number:.{len(like.partition('.')[2])}f}"


def test_every_network_has_a_published_total():
    (table,) = (mark.args[1] for mark in test_published_totals.pytestmark)
    assert sorted(row[0] for row in table) == list(DNNProfile.library())


def test_lenet_has_the_parameters_of_its_paper():
    """Section II.B gives trainable parameters of C1, C5 and F6, and connections of C1, biases included."""
    parameters = {layer.name: round(layer.parameter_mbyte * 1e6 / 4) for layer in DNNProfile.load("lenet5").layers}
    assert (parameters["c1"], parameters["c5"], parameters["f6"]) == (156, 48_120, 10_164)
    assert DNNProfile.load("lenet5").layers[0].gmacs * 1e9 + 6 * 28**2 == pytest.approx(122_304)


def test_the_modules_of_googlenet_have_the_work_of_its_paper():
    """Table 1, column ops, in millions. Its 54 for 5a do not fit its own widths, and are left out."""
    published = {"3a": 128, "3b": 304, "4a": 73, "4b": 88, "4c": 100, "4d": 119, "4e": 170, "5b": 71}
    counted = {layer.name: 1e3 * layer.gmacs for layer in DNNProfile.load("googlenet").layers}
    assert {name: counted[f"inception{name}"] for name in published} == pytest.approx(published, rel=0.01)


def test_googlenet_is_as_large_as_its_snapshot():
    """The published bvlc_googlenet.caffemodel has 53,533,754 bytes, with two auxiliary classifiers and names."""
    auxiliary = [(width + 1) * 128 + 2049 * 1024 + 1025 * 1000 for width in (512, 528)]
    size = DNNProfile.load("googlenet").local_parameter_mbyte[-1] * 1e6 + 4 * sum(auxiliary)
    assert size < 53_533_754 < 1.001 * size


def test_transformers_have_the_work_that_is_published():
    """BERT-base: Open Model Zoo has 22.3874 GOps for bert-base-ner at 128 tokens, 2 a multiply-accumulate.

    GPT-2: Section 2.1 of "Scaling laws" (arXiv:2001.08361) has 12 blocks features^2 multiply-accumulates a token in the
    layers with parameters. Added here are the product with the table of words, and in each block 2 features for each
    pair of tokens: the products with the keys and with the values.
    """
    assert 2 * DNNProfile.load("bertbase").local_gmacs[-1] == pytest.approx(22.3874, rel=0.002)
    per_token, scores = 12 * 12 * 768**2, 50257 * 768
    for name, tokens, pairs in (("gpt2prefill", 128, 128**2), ("gpt2decode", 1, 129)):
        work = tokens * per_token + 12 * 2 * 768 * pairs + scores
        assert DNNProfile.load(name).local_gmacs[-1] == pytest.approx(work / 1e9, rel=1e-12)


@pytest.mark.parametrize(("name", "flops"), [("yolov5n", "4.5"), ("yolov8n", "8.7")])
def test_yolo_has_the_work_that_is_published(name, flops):
    """The tables of Ultralytics, of YOLOv5's release 6.0 and of YOLOv8: B FLOPs at 640 pixels, 2 for each MAC."""
    assert as_printed(2 * DNNProfile.load(name).local_gmacs[-1], flops) == flops


def test_yolov5n_detects_at_three_scales_as_its_release_says():
    """Logs of its export: "output shape (1, 25200, 85)", 3 boxes for each of 80^2 + 40^2 + 20^2 cells."""
    assert DNNProfile.load("yolov5n").output_mbit[-1] * 1e6 / 32 == pytest.approx(25_200 * 85)


@pytest.mark.parametrize(
    ("name", "bflops", "header", "more_widths", "size"),
    [
        ("tinyyolov2", 6.97, 16, (1024,), 63_471_556),
        ("tinyyolov3", 5.56, 20, (256, 512, 128, 256), 35_434_956),
    ],
)
def test_tiny_yolo_is_as_large_as_darknet_says(name, bflops, header, more_widths, size):
    """The FLOPS of https://pjreddie.com/darknet/yolov2 and /yolo, in 1e9, are 2 a multiply-accumulate.

    A weights file has a header. For each channel of a normalisation it also holds a running mean and a running
    variance, which are not learned.
    """
    profile = DNNProfile.load(name)
    normalised = sum((16, 32, 64, 128, 256, 512, 1024, *more_widths))
    assert 2 * profile.local_gmacs[-1] == pytest.approx(bflops, abs=0.005)
    assert round(profile.local_parameter_mbyte[-1] * 1e6) + 4 * 2 * normalised + header == size


def test_nin_is_as_large_as_its_snapshot():
    """The list of models of Caffe calls NIN-Imagenet "a small(29MB) model"."""
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
        ("efficientnetb0", "block2.squeeze", "rtd", (56**2 * 96 + 96 * 4 + 4 * 96) / 1e9),
        ("squeezenet11", "fire2.expand", "rtd", 55 * 55 * 64 * (16 + 16 * 17) / 1e9),
        ("densenet121", "transition1.pool", "rtd", 4 * 28 * 28 * 128 / 1e9),
        ("vitb16", "block2.mlp", "mad2rl", 197 * (1535 * 3072 + 6143 * 768) / 1e9),
        (
            *("gpt2decode", "block2.attention", "mad2rl"),
            (1535 * 3 * 768 + 12 * (127 * 129 + 257 * 64) + 1535 * 768) / 1e9,
        ),
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
    only_products = name in ("bertbase", "gpt2decode", "gpt2prefill")  # for which all conventions have one formula
    assert len({profile.local_gflops[-1] for profile in profiles}) == (1 if only_products else len(profiles))
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


def test_check_finds_missing_and_changed_files(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(build_library, "ARCHITECTURES", [a for a in ARCHITECTURES if a.name in ("nin", "vgg16")])
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


def test_branches_join_their_channels_and_a_gate_keeps_the_shape():
    joined = concatenation(sequence(), convolution(5, 3, padding=1), pooling(3, stride=1, padding=1))((4, 6, 6))
    assert joined.output_shape == (4 + 5 + 4, 6, 6)
    assert (len(joined.operations), joined.parameters) == (2, 5 * (4 * 9 + 1))
    gated = gate(sequence(global_pooling(), convolution(4, 1)))((4, 6, 6))
    assert (gated.output_shape, gated.parameters) == ((4, 6, 6), 20)


@pytest.mark.parametrize("padding", ["same", 0])
def test_a_kernel_may_differ_by_axis(padding):
    stage = convolution(5, (1, 7), padding=padding, bias=False)((3, 9, 9))
    assert stage.output_shape == (5, 9, 9 if padding == "same" else 3)
    assert stage.parameters == 5 * 3 * 7


def test_steps_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="branches must have the same height and width, got 4x6x6, 4x3x3"):
        concatenation(sequence(), pooling(2, stride=2))((4, 6, 6))
    with pytest.raises(ValueError, match="kernel of 5 does not fit into 3 values with padding 0"):
        sequence(pooling(2, stride=2), convolution(4, 5))((3, 6, 6))
    with pytest.raises(ValueError, match="must have the body's output shape, 8x3x3; got 8x6x6"):
        residual(convolution(8, 2, stride=2), stride=1)((4, 6, 6))
