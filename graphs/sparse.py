"""Sparse matrices in torch's CSR layout, without the warning that it raises once a process."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state", UserWarning)
    torch.eye(1, device="cpu").to_sparse_csr()

SPARSE = 0.1
"""Features of which a smaller share is not 0 are kept as a sparse matrix: the same numbers, in a tenth of the time on Cora."""


def compact(x: Float[Tensor, "n f"]) -> Tensor:
    """`x` as a sparse CSR matrix if less than a share of `SPARSE` is not 0, else `x` itself."""
    return x.to_sparse_csr() if float((x != 0).float().mean()) < SPARSE else x


class Layout(NamedTuple):
    """Where the entries of a matrix are, row by row.

    Attributes:
        starts: of every row among the entries, and their number at the end, int64 of shape (rows + 1,).
        columns: of every entry, shape (entries,).
        order: which of the places that the layout was made of each entry is.
        shape: rows and columns.
    """

    starts: Int[Tensor, " r"]
    columns: Int[Tensor, " v"]
    order: Int[Tensor, " v"]
    shape: tuple[int, int]

    @classmethod
    def of(cls, rows: Int[Tensor, " v"], columns: Int[Tensor, " v"], shape: tuple[int, int]) -> Layout:
        """Of a value at (row, column) each; there may be several at one place."""
        order = (rows * shape[1] + columns).argsort()
        starts = torch.zeros(shape[0] + 1, dtype=torch.int64, device=rows.device)
        starts[1:] = torch.bincount(rows, minlength=shape[0]).cumsum(0)
        return cls(starts, columns[order], order, shape)

    def matrix(self, values: Float[Tensor, " v"]) -> Tensor:
        """The CSR matrix of values row by row: `values[order]` of those in the order in which places were given."""
        return torch.sparse_csr_tensor(self.starts, self.columns, values, self.shape, check_invariants=False)

    def turned(self) -> Layout:
        """That of the transposed matrix, whose `order` is that among the values row by row of this one."""
        lengths = self.starts.diff()
        rows = torch.arange(self.shape[0], device=lengths.device).repeat_interleave(lengths)
        return Layout.of(self.columns, rows, (self.shape[1], self.shape[0]))


def product(values: Float[Tensor, " v"], dense: Float[Tensor, "n c"], at: Layout, turned: Layout) -> Float[Tensor, "m c"]:
    """The sparse matrix with `values`, row by row, at `at` (`turned` is `at.turned()`) times `dense`, differentiable in both.

    Faster than gathering rows and adding them up: see docs/results/pdnas.md. Gradients of values are inner products of rows,
    which are computed at least twice as fast where a row is a multiple of eight long: rows are filled up with zeros.
    """
    width = dense.shape[1]
    if values.requires_grad and width % 8:
        dense = F.pad(dense, (0, -width % 8))
    found: Tensor = Product.apply(values.to(dense.dtype), dense, at, turned)
    return found[:, :width]


class Product(torch.autograd.Function):
    """A sparse matrix times a dense one, differentiable in both."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, dense: Tensor, at: Layout, turned: Layout) -> Tensor:
        """The product.

        Args:
            ctx: of autograd.
            values: of the entries, row by row, shape (v,).
            dense: shape (columns, c).
            at: where the entries are.
            turned: where they are in the transposed matrix.
        """
        ctx.save_for_backward(values, dense)
        ctx.layouts = at, turned
        return at.matrix(values) @ dense

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Gradients of values and of the dense matrix."""
        (grad,) = grads
        values, dense = ctx.saved_tensors
        at, turned = ctx.layouts
        of_values = of_dense = None
        if ctx.needs_input_grad[1]:
            of_dense = turned.matrix(values[turned.order]) @ grad
        if ctx.needs_input_grad[0]:
            nothing = torch.sparse_csr_tensor(at.starts, at.columns, torch.zeros_like(values), at.shape, check_invariants=False)
            of_values = torch.sparse.sampled_addmm(nothing, grad, dense.t(), beta=0.0).values()
        return of_values, of_dense, None, None
