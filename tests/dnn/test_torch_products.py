"""Products that torch's own counter does not count are counted, or named."""

import warnings

import pytest

from vec_envs.dnn import DNNProfile

torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional


class Weighted(nn.Module):
    """A function of an input and of a weight."""

    def __init__(self, function, *shape):
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.zeros(shape))

    def forward(self, x):
        return self.function(x, self.weight)


COUNTED = {
    "matrix times vector": (lambda x, w: w.mv(x[0]), (6, 4), 24),
    "matrices times vector": (lambda x, w: w @ x[0], (2, 6, 4), 48),
    "addmv": (lambda x, w: torch.addmv(w[:, 0], w, x[0]), (6, 4), 24),
    "dot": (lambda x, w: x[0].dot(w), (4,), 4),
    "product of vectors": (lambda x, w: x[0] @ w, (4,), 4),
    "bilinear form": (lambda x, w: functional.bilinear(x, x, w), (5, 4, 4), 5 * (16 + 4)),
    "few distances": (lambda x, w: torch.cdist(x, w), (6, 4), 24),
    "many distances": (lambda x, w: torch.cdist(x, w), (60, 4), 240),
    "distances of the first norm": (lambda x, w: torch.cdist(x, w, p=1.0), (6, 4), 24),
    "distances of pairs": (lambda x, w: torch.pdist(w + x), (6, 4), 15 * 4),
    "sum of products": (lambda x, w: (x * w).sum(-1), (6, 4), 24),
    "sum of all products": (lambda x, w: torch.sum(torch.mul(x, w)), (6, 4), 24),
    "sum over another axis": (lambda x, w: (x[..., None] * w).transpose(1, 2).sum(2), (1, 4, 7), 28),
    "products in place": (lambda x, w: x.repeat(6, 1).mul_(w).sum(1), (6, 4), 24),
    "sum of squares": (lambda x, w: ((x - w) ** 2).sum(-1), (6, 4), 24),
    "cosine": (lambda x, w: functional.cosine_similarity(x, w), (6, 4), 24),
    "Einstein's sum": (lambda x, w: torch.einsum("bi,oi->bo", x, w), (6, 4), 24),
    "sum of matrix products": (lambda x, w: torch.addbmm(w[0, :3], x.expand(2, 3, 4), w), (2, 4, 4), 96),
}


def counted_macs(module, example_input):
    return round(DNNProfile.from_torch(module, example_input, name="n").local_gmacs[-1] * 1e9, 3)


@pytest.mark.parametrize("name", COUNTED)
def test_products_are_counted(name):
    function, shape, macs = COUNTED[name]
    assert counted_macs(Weighted(function, *shape), torch.zeros(1, 4)) == macs


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: x @ w + (x * 2.0).sum(),
        lambda x, w: (x @ w).softmax(-1) * w[0],
        lambda x, w: functional.layer_norm(x @ w, (4,)),
        lambda x, w: (x @ w) * torch.rsqrt((x**2).mean(-1, keepdim=True)),
        lambda x, w: (10000 ** (x @ w)).sum(-1),
    ],
)
def test_what_is_free_by_convention_counts_nothing(function):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert counted_macs(Weighted(function, 4, 4), torch.zeros(1, 4)) == 16


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (lambda x, w: torch.fft.rfft(x @ w).abs(), "aten._fft_r2c"),
        (lambda x, w: x @ torch.linalg.inv(w), "aten.linalg_inv_ex"),
        (lambda x, w: x @ torch.linalg.qr(w)[0], "aten.linalg_qr"),
    ],
)
def test_work_that_nobody_counts_is_named(function, operation):
    with pytest.warns(UserWarning, match=f"'n' .*unknown and counted as 0: {operation}"):
        assert counted_macs(Weighted(function, 4, 4), torch.zeros(1, 4)) == 16


def test_operations_of_other_libraries_are_named():
    @torch.library.custom_op("vec_envs_test::twice", mutates_args=())
    def twice(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    twice.register_fake(torch.empty_like)
    with pytest.warns(UserWarning, match="vec_envs_test.twice"):
        assert counted_macs(Weighted(lambda x, w: twice(x) @ w, 4, 4), torch.zeros(1, 4)) == 16


def test_a_network_of_unknown_work_alone_is_refused_by_name():
    with pytest.raises(ValueError, match=r"no convolution, pooling or matrix product.*unknown: aten\._fft_r2c"):
        counted_macs(Weighted(lambda x, w: torch.fft.rfft(x), 1), torch.zeros(1, 4))


def test_recurrent_layers_and_fused_attention_count_their_matrix_products():
    lstm = nn.Sequential(nn.LSTM(4, 8, batch_first=True))
    assert counted_macs(lstm, torch.zeros(1, 5, 4)) == 5 * 32 * (4 + 8)

    attention = Weighted(lambda x, w: functional.scaled_dot_product_attention(x, x + w, x), 1)
    assert counted_macs(attention, torch.zeros(1, 2, 5, 4)) == 2 * 2 * 25 * 4
    assert counted_macs(attention.half(), torch.zeros(1, 2, 5, 4).half()) == 2 * 2 * 25 * 4
