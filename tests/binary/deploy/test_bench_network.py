"""The measurement of packed networks on one that is small."""

import pytest
import torch
from torch import nn

from binary.deploy.conversion import packed
from binary.layers.activations import Sign
from binary.layers.convolution import Binary, binary_conv2d
from common.errors import UserError
from tests.bench.packed_network import bi_real_18, compare, fixed, in_onnxruntime, in_torch, network_times


@pytest.mark.parametrize("scale", ["filter", "layer", "none"])
def test_rows_say_what_was_measured_and_equal_outputs_are_a_condition(scale):
    convolution = binary_conv2d(3, 4, 3, arithmetic=Binary(scale=scale))
    network = nn.Sequential(Sign(), convolution, nn.Flatten()).eval()
    images = torch.randn(8, 3, 6, 6)
    runs = {"torch": in_torch(fixed(network)), "onnxruntime": in_onnxruntime(fixed(network), images)}
    assert torch.equal(runs["torch"](images), network(images)) and convolution in network
    rows = list(network_times(runs, in_torch(packed(network)), "numba", images, 2, 2))
    assert [row.what for row in rows] == [
        "Bi-Real Net 18 on 6x6 pixels, batch 2: floats in torch / packed, kernel numba",
        "Bi-Real Net 18 on 6x6 pixels, batch 2: floats in onnxruntime / packed, kernel numba",
    ]
    assert [(len(row.values), row.target, row.least) for row in rows] == [(2, 4, True), (2, 2, True)]
    assert all(value > 0 for row in rows for value in row.values)


def test_other_outputs_are_not_timed():
    wanted = torch.ones(8, 3)
    found = wanted.clone()
    found[3, 1] = 2
    compare("onnxruntime", found, wanted)  # one of eight: a sum beside 0 has the other sign
    with pytest.raises(UserError, match="torch: outputs of 1 of 8 images are not those of the packed network"):
        compare("torch", found, wanted)
    found[4, 1] = 2
    with pytest.raises(UserError, match="onnxruntime: outputs of 2 of 8 images"):
        compare("onnxruntime", found, wanted)
    compare("onnxruntime", wanted + 1e-6, wanted)


def test_the_network_is_bi_real_nets():
    with torch.device("meta"):
        network = bi_real_18()
        assert tuple(network(torch.zeros(2, 3, 32, 32)).shape) == (2, 10)
        assert sum(parameter.numel() for parameter in network.parameters()) == 11_173_962
