"""Sparse products against dense ones: values and gradients, and several entries at one place."""

import pytest
import torch

from graphs.sparse import Layout, product


def places(rows, columns, entries, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(rows, (entries,), generator=rng), torch.randint(columns, (entries,), generator=rng)


@pytest.mark.parametrize("width", [1, 7, 8, 11])
@pytest.mark.parametrize("learnt", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_products_and_gradients_are_those_of_dense_matrices(width, learnt, dtype):
    rows, columns = places(6, 5, 14)  # some places twice, some rows empty
    rng = torch.Generator().manual_seed(1)
    values = torch.randn(14, generator=rng, dtype=dtype).requires_grad_(learnt)
    dense = torch.randn(5, width, generator=rng, dtype=dtype).requires_grad_()
    full = torch.zeros(6, 5, dtype=dtype).index_put((rows, columns), values, accumulate=True)
    at = Layout.of(rows, columns, (6, 5))
    found = product(values[at.order], dense, at, at.turned())
    torch.testing.assert_close(found, full @ dense)
    weight = torch.randn(6, width, generator=rng, dtype=dtype)
    wanted = [values, dense] if learnt else [dense]
    for ours, theirs in zip(
        torch.autograd.grad((found * weight).sum(), wanted),
        torch.autograd.grad((full @ dense * weight).sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_nothing_in_it():
    none = torch.empty(0, dtype=torch.int64)
    at = Layout.of(none, none, (3, 2))
    assert torch.equal(product(torch.empty(0), torch.ones(2, 4), at, at.turned()), torch.zeros(3, 4))


def test_a_layout_sorts_rows_and_then_columns():
    layout = Layout.of(torch.tensor([1, 0, 1]), torch.tensor([2, 1, 0]), (3, 4))
    assert layout.starts.tolist() == [0, 1, 3, 3] and layout.columns.tolist() == [1, 0, 2] and layout.order.tolist() == [1, 2, 0]
