"""Raw features without their zeros."""

import pytest
import torch

from graphs.nasbench.sparse import Raw


def dense(raw: Raw) -> torch.Tensor:
    return raw.times(torch.eye(raw.features))


@pytest.fixture
def matrix():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(9, 5, generator=generator) * (torch.rand(9, 5, generator=generator) < 0.4)
    values[3] = values[8] = 0.0  # rows without a non-zero, the last one too
    return values


def test_it_is_the_same_matrix(matrix):
    raw = Raw.of(matrix)
    assert (raw.nodes, raw.features) == (9, 5)
    assert len(raw.values) == int((matrix != 0).sum())
    assert torch.equal(dense(raw), matrix)


def test_product_and_gradient_are_those_of_the_dense_matrix(matrix):
    transposed = torch.randn(4, 5, requires_grad=True)
    product = Raw.of(matrix).times(transposed.t())
    torch.testing.assert_close(product, matrix @ transposed.t())
    (gradient,) = torch.autograd.grad((product**2).sum(), transposed)
    (expected,) = torch.autograd.grad(((matrix @ transposed.t()) ** 2).sum(), transposed)
    torch.testing.assert_close(gradient, expected)


def test_dropout_drops_or_scales_non_zeros(matrix):
    raw = Raw.of(matrix)
    assert torch.equal(dense(raw.dropped(0.5, training=False)), matrix)
    seen = dense(raw.dropped(0.5, training=True))
    kept = seen != 0
    assert torch.equal(seen[kept], 2 * matrix[kept])
    many = Raw.of(torch.ones(200, 50)).dropped(0.7, training=True).values
    assert abs(float((many == 0).float().mean()) - 0.7) < 0.03  # six standard errors of 10,000 draws
