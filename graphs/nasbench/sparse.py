"""Raw features that are mostly zeros: 98.7 % of Cora's are. Nothing is computed on the zeros."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Raw:
    """A matrix of shape (nodes, features), its non-zeros row by row.

    Attributes:
        columns: Feature of each non-zero, shape (non-zeros,).
        values: The non-zeros, same shape.
        starts: Where each row begins among them, shape (nodes,).
        features: Number of columns.
    """

    columns: Tensor
    values: Tensor
    starts: Tensor
    features: int

    @classmethod
    def of(cls, dense: Tensor) -> Raw:
        """The same matrix as `dense`."""
        rows, columns = dense.nonzero(as_tuple=True)
        filled = (dense != 0).sum(dim=1)
        return cls(columns, dense[rows, columns], filled.cumsum(0) - filled, dense.shape[1])

    @property
    def nodes(self) -> int:
        """Number of rows."""
        return len(self.starts)

    def dropped(self, p: float, training: bool) -> Raw:
        """With dropout: what it does to a zero cannot be seen, so that non-zeros alone are drawn for."""
        return replace(self, values=F.dropout(self.values, p, training))

    def times(self, weight: Tensor) -> Tensor:
        """The product with a matrix of shape (features, out): shape (nodes, out), differentiable in `weight`."""
        rows = weight.contiguous()  # many times faster than on a transposed view
        return F.embedding_bag(self.columns, rows, self.starts, mode="sum", per_sample_weights=self.values)
