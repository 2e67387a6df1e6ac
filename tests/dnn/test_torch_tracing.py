"""Modules of many kinds are traced; where nothing helps, the message says where and what to try."""

import copy
from dataclasses import dataclass

import pytest

from tests import annotations
from vec_envs.dnn import DNNProfile

torch = pytest.importorskip("torch")
torch_failures = pytest.importorskip("vec_envs.dnn.torch_failures")
nn, functional = torch.nn, torch.nn.functional


class Scaled(nn.Module):
    """A plain tensor as an attribute, and a constant made in forward."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.scale = nn.Linear(4, 8), nn.Linear(8, 2), torch.ones(8)

    def forward(self, x):
        return self.second(self.first(x) * self.scale + torch.arange(8))


class Fusion(nn.Module):
    """Two inputs, options, and a dictionary as output."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.head = nn.Linear(4, 8), nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, image, lidar, *, flag=False, extra=None):
        return {"y": self.head(self.left(image) + self.right(lidar))}


class OfBatch(nn.Module):
    """One argument, a dictionary."""

    def __init__(self):
        super().__init__()
        self.fusion = Fusion()

    def forward(self, batch):
        return self.fusion(batch["image"], batch["lidar"])


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1, stride=2)
        self.middle = nn.Conv2d(8, 8, 3, padding=1, stride=2)
        self.up1, self.join1 = nn.ConvTranspose2d(8, 8, 2, 2), nn.Conv2d(16, 4, 3, padding=1)
        self.up2, self.join2 = nn.ConvTranspose2d(4, 4, 2, 2), nn.Conv2d(8, 2, 1)

    def forward(self, x):
        x1 = self.down1(x).relu()
        x2 = self.down2(x1).relu()
        y = self.join1(torch.cat([self.up1(self.middle(x2)), x2], 1))
        return self.join2(torch.cat([self.up2(y), x1], 1))


class Sentence(nn.Module):
    """Tokens, positions and a mask; only torch.export follows its branch on a shape."""

    def __init__(self):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(10, 6), nn.Embedding(20, 6)
        self.first, self.head = nn.Linear(6, 6), nn.Linear(6, 10)

    def forward(self, tokens):
        mask = torch.full((tokens.size(1),) * 2, float("-inf")).triu(1) if tokens.size(1) > 1 else 0.0
        x = self.embedding(tokens) + self.positions(torch.arange(tokens.size(1), device=tokens.device))
        x = self.first(x)
        return self.head((x @ x.transpose(1, 2) + mask).softmax(-1) @ x)


class Decoder(nn.Module):
    """Attention to a cache, which the module takes and returns."""

    def __init__(self):
        super().__init__()
        self.layers, self.head = nn.ModuleList([nn.Linear(6, 6) for _ in range(2)]), nn.Linear(6, 10)

    def forward(self, x, cache=None):
        cache, grown = cache or [x[:, :0]] * 2, []
        for layer, past in zip(self.layers, cache, strict=True):
            seen = torch.cat([past, layer(x)], 1)
            grown.append(seen)
            x = x + (x @ seen.transpose(1, 2)).softmax(-1) @ seen
        return self.head(x), grown


@dataclass
class Answer:
    y: torch.Tensor


class Branching(nn.Module):
    """Python code that only torch.export follows, with a dataclass as output."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)})

    def forward(self, x):
        for name in sorted(self.layers):
            if x.shape[1] == 4:
                x = self.layers[name](x)
        return Answer(x)


class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        if self.layer(x).sum() > 0:  # decides by a value
            return x
        return -x


def profile_of(module, example_input, **options):
    return DNNProfile.from_torch(module, example_input, name="net", **options)


def cuts(profile):
    return [layer.name for layer in profile.layers], (profile.cut_mbit * 1e6).round().astype(int).tolist()


ROW = torch.zeros(1, 4)
BOTH = {"image": ROW, "lidar": torch.zeros(1, 6)}


def test_constants_and_plain_tensors_are_neither_sent_nor_moved():
    assert cuts(profile_of(Scaled(), ROW)) == (["first", "second"], [128, 256, 0])
    with torch.device("meta"):
        assert cuts(profile_of(Scaled(), ROW)) == (["first", "second"], [128, 256, 0])


def test_wrappers_are_removed():
    wrapped = nn.Sequential(nn.DataParallel(Scaled()), nn.Linear(2, 3))
    assert cuts(profile_of(nn.DataParallel(wrapped), ROW)) == (["0.first", "0.second", "1"], [128, 256, 64, 0])
    assert isinstance(wrapped[0], nn.DataParallel)


@pytest.mark.slow
def test_compiled_modules_are_unwrapped():
    in_place = Scaled()
    in_place.compile()
    for module in (torch.compile(Scaled()), nn.Sequential(torch.compile(Scaled())), in_place):
        assert profile_of(module, ROW).cut_mbit.tolist() == [128 / 1e6, 256 / 1e6, 0.0]


@pytest.mark.slow
def test_scripts_are_profiled_as_the_modules_they_come_from():
    module, image = (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)),
        torch.zeros(1, 3, 8, 8),
    )
    expected = profile_of(module, image)
    for script in (
        torch.jit.script(module),
        torch.jit.trace(module, image),
        nn.Sequential(torch.jit.script(module[0])),
    ):
        profile = profile_of(script, image)
        assert profile.layers[0] == expected.layers[0]
        assert profile.num_layers == (1 if isinstance(script, nn.Sequential) else 2)


def test_sharded_modules_are_refused_by_name():
    sharded = type("FullyShardedDataParallel", (nn.Linear,), {})
    with pytest.raises(ValueError, match=r"FullyShardedDataParallel in '1' \(FSDP\); profile the module before"):
        profile_of(nn.Sequential(nn.ReLU(), sharded(4, 4)), ROW)


@pytest.mark.parametrize(
    ("module", "example_input", "keywords"),
    [
        (Fusion(), tuple(BOTH.values()), None),
        (Fusion(), BOTH, None),
        (Fusion(), BOTH | {"flag": True}, None),
        (Fusion(), ROW, {"lidar": torch.zeros(1, 6), "extra": "night"}),
        (OfBatch(), BOTH, None),
    ],
)
def test_inputs_are_a_tuple_a_dictionary_or_keywords(module, example_input, keywords):
    profile = profile_of(module, example_input, example_keywords=keywords)
    assert profile.cut_mbit.tolist() == [(4 + 6) * 32 / 1e6, 8 * 32 / 1e6, 0.0]
    assert profile.layers[1].gmacs == 24 / 1e9


@pytest.mark.parametrize(
    ("max_tensors", "names", "bits"),
    [
        (1, ["down1", "down2-up2", "join2"], [6144, 8192, 16384, 0]),
        (2, ["down1", "down2", "middle-up1", "join1", "up2", "join2"], [6144, 8192, 12288, 16384, 10240, 16384, 0]),
    ],
)
def test_a_cut_may_send_several_tensors(max_tensors, names, bits):
    assert cuts(profile_of(UNet(), torch.zeros(1, 3, 8, 8), max_tensors=max_tensors)) == (names, bits)


@pytest.mark.parametrize(
    ("type_of", "activation_bits", "bits"),
    [
        (torch.float32, None, 32),
        (torch.float16, None, 16),
        (torch.bfloat16, None, 16),
        (torch.float64, None, 64),
        (torch.float32, 8, 8),
        (torch.float16, 32, 32),
    ],
)
def test_bits_follow_types_and_what_is_sent(type_of, activation_bits, bits):
    profile = profile_of(Scaled().to(type_of), ROW.to(type_of), activation_bits=activation_bits)
    assert profile.cut_mbit.tolist() == [4 * bits / 1e6, 8 * bits / 1e6, 0.0]
    parameters = 4 * 8 + 8 + 8 * 2 + 2
    assert profile.local_parameter_mbyte[-1] == pytest.approx(parameters * type_of.itemsize / 1e6)


@pytest.mark.slow
def test_tokens_keep_their_type_and_positions_are_not_sent():
    tokens = torch.zeros(1, 5, dtype=torch.long)
    names = ["first", "matmul-matmul_1", "head"]
    assert cuts(profile_of(Sentence(), tokens)) == (names, [5 * 64, 5 * 6 * 32, 5 * 6 * 32, 0])
    assert cuts(profile_of(Sentence(), tokens.int(), activation_bits=8)) == (names, [5 * 32, 5 * 6 * 8, 5 * 6 * 8, 0])


@pytest.mark.slow
def test_a_prompt_and_a_step_of_decoding_are_networks_whose_caches_stay():
    prompt = profile_of(Decoder(), torch.zeros(1, 7, 6), residents=[1])
    cache = [torch.zeros(1, 7, 6) for _ in range(2)]
    step = profile_of(Decoder(), (torch.zeros(1, 1, 6), cache), residents=["cache", 1])
    for profile, tokens in ((prompt, 7), (step, 1)):
        seen = 7 if tokens == 7 else 8
        layer = tokens * 36 + 2 * tokens * seen * 6
        assert profile.input_mbit == tokens * 6 * 32 / 1e6
        assert [round(each.gmacs * 1e9) for each in profile.layers][-1] == tokens * 60
        assert round(profile.local_gmacs[-1] * 1e9) == 2 * layer + tokens * 60
        assert {round(mbit * 1e6) for mbit in profile.cut_mbit[1:-1]} == {tokens * 6 * 32}
    assert [tuple(part.shape) for part in cache] == [(1, 7, 6)] * 2


@pytest.mark.slow
def test_what_only_export_follows_keeps_its_names_and_the_module_as_it_was():
    module = Branching()
    before = copy.deepcopy(module.state_dict())
    profile = profile_of(module, ROW)
    assert cuts(profile) == (["layers.a", "layers.b"], [128, 128, 0])
    assert module.training
    assert all(torch.equal(module.state_dict()[name], value) for name, value in before.items())
    assert not module._forward_hooks


@pytest.mark.slow
def test_containers_of_transformers_are_cut_between_their_layers():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
    profile = profile_of(encoder, torch.zeros(1, 5, 8))
    assert [layer.name.split(".")[1] for layer in profile.layers] == ["0", "0", "1", "1"]
    assert round(profile.local_gmacs[-1] * 1e9) == 2 * (5 * 8 * 32 + 2 * 25 * 8 + 2 * 5 * 8 * 16)


@pytest.mark.slow
def test_a_branch_on_a_value_names_the_operation_the_line_and_what_to_try(monkeypatch):
    not_of_users = (*torch_failures._NO_CODE_OF_USERS, annotations.__file__)  # the check of calls under pytest
    monkeypatch.setattr(torch_failures, "_NO_CODE_OF_USERS", not_of_users)
    with pytest.raises(ValueError, match=r"_local_scalar_dense \(item\(\), or a branch on a tensor\)") as caught:
        profile_of(Deciding(), ROW)
    message = str(caught.value)
    assert f"{__file__}:" in message
    assert "if self.layer(x).sum() > 0:" in message
    assert "Try: decide by a shape" in message


@pytest.mark.parametrize(
    ("module", "example_input", "options", "message"),
    [
        (Scaled(), ROW, {"activation_bits": 4}, "activation_bits must be 8, 16, 32 or None, got 4"),
        (Scaled(), ROW, {"max_tensors": 0}, "max_tensors must be a whole number of at least 1, got 0"),
        (Scaled(), ROW, {"residents": "x"}, "residents must be a list of names or positions, got 'x'"),
        (Scaled(), ROW, {"residents": ["x"]}, "residents must leave a tensor that is sent"),
        (Fusion(), (torch.zeros(2, 4), torch.zeros(2, 6)), {}, "must be one sample, whose tensors"),
        (Fusion(), (1, 2), {}, "example_input must be a tensor, got tuple without one"),
        (nn.Sequential(nn.LazyLinear(3)), ROW, {}, r"'0.weight' has no shape yet; run the module once"),
        (len, ROW, {}, "module must be a torch.nn.Module, got builtin_function_or_method"),
    ],
)
def test_arguments_that_are_not_allowed_are_refused(module, example_input, options, message):
    with pytest.raises(ValueError, match=message):
        profile_of(module, example_input, **options)
