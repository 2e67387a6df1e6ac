"""The shapes that convolutions and poolings come to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vec_envs.dnn.geometry import convolution, pooling

SMALL = st.integers(min_value=1, max_value=6)


def test_one_sided_padding_keeps_the_size_of_a_pooling():
    stage = pooling(2, stride=1, padding=(0, 1))((512, 13, 13))
    assert stage.output_shape == (512, 13, 13)
    assert [str(operation) for operation in stage.operations] == ["pooling 512x13x13 -> 512x13x13, kernel 2x2"]


@pytest.mark.parametrize("step", [convolution(4, 3, padding=1), convolution(4, 3, padding=(1, 1))])
def test_one_number_is_a_padding_at_both_ends(step):
    assert step((3, 9, 7)).output_shape == (4, 9, 7)


@pytest.mark.parametrize(("padding", "size"), [((0, 0), 54), ((1, 2), 55), ((2, 1), 55), ((0, 3), 55)])
def test_only_the_sum_of_a_pair_matters_to_the_size(padding, size):
    assert convolution(96, 11, stride=4, padding=padding)((3, 224, 224)).output_shape == (96, size, size)


@given(extent=st.integers(min_value=6, max_value=40), kernel=SMALL, stride=SMALL)
def test_padding_after_the_input_rounds_up(extent, kernel, stride):
    rounded_up = -(-(extent - kernel) // stride) + 1
    assert pooling(kernel, stride=stride, padding=(0, stride - 1))((5, extent)).output_shape == (5, rounded_up)
    assert pooling(kernel, stride=stride)((5, extent)).output_shape == (5, (extent - kernel) // stride + 1)


def test_a_window_that_does_not_fit_is_refused_by_name():
    with pytest.raises(ValueError, match=r"kernel of 5 does not fit into 3 values with padding \(0, 1\)"):
        pooling(5, stride=1, padding=(0, 1))((3, 3, 3))


def test_a_depthwise_convolution_reads_one_channel():
    stage = convolution(6, 3, stride=2, padding=1, groups=6, batch_norm=True)((6, 9, 9))
    assert stage.output_shape == (6, 5, 5)
    assert stage.parameters == 6 * 9 + 2 * 6
    (operation,) = stage.operations
    assert str(operation) == "convolution 6x9x9 -> 6x5x5, kernel 3x3, 6 groups"
    assert operation.in_channels_per_group == 1
