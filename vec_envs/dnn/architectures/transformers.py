"""Transformers: an encoder of text, an encoder of images, and a language model.

A block can be cut between attention and the fully connected layers, and after them. Embeddings belong to the attention
that follows, and the last normalisation belongs to the layers before it.
"""

from __future__ import annotations

from vec_envs.dnn.architectures.architecture import Architecture, NamedSteps
from vec_envs.dnn.attention import (
    attention,
    embedding,
    feed_forward,
    layer_norm,
    next_token,
    one_token,
    patches_as_tokens,
)
from vec_envs.dnn.geometry import Step, convolution, fully_connected, sequence

_PROMPT_TOKENS = 128
"""The number of tokens of the text that BERT reads, and of the prompt of the language model."""


def bert_layers(*, blocks: int, features: int, heads: int) -> NamedSteps:
    """Returns the layers of a BERT with its pooler, which reads the first token: 2 a block, and 1."""
    entry = sequence(embedding(30522, features, more_rows=512 + 2), layer_norm())
    return (
        *_blocks(blocks, features, heads, entry=entry, last=one_token()),
        ("pooler", fully_connected(features)),
    )


def vit_layers(*, patch: int, blocks: int, features: int, heads: int) -> NamedSteps:
    """Returns the layers of a vision transformer for 1000 classes: the patches, 2 a block, and the classifier."""
    last = sequence(layer_norm(), one_token())
    return (
        ("patches", convolution(features, patch, stride=patch)),
        *_blocks(blocks, features, heads, entry=patches_as_tokens(), last=last),
        ("head", fully_connected(1000)),
    )


def gpt2_layers(*, blocks: int, features: int, heads: int, num_cached: int = 0) -> NamedSteps:
    """Returns the layers of a GPT-2 that scores the next token: 2 a block, and 1.

    Args:
        blocks: The number of blocks.
        features: The features of a token.
        heads: The heads of each attention.
        num_cached: The number of earlier tokens in the cache: 0 for a prompt.
    """
    vocabulary = 50257
    entry, last = embedding(vocabulary, features, more_rows=1024), sequence(layer_norm(), one_token())
    return (
        *_blocks(blocks, features, heads, entry=entry, last=last, num_cached=num_cached),
        ("head", next_token(vocabulary)),
    )


def _blocks(blocks: int, features: int, heads: int, *, entry: Step, last: Step, num_cached: int = 0) -> NamedSteps:
    """Returns the blocks of a transformer. `entry` is a part of the first layer, and `last` of the last layer."""
    layers: list[tuple[str, Step]] = []
    for number in range(1, blocks + 1):
        attending = sequence(layer_norm(), attention(heads, num_cached=num_cached))
        feeding = sequence(layer_norm(), feed_forward(4 * features))
        layers.append((f"block{number}.attention", sequence(entry, attending) if number == 1 else attending))
        layers.append((f"block{number}.mlp", sequence(feeding, last) if number == blocks else feeding))
    return tuple(layers)


_GPT2 = (
    'A. Radford, J. Wu, R. Child, D. Luan, D. Amodei, I. Sutskever, "Language models are unsupervised multitask '
    'learners", OpenAI, 2019, Table 2; the smallest model, of 124 million parameters: '
    "https://github.com/openai/gpt-2"
)

NETWORKS = (
    Architecture(
        name="bertbase",
        sources=(
            'J. Devlin, M.-W. Chang, K. Lee, K. Toutanova, "BERT: pre-training of deep bidirectional transformers for '
            'language understanding", NAACL 2019, arXiv:1810.04805, Section 3; a text of 128 tokens',
            "transformers.BertModel (bert-base-uncased)",
        ),
        input_shape=(_PROMPT_TOKENS,),
        layers=bert_layers(blocks=12, features=768, heads=12),
    ),
    Architecture(
        name="gpt2decode",
        sources=(_GPT2, "one step of decoding after 128 tokens, which are in the cache of the device of each layer"),
        input_shape=(1,),
        layers=gpt2_layers(blocks=12, features=768, heads=12, num_cached=_PROMPT_TOKENS),
    ),
    Architecture(
        name="gpt2prefill",
        sources=(_GPT2, "a prompt of 128 tokens, and the scores of the token that follows"),
        input_shape=(_PROMPT_TOKENS,),
        layers=gpt2_layers(blocks=12, features=768, heads=12),
    ),
    Architecture(
        name="vitb16",
        sources=(
            'A. Dosovitskiy et al., "An image is worth 16x16 words: transformers for image recognition at scale", '
            "ICLR 2021, arXiv:2010.11929, Table 1",
            "torchvision.models.vit_b_16",
        ),
        input_shape=(3, 224, 224),
        layers=vit_layers(patch=16, blocks=12, features=768, heads=12),
    ),
)
