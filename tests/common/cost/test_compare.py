"""What code after a module can read from its output."""

import torch

from common.cost.compare import shapes_of


def test_shapes_of_any_nesting():
    x = torch.zeros(2, 3)
    assert shapes_of({"a": x, "b": [x, (1, "two")]}) == (("a", (2, 3)), ("b", ((2, 3), (1, "two"))))
    assert shapes_of({"a": x}) != shapes_of({"b": x}) and shapes_of(None) is type(None)
