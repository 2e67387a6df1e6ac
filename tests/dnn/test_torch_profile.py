"""Odd modules become sensible profiles; `test_torch_networks` has the well-known ones."""

import pytest

from vec_envs.dnn import DNNProfile

torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional

WORKLOADS = ("mad2rl", "mad2rl-literal", "rtd")


class Functional(nn.Module):
    """The same kinds of work written without modules."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8, 3, 3, 3))
        self.matrix = nn.Parameter(torch.zeros(8, 10))

    def forward(self, x, mask=None, size=(2, 2)):
        x = functional.conv2d(x, self.weight, padding=1).relu()
        if mask is not None:
            x = x * mask
        x = functional.avg_pool2d(x, size)
        x = x.mean((2, 3))
        return x @ self.matrix


class Siamese(nn.Module):
    """One convolution used twice in a row."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return self.conv(self.conv(x))


class WaitingWeight(nn.Module):
    """Its scale is computed before anything else and used last."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.scale = nn.Linear(4, 3), nn.Linear(3, 2), nn.Parameter(torch.zeros(2))

    def forward(self, x):
        scale = self.scale.exp()
        return self.second(self.first(x)) * scale


class CheckedWeight(WaitingWeight):
    """A check reads the scale as well, and its result is not used."""

    def forward(self, x):
        scale = self.scale.exp()
        scale.sum()
        return self.second(self.first(x)) * scale


class TwoOutputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.left, self.right = nn.Linear(6, 5), nn.Linear(5, 3), nn.Linear(5, 2)

    def forward(self, x):
        x = self.stem(x).relu()
        return self.left(x), self.right(x)


class DependsOnData(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def profile_of(module, shape, workload="mad2rl"):
    return DNNProfile.from_torch(module, torch.zeros(1, *shape), name="odd", workload=workload)


def stored_parameters(profile):
    return round(profile.local_parameter_mbyte[-1] * 1e6 / 4, 6)


def test_a_cut_sends_the_tensor_that_the_module_passes_on():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 7 * 7, 5))
    profile = DNNProfile.from_torch(module, torch.zeros(1, 3, 16, 16), name="tiny")
    sent = [module[:length](torch.zeros(1, 3, 16, 16)).numel() * 32 / 1e6 for length in (0, 2, 4)]
    assert [layer.name for layer in profile.layers] == ["0", "2", "4"]
    assert profile.cut_mbit.tolist() == [*sent, 0.0]
    assert stored_parameters(profile) == sum(parameter.numel() for parameter in module.parameters())


def test_the_module_is_left_as_it_was():
    pooled = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4))  # no batch of 1 in training
    module = nn.Sequential(*pooled, nn.Dropout(), nn.Flatten(), nn.Linear(4, 2))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    DNNProfile.from_torch(module, torch.randn(1, 3, 8, 8), name="tiny")
    assert module.training
    assert all(part.training for part in module)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert module(torch.randn(2, 3, 8, 8)).device.type == "cpu"


def test_functions_have_the_work_of_equal_modules():
    profile = DNNProfile.from_torch(Functional(), torch.zeros(1, 3, 8, 8), name="functional")
    flops = [2 * 64 * (27 + 1) * 8, 4 * 8 * 16, 16 * 8, 15 * 10]
    assert [layer.gflops for layer in profile.layers] == [count / 1e9 for count in flops]
    assert [layer.parameter_mbyte for layer in profile.layers] == [216 * 4 / 1e6, 0.0, 0.0, 80 * 4 / 1e6]


def test_grouped_and_one_dimensional_convolutions():
    module = nn.Sequential(nn.Conv1d(4, 8, 3, groups=2), nn.AvgPool1d(2), nn.AdaptiveAvgPool1d(1))
    profile = DNNProfile.from_torch(module, torch.zeros(1, 4, 10), name="sound")
    assert [layer.gflops for layer in profile.layers] == [2 * 8 * (2 * 3 + 1) * 8 / 1e9, 2 * 8 * 4 / 1e9, 4 * 8 / 1e9]
    assert profile.layers[0].gmacs == 8 * 2 * 3 * 8 / 1e9


def test_leading_normalisation_folds_into_the_first_layer():
    module = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.Identity())
    profile = DNNProfile.from_torch(module, torch.zeros(1, 3, 5, 5), name="normalised")
    assert profile.num_layers == 1
    assert profile.input_mbit == 75 * 32 / 1e6
    assert profile.layers[0].parameter_mbyte == (6 + 12 + 4) * 4 / 1e6


def test_padding_costs_nothing_and_is_not_sent():
    inside = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 3, padding=2))
    outside = nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.ReflectionPad2d(2), nn.Conv2d(4, 5, 3))
    for workload in WORKLOADS:
        rows = [
            [(layer.gflops, layer.output_mbit) for layer in profile_of(module, (3, 8, 8), workload).layers]
            for module in (inside, outside)
        ]
        assert rows[0] == rows[1]
        assert rows[0][0][1] == 4 * 64 * 32 / 1e6


def test_padding_can_be_one_sided_repeated_or_negative():
    one_sided = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(2, 1))
    assert profile_of(one_sided, (3, 6, 6)).layers[1].gflops == 4 * 4 * 36 / 1e9
    for pads in ([nn.ZeroPad2d(1), nn.ReplicationPad2d(1)], [nn.ZeroPad2d(2)], [nn.ZeroPad2d(3), nn.ZeroPad2d(-1)]):
        module = nn.Sequential(nn.Conv2d(3, 4, 1), *pads, nn.Conv2d(4, 5, 3))
        literal = profile_of(module, (3, 8, 8), "mad2rl-literal")
        assert literal.cut_mbit.tolist() == [192 * 32 / 1e6, 256 * 32 / 1e6, 0.0]
        assert literal.layers[1].gflops == 2 * 64 * (4 * 9 + 1) * 5 / 1e9
    cropped = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ZeroPad2d(-1), nn.Conv2d(4, 5, 1))
    literal = profile_of(cropped, (3, 8, 8), "mad2rl-literal")
    assert literal.layers[0].output_mbit == 4 * 36 * 32 / 1e6
    assert literal.layers[1].gflops == 2 * 36 * 5 * 5 / 1e9


def test_the_kernel_of_an_adaptive_pooling_covers_the_padding():
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ZeroPad2d(1), nn.AdaptiveAvgPool2d(2))
    for workload, gflops in (("rtd", 25 * 4 * 4 / 1e9), ("mad2rl-literal", 2 * 64 * (4 * 25 + 1) * 4 / 1e9)):
        assert profile_of(module, (3, 8, 8), workload).layers[1].gflops == gflops


@pytest.mark.parametrize("last", [nn.ZeroPad2d(1), nn.Upsample(scale_factor=2)])
def test_upsampling_folds_into_the_last_layer(last):
    profile = profile_of(nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 1), nn.ReLU(), last, nn.ReLU()), (3, 6, 6))
    assert [layer.name for layer in profile.layers] == ["1"]
    assert profile.output_mbit[-1] == last(torch.zeros(1, 4, 6, 6)).numel() * 32 / 1e6


def test_upsampling_is_done_after_the_cut():
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(4, 2, 1))
    profile = profile_of(module, (3, 6, 6))
    assert profile.cut_mbit.tolist() == [108 * 32 / 1e6, 144 * 32 / 1e6, 0.0]
    assert profile.layers[1].gmacs == 144 * 4 * 2 / 1e9


def test_a_shared_module_is_stored_once_and_computed_twice():
    profile = DNNProfile.from_torch(Siamese(), torch.zeros(1, 4, 6, 6), name="siamese")
    first, second = profile.layers
    assert first.gflops == second.gflops > 0
    assert (first.parameter_mbyte, second.parameter_mbyte) == ((4 * 36 + 4) * 4 / 1e6, 0.0)


@pytest.mark.parametrize("module", [WaitingWeight, CheckedWeight])
def test_a_weight_that_is_used_later_prevents_no_cut(module):
    profile = DNNProfile.from_torch(module(), torch.zeros(1, 4), name="waiting")
    assert [layer.name for layer in profile.layers] == ["first", "second"]
    assert stored_parameters(profile) == 15 + 8 + 2


def test_there_is_no_cut_inside_a_fork():
    profile = DNNProfile.from_torch(TwoOutputs(), torch.zeros(1, 6), name="fork")
    assert [layer.name for layer in profile.layers] == ["stem", "left-right"]
    assert [layer.output_mbit for layer in profile.layers] == [5 * 32 / 1e6, 5 * 32 / 1e6]


def test_work_of_unknown_shape_takes_torchs_count():
    module = nn.Sequential(nn.ConvTranspose2d(3, 5, 2, stride=2), nn.Conv2d(5, 1, 1))
    for workload in WORKLOADS:
        profile = DNNProfile.from_torch(module, torch.zeros(1, 3, 4, 4), name="upsampling", workload=workload)
        assert profile.layers[0].gmacs == 16 * 3 * 5 * 4 / 1e9
        assert profile.layers[0].gflops == 2 * profile.layers[0].gmacs


@pytest.mark.parametrize("norm_first", [False, True])
def test_attention_counts_what_torch_counts(norm_first):
    module = nn.Sequential(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first))
    profile = DNNProfile.from_torch(module, torch.zeros(1, 5, 8), name="transformer")
    projections, scores, feedforward = 5 * 8 * 32, 2 * 5 * 5 * 8, 2 * 5 * 8 * 16
    assert profile.local_gmacs[-1] == pytest.approx((projections + scores + feedforward) / 1e9, rel=1e-12)
    assert stored_parameters(profile) == sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3)), (2, 3, 8, 8), "must be one sample, of shape"),
        (nn.Sequential(nn.Conv2d(3, 4, 3)), (1,), "must be one sample, of shape"),
        (nn.Sequential(nn.Conv2d(3, 4, 3)), (1, 5, 8, 8), r"cannot be run on an input of shape \(1, 5, 8, 8\): .+$"),
        (DependsOnData(), (1, 3), "cannot be traced by torch.fx"),
        (nn.Sequential(nn.ReLU(), nn.Flatten()), (1, 3, 8, 8), "no convolution, pooling or matrix product"),
    ],
)
def test_unsupported_modules_are_refused_with_a_reason(module, shape, message):
    with pytest.raises(ValueError, match=message):
        DNNProfile.from_torch(module, torch.zeros(shape), name="odd")


def test_an_example_that_is_no_tensor_is_refused():
    with pytest.raises(ValueError, match="example_input must be a tensor, got list"):
        DNNProfile.from_torch(nn.Linear(2, 2), [[0.0, 0.0]], name="one")


def test_an_unknown_workload_lists_the_known_ones():
    with pytest.raises(ValueError, match="workload must be one of 'mad2rl', 'mad2rl-literal', 'rtd', got 'guess'"):
        DNNProfile.from_torch(nn.Linear(2, 2), torch.zeros(1, 2), name="one", workload="guess")
