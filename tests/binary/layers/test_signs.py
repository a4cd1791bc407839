"""Signs and their gradients, against the formulas of the papers."""

from __future__ import annotations

import pytest
import torch

from binary.layers.signs import SIGNS, sign, zero_one

X = torch.tensor([-2.0, -1.0, -0.75, -0.25, -0.0, 0.0, 0.25, 0.75, 1.0, 2.0])


def slope_of(function, x: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(function(x).sum(), x)
    return found


def test_the_sign_of_both_zeros_is_plus_one_and_a_sign_is_one_of_two_values():
    assert sign(X).tolist() == [-1, -1, -1, -1, 1, 1, 1, 1, 1, 1]
    for function in SIGNS.values():
        assert torch.equal(function(X), sign(X))
        assert torch.equal(function(X.clone().requires_grad_()), sign(X)), "with a gradient too"
    assert sign(X.double()).dtype == torch.float64


def test_the_clipped_gradient_is_one_inside_and_zero_at_both_ends():
    assert slope_of(SIGNS["clipped"], X).tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 0, 0]


def test_the_polynomial_gradient_is_that_of_the_four_pieces():
    def pieces(x: torch.Tensor) -> torch.Tensor:
        inner = torch.where(x < 0, x * x + 2 * x, 2 * x - x * x)
        return torch.where(x.abs() < 1, inner, x.sign())

    x = torch.linspace(-2, 2, 41, dtype=torch.float64)
    assert torch.allclose(slope_of(SIGNS["polynomial"], x), slope_of(pieces, x))
    assert slope_of(SIGNS["polynomial"], torch.tensor([-1.0, 1.0, 1.5])).tolist() == [0, 0, 0], "exactly"


def test_the_tanh_gradient_is_that_of_the_scaled_tanh():
    x = torch.linspace(-2, 2, 41, dtype=torch.float64)
    assert torch.allclose(slope_of(SIGNS["tanh"], x), slope_of(lambda x: torch.tanh(5 * x), x))


def test_the_straight_gradient_is_the_identitys():
    assert slope_of(SIGNS["straight"], X).tolist() == [1] * len(X)


def test_zero_one_rounds_what_is_limited_and_learns_inside_the_limits():
    assert zero_one(torch.tensor([-3.0, 0.2, 0.5, 0.6, 1.0, 9.0])).tolist() == [0, 0, 0, 1, 1, 1]
    assert slope_of(zero_one, X).tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize("function", [*SIGNS.values(), zero_one])
def test_a_gradient_is_multiplied_by_the_slope(function):
    x = X.clone().requires_grad_()
    weights = torch.arange(len(X)).float()
    (found,) = torch.autograd.grad((weights * function(x)).sum(), x)
    assert torch.allclose(found, weights * slope_of(function, X))
