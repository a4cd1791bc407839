"""Formulas for shapes give what torch's own operations give, and nothing where an operation fails or needs more than shapes."""

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from common.cost.infer import _RULES, inferred  # pyright: ignore[reportPrivateUsage]


def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


CONVOLUTIONS = [
    (function, (empty(2, c, *(9,) * d), empty(6, 2, *(3,) * d), bias, stride, padding, dilation, groups))
    for d, function in enumerate((F.conv1d, F.conv2d, F.conv3d), 1)
    for c, groups, bias, stride, padding, dilation in product(
        (2, 4), (1, 2), (None, empty(6)), (1, (2,) * d), (0, (1,) * d), (1, 2)
    )
]
CASES = [
    *CONVOLUTIONS,
    *[(F.linear, (x, empty(5, 4))) for x in (empty(4), empty(3, 4), empty(2, 3, 4), empty(0, 4), empty(3, 1), empty())],
    *[(F.linear, (empty(3, 4), empty(5, 4), bias)) for bias in (empty(5), empty(1), empty(4), empty(5, dtype=torch.float64))],
    (F.linear, (empty(3, 4, dtype=torch.float64), empty(5, 4))),
    *[
        (f, (a, b))
        for f in (torch.add, torch.Tensor.__mul__)
        for a, b in product((empty(2, 1, 4), empty(3, 4), empty(), empty(3)), repeat=2)
    ],
    *[
        (torch.Tensor.__add__, (empty(3), other))
        for other in (2, 1.5, True, empty(3, dtype=torch.int64), empty(3, dtype=torch.float64))
    ],
    *[(torch.Tensor.__add__, (empty(3, dtype=torch.int64), other)) for other in (2, 1.5)],
    *[(torch.cat, ([empty(2, 3), empty(2, n)], d)) for n, d in product((3, 5), (0, 1, -1, 2))],
    *[(torch.cat, ([empty(2, 3), empty(2, 3, dtype=dtype)],)) for dtype in (torch.float32, torch.float64)],
    *[(f, (empty(2, 3),)) for f in (F.relu, F.gelu, torch.sigmoid, torch.Tensor.tanh, F.dropout)],
    (torch.sigmoid, (empty(2, dtype=torch.int64),)),
]


@pytest.mark.parametrize("function", {case[0]: None for case in CASES}, ids=lambda f: f.__name__)
def test_a_formula_gives_what_the_operation_gives(function):
    found = 0
    for _, args in (case for case in CASES if case[0] is function):
        made = inferred(function, args, {})
        try:
            out = function(*args)
        except (RuntimeError, IndexError):
            assert made is None, args
            continue
        found += made is not None
        assert made is None or (torch.Size(made[0]), made[1]) == (out.shape, out.dtype), args
    assert found, "no case has a formula"


def test_three_filters_are_not_two_groups():
    assert inferred(F.conv2d, (empty(2, 4, 9, 9), empty(4, 2, 3, 3), None, 1, 0, 1, 2), {}) is not None
    assert inferred(F.conv2d, (empty(2, 4, 9, 9), empty(3, 2, 3, 3), None, 1, 0, 1, 2), {}) is None


def test_numbers_and_other_devices_are_left_to_torch():
    for function, args in (
        (F.relu, (torch.ones(2),)),
        (torch.add, (empty(2), torch.ones(2))),
        (torch.cat, ([empty(2), torch.ones(2)],)),
    ):
        assert inferred(function, args, {}) is None
    assert inferred(F.linear, (empty(3, 4), torch.ones(5, 4)), {}) is None
    assert inferred(F.relu, (empty(2),), {"inplace": True}) == (torch.Size([2]), torch.float32)
    assert len(_RULES) > 20
