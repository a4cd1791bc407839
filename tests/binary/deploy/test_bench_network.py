"""The measurement of packed networks on one that is small."""

import pytest
import torch
from torch import nn

from binary.deploy.conversion import packed
from binary.layers.activations import Sign
from binary.layers.convolution import Binary, binary_conv2d
from tests.bench.packed_network import bi_real_18, network_times, onnx_of, runtime_times


def test_a_row_says_what_was_measured_and_equal_outputs_are_a_condition():
    network = nn.Sequential(Sign(), binary_conv2d(3, 4, 3, arithmetic=Binary())).eval()
    row = network_times(network, packed(network), "numba", 2, 2, side=6)
    assert row.what == "Bi-Real Net 18 on 6x6 pixels, batch 2: floats / packed, kernel numba"
    assert len(row.values) == 2 and row.target == 4 and row.least and all(value > 0 for value in row.values)


def test_the_network_is_bi_real_nets():
    with torch.device("meta"):
        network = bi_real_18()
        assert tuple(network(torch.zeros(2, 3, 32, 32)).shape) == (2, 10)
        assert sum(parameter.numel() for parameter in network.parameters()) == 11_173_962


def test_a_row_of_onnxruntime_needs_outputs_that_agree_for_most_images():
    network = nn.Sequential(Sign(), binary_conv2d(3, 4, 3, arithmetic=Binary()), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    exported = onnx_of(network, side=6)
    row = runtime_times(exported, network, packed(network), "numba", 2, 2, side=6)
    assert row.what == "Bi-Real Net 18 on 6x6 pixels, batch 2: floats in onnxruntime / packed, kernel numba"
    assert len(row.values) == 2 and row.target == 2 and row.least and "2 of 2 images agree" in row.note
    with pytest.raises(AssertionError, match="onnxruntime and torch disagree"):
        runtime_times(lambda x: exported(x) + 1, network, packed(network), "numba", 2, 2, side=6)
