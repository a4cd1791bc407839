"""What is found inside of operations, and that nobody looks twice."""

import torch
import torchvision  # noqa: F401 - its kernels
from torch.nn import functional as F

from common.cost import inside
from common.cost.inside import Found, look, name_of


def empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def test_an_operation_is_looked_into_once_for_each_set_of_shapes(monkeypatch):
    a, b = empty(3, 5, 41), empty(3, 7, 41)
    out, found = look(torch.einsum, ("bik,bjk->bij", a, b), {})
    assert (out.shape, found) == ((3, 5, 7), Found(3 * 5 * 7 * 41, False, False))
    monkeypatch.setattr(inside, "_Inside", None)  # whoever looks now fails
    out, found = look(torch.einsum, ("bik,bjk->bij", a, b), {})
    assert (out.shape, found.macs) == ((3, 5, 7), 3 * 5 * 7 * 41)


def test_an_argument_that_is_no_key_is_no_obstacle():
    def product(x, _):
        return x @ x

    for _ in range(2):
        assert look(product, (empty(4, 4), {2, 3}), {})[1] == Found(64, False, False)


def test_kernels_of_convolutions():
    x, weight = empty(2, 4, 9), empty(4, 3, 5)
    assert look(torch.convolution, (x, weight, None, [2], [0], [1], True, [0], 1), {})[1].macs == x.numel() * 3 * 5
    out, found = look(torch.convolution, (x, empty(6, 2, 3), None, [2], [0], [1], False, [0], 2), {})
    assert found.macs == out.numel() * 2 * 3


def test_heavy_and_odd_kernels():
    assert look(torch.fft.fft, (empty(8),), {})[1] == Found(0, True, False)
    assert look(torch.cdist, (empty(3, 8), empty(4, 8)), {})[1] == Found(0, True, False)
    assert look(torch.outer, (empty(3), empty(4)), {})[1] == Found(0, False, False)
    boxes = look(torch.ops.torchvision.roi_align, (empty(1, 3, 8, 8), empty(2, 5), 1.0, 2, 2, 2, False), {})[1]
    assert boxes == Found(0, False, True)


def test_names_are_those_that_one_types():
    named = (torch.matmul, torch.Tensor.matmul, F.linear, torch.lstm, torch.ops.torchvision.nms, test_kernels_of_convolutions)
    assert list(map(name_of, named)) == [
        "torch.matmul",
        "torch.Tensor.matmul",
        "torch.nn.functional.linear",
        "torch.lstm",
        "torchvision.nms",
        f"{__name__}.test_kernels_of_convolutions",
    ]
