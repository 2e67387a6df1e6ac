"""Steps on tokens count as the same modules in torch, and by hand."""

import pytest

from vec_envs.dnn import DNNProfile
from vec_envs.dnn.attention import attention, embedding, feed_forward, layer_norm, next_token, one_token
from vec_envs.dnn.geometry import sequence
from vec_envs.dnn.workload import logical_layer, macs

torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional
TOKENS, FEATURES, HEADS = 5, 12, 3


class Block(nn.Module):
    """An attention on a cache of keys and values, and two fully connected layers."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(7, FEATURES)
        self.norm, self.joint = nn.LayerNorm(FEATURES), nn.Linear(FEATURES, 3 * FEATURES)
        self.out, self.norm2 = nn.Linear(FEATURES, FEATURES), nn.LayerNorm(FEATURES)
        self.wide, self.narrow = nn.Linear(FEATURES, 20), nn.Linear(20, FEATURES)

    def forward(self, tokens, cache):  # both are required, and only tokens are sent
        x = self.words(tokens)
        parts = self.joint(self.norm(x)).chunk(3, -1)
        query, key, value = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in parts)
        key, value = (torch.cat([cache, new], 2) for new in (key, value))
        mixed = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        x = x + self.narrow(functional.gelu(self.wide(self.norm2(x))))
        return x[:, -1] @ self.words.weight.T


@pytest.mark.parametrize("num_cached", [0, 4])
def test_a_transformer_counts_as_in_torch(num_cached):
    first = sequence(embedding(7, FEATURES), layer_norm(), attention(HEADS, num_cached=num_cached))
    second = sequence(layer_norm(), feed_forward(20), one_token())
    shape, expected = (TOKENS,), []
    for step in (first, second, next_token(7)):
        stage = step(shape)
        shape = stage.output_shape
        values = int(torch.Size(shape).numel())
        expected.append((stage.operations, values, stage.parameters))
    tokens = torch.zeros(1, TOKENS, dtype=torch.int32)
    inputs = {"tokens": tokens, "cache": torch.zeros(1, HEADS, num_cached, FEATURES // HEADS)}
    profile = DNNProfile.from_torch(Block(), inputs, name="block")
    layers = [
        logical_layer(layer.name, operations, output_values=values, parameters=parameters, workload="mad2rl")
        for layer, (operations, values, parameters) in zip(profile.layers, expected, strict=True)
    ]
    assert list(profile.layers) == layers
    assert profile.input_mbit == 32 * TOKENS / 1e6


def test_attention_by_hand():
    stage = attention(3, num_cached=4)((5, 12))
    assert stage.output_shape == (5, 12)
    assert stage.parameters == 4 * 13 * 12
    assert sum(map(macs, stage.operations)) == 5 * 4 * 12 * 12 + 2 * 5 * 9 * 12
