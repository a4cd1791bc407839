"""Operations on the meta device whose shapes are remembered, and those that nobody looks into."""

import torch
from torch.nn import functional as F

from common.cost import shapes
from common.cost.shapes import FREE, perform


def empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def test_an_operation_is_made_once_for_each_set_of_shapes(monkeypatch):
    monkeypatch.setattr(shapes, "_shapes", {})
    for function, args in ((torch.matmul, (empty(2, 3), empty(3, 4))), (F.max_pool2d, (empty(1, 3, 8, 8), 2))):
        first, again = (perform(function, args, {}) for _ in range(2))
        assert first.shape == again.shape == function(*args).shape
    assert [key[0] for key in shapes._shapes] == [torch.matmul, F.max_pool2d]


def test_what_holds_no_contraction_is_not_looked_into():
    assert {F.relu, torch.add, F.batch_norm, F.instance_norm, F.layer_norm} <= FREE and not {F.conv2d, torch.matmul} & FREE
