"""Steps of transformers: embeddings, attention and fully connected layers on sequences of tokens.

A sequence has the shape (tokens, features). Attention counts as matrix products, without regard to masks: that of all
queries with all keys, and that of the weights with all values. Softmax, activations and additions count no work. The
input of a sequence is a number of tokens, (tokens,), each of which is sent as 32 bits.
"""

from __future__ import annotations

from vec_envs.dnn.geometry import MatrixProduct, Shape, Stage, Step, sequence


def embedding(vocabulary: int, features: int, *, more_rows: int = 0) -> Step:
    """Returns a table with a row for each token of the vocabulary. It counts no work.

    Args:
        vocabulary: The number of different tokens.
        features: The length of a row.
        more_rows: The number of rows that are added to tokens, such as those of positions.
    """

    def step(shape: Shape) -> Stage:
        return Stage(operations=(), output_shape=(*shape, features), parameters=(vocabulary + more_rows) * features)

    return step


def patches_as_tokens(*, class_tokens: int = 1) -> Step:
    """Returns a step that turns an image of patches into tokens, with a learned row for each position.

    Args:
        class_tokens: The number of learned tokens that are put before the patches.
    """

    def step(shape: Shape) -> Stage:
        features, height, width = shape
        tokens = height * width + class_tokens
        return Stage(operations=(), output_shape=(tokens, features), parameters=(class_tokens + tokens) * features)

    return step


def layer_norm() -> Step:
    """Returns a layer normalisation with scale and shift. It counts no work."""
    return lambda shape: Stage(operations=(), output_shape=shape, parameters=2 * shape[-1])


def one_token() -> Step:
    """Returns a step that keeps one token of a sequence: the one from which the result is computed."""
    return lambda shape: Stage(operations=(), output_shape=shape[-1:], parameters=0)


def projection(out_features: int) -> Step:
    """Returns a fully connected layer with a bias, applied to each token."""

    def step(shape: Shape) -> Stage:
        tokens, in_features = shape
        return Stage(
            operations=(MatrixProduct(in_features=in_features, out_features=out_features, positions=tokens),),
            output_shape=(tokens, out_features),
            parameters=(in_features + 1) * out_features,
        )

    return step


def attention(heads: int, *, num_cached: int = 0) -> Step:
    """Returns self-attention with its four projections.

    Args:
        heads: The number of heads.
        num_cached: The number of earlier tokens, whose keys and values lie in a cache. The cache stays on the device.
    """

    def step(shape: Shape) -> Stage:
        tokens, features = shape
        keys, per_head, positions = tokens + num_cached, features // heads, heads * tokens
        joint, out = projection(3 * features)(shape), projection(features)(shape)
        products = (
            MatrixProduct(in_features=per_head, out_features=keys, positions=positions),
            MatrixProduct(in_features=keys, out_features=per_head, positions=positions),
        )
        return Stage(
            operations=(*joint.operations, *products, *out.operations),
            output_shape=shape,
            parameters=joint.parameters + out.parameters,
        )

    return step


def feed_forward(hidden: int) -> Step:
    """Returns two fully connected layers with `hidden` features between them, applied to each token."""
    return lambda shape: sequence(projection(hidden), projection(shape[-1]))(shape)


def next_token(vocabulary: int) -> Step:
    """Returns the scores of the next token: products with the embedding's table, which holds the parameters."""

    def step(shape: Shape) -> Stage:
        (features,) = shape
        product = MatrixProduct(in_features=features, out_features=vocabulary)
        return Stage(operations=(product,), output_shape=(vocabulary,), parameters=0)

    return step
