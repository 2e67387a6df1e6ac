"""Products that torch's flop counter does not count: some are counted here, and others are named as unknown.

Counted are products of a matrix and a vector, dot products, bilinear forms, distances between all pairs of points,
deformable convolutions, and sums over an elementwise product of tensors or over a square.

Free by convention are operations without a sum over products: additions, elementwise products, softmax,
normalisations, activations, interpolation, embeddings, sorting and whatever moves data.
"""

# torch is partly untyped, and its graphs and hooks are partly private:
# pyright: reportPrivateUsage=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import math
import re
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

import torch

from vec_envs.dnn.geometry import Convolution, MatrixProduct, Operation

_aten = torch.ops.aten
_UNKNOWN = re.compile(
    r"_?fft|fft_|_?linalg_(?!vector_norm|cross|check_errors)|_?cholesky|_?lu_|triangular_solve|lstsq|inverse|"
    r"geqrf|orgqr|ormqr|matrix_exp|_histogramdd|"
    r"addbmm|conv_tbc|_?\w*_mm$|_?int_mm|_?weight_int\w*mm|_addmm_activation|_?sparse_\w*mm|_?grouped_mm|"
    r"mkldnn_\w+|_?cudnn_rnn|miopen_\w+|_thnn_\w+|_native_multi_head_attention|_transformer_encoder_layer_fwd|"
    r"_scaled_dot_product_\w+"
)
"""Names of torch's functions with much work that nobody counts; those that torch's counter knows are taken out."""
_PRODUCTS = (_aten.mul, _aten.mul_, _aten.pow, _aten.pow_, _aten.square, _aten.square_)
_VIEWS = (
    _aten.view,
    _aten._unsafe_view,
    _aten.reshape,
    _aten.permute,
    _aten.transpose,
    _aten.t,
    _aten.squeeze,
    _aten.unsqueeze,
    _aten.clone,
    _aten._to_copy,
    _aten.detach,
    _aten.alias,
)
_FREE_ELSEWHERE = (
    "prim",
    "prims",
    "profiler",
    "debugprims",
    "rngprims",
    "higher_order",
    "_c10d_functional",
    "inductor",
)


def products_of(
    packet: Any, args: Sequence[Any], result: Any, products: MutableMapping[torch.Tensor, bool]
) -> list[Operation]:
    """Returns the operations of a torch call; empty where it does none. Updates which tensors are products."""
    if packet is _aten.sum:
        return _summed_product(args[0], result, products)
    if packet in _PRODUCTS and isinstance(result, torch.Tensor):
        if _is_product(packet, args):
            products[result] = True
    elif packet in _VIEWS and args and isinstance(args[0], torch.Tensor) and args[0] in products:
        products[result] = True
    count = _COUNTED.get(str(packet))
    return count(args, result) if count else []


def has_unknown_work(function: Any) -> bool:
    """Returns whether a torch function may do work that nobody counts: some of torch's, and all of other libraries."""
    from torch.utils.flop_counter import flop_registry

    packet = function.overloadpacket
    if packet in flop_registry or str(packet) in _COUNTED or function.namespace in _FREE_ELSEWHERE:
        return False
    name = function.name().partition("::")[2].partition(".")[0]
    return function.namespace != "aten" or bool(_UNKNOWN.match(name))


def _is_product(packet: Any, args: Sequence[Any]) -> bool:
    """Returns whether a call multiplies two tensors, or squares one. A factor that is one number makes no product."""
    if packet in (_aten.mul, _aten.mul_):
        return all(isinstance(factor, torch.Tensor) and factor.numel() > 1 for factor in args[:2])
    exponent = args[1] if len(args) > 1 else 2
    return isinstance(exponent, int | float) and exponent == 2


def _summed_product(source: Any, result: Any, products: MutableMapping[torch.Tensor, bool]) -> list[Operation]:
    if source not in products or not result.numel() or source.numel() == result.numel():
        return []
    return [_dot(source.numel() // result.numel(), result.numel())]


def _dot(length: int, positions: int = 1) -> MatrixProduct:
    return MatrixProduct(in_features=length, out_features=1, positions=positions)


def _matrix_vector(args: Sequence[Any], result: Any) -> list[Operation]:
    """Counts mv(matrix, vector) and addmv(bias, matrix, vector)."""
    rows, columns = args[-2].shape if len(args) == 2 else args[1].shape
    return [MatrixProduct(in_features=columns, out_features=rows)]


def _dot_product(args: Sequence[Any], result: Any) -> list[Operation]:
    return [_dot(args[0].numel())]


def _bilinear(args: Sequence[Any], result: Any) -> list[Operation]:
    """Counts x1 W x2 for each output, as the matrix product W x2 and a dot product with x1."""
    out_features, in1, in2 = args[1].shape
    positions = math.prod(args[0].shape[:-1])
    return [
        MatrixProduct(in_features=in2, out_features=out_features * in1, positions=positions),
        _dot(in1, out_features * positions),
    ]


def _distances(args: Sequence[Any], result: Any) -> list[Operation]:
    """Counts the distances between points, each a sum over the coordinates."""
    return [_dot(args[0].shape[-1], result.numel())]


def _deformable_convolution(args: Sequence[Any], result: Any) -> list[Operation]:
    source, weight = args[:2]
    convolution = Convolution(
        in_channels=source.shape[1],
        out_channels=weight.shape[0],
        kernel=tuple(weight.shape[2:]),
        input_size=tuple(source.shape[2:]),
        output_size=tuple(result.shape[2:]),
        groups=source.shape[1] // weight.shape[1],
    )
    return [convolution] * source.shape[0]


def _summed_matrix_products(args: Sequence[Any], result: Any) -> list[Operation]:
    """Counts addbmm(bias, left, right)."""
    batch, rows, inner = args[1].shape
    return [MatrixProduct(in_features=inner, out_features=args[2].shape[-1], positions=batch * rows)]


def _time_convolution(args: Sequence[Any], result: Any) -> list[Operation]:
    """Counts conv_tbc(input [time, batch, channels], weight [kernel, in, out])."""
    kernel, in_channels, out_channels = args[1].shape
    time, batch = args[0].shape[:2]
    convolution = Convolution(
        in_channels=in_channels,
        out_channels=out_channels,
        kernel=(kernel,),
        input_size=(time,),
        output_size=(result.shape[0],),
    )
    return [convolution] * batch


_COUNTED: dict[str, Callable[[Sequence[Any], Any], list[Operation]]] = {
    "aten.mv": _matrix_vector,
    "aten.addmv": _matrix_vector,
    "aten.dot": _dot_product,
    "aten.vdot": _dot_product,
    "aten._trilinear": _bilinear,
    "aten._cdist_forward": _distances,
    "aten._euclidean_dist": _distances,
    "aten._pdist_forward": _distances,
    "aten.addbmm": _summed_matrix_products,
    "aten.conv_tbc": _time_convolution,
    "torchvision.deform_conv2d": _deformable_convolution,
}
