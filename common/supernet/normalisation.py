"""Normalisation of the active, leading channels: batch, instance, group and layer normalisation."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from common.errors import UserError
from common.supernet.elastic import Vectors, grouped, number, pairs, widest
from common.supernet.open import Open, largest


class ElasticBatchNorm(Vectors, _BatchNorm):
    """Batch normalisation of the leading channels. Widths share statistics: recalibrate before evaluating one."""

    def __init__(self, most: int) -> None:
        _BatchNorm.__init__(self, most)
        self.reads()

    def forward(self, input: Tensor) -> Tensor:
        """`(n, active width, ...)` -> the same shape."""
        self._check_input_dim(input)
        n = input.shape[1]
        weight, bias = self.leading(n)
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        factor = 0.0 if self.momentum is None else self.momentum
        if self.training:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # a cumulative average, as in nn.BatchNorm2d
                factor = 1.0 / float(self.num_batches_tracked)
        mean, var = self.running_mean[:n], self.running_var[:n]
        return F.batch_norm(input, mean, var, weight, bias, self.training, factor, self.eps)


class ElasticBatchNorm1d(ElasticBatchNorm, nn.BatchNorm1d):
    """`ElasticBatchNorm` of vectors, `(n, c)`, or sequences, `(n, c, l)`."""


class ElasticBatchNorm2d(ElasticBatchNorm, nn.BatchNorm2d):
    """`ElasticBatchNorm` of images, `(n, c, h, w)`."""


class ElasticBatchNorm3d(ElasticBatchNorm, nn.BatchNorm3d):
    """`ElasticBatchNorm` of volumes, `(n, c, d, h, w)`."""


BATCH_NORMS: dict[int, tuple[type[ElasticBatchNorm], type[_BatchNorm]]] = {
    1: (ElasticBatchNorm1d, nn.BatchNorm1d),
    2: (ElasticBatchNorm2d, nn.BatchNorm2d),
    3: (ElasticBatchNorm3d, nn.BatchNorm3d),
}


class ElasticInstanceNorm2d(Vectors, nn.InstanceNorm2d):
    """Instance normalisation of the leading channels, with or without affine weights."""

    def __init__(self, most: int, *, affine: bool) -> None:
        nn.InstanceNorm2d.__init__(self, most, affine=affine)
        self.reads()

    def forward(self, input: Tensor) -> Tensor:
        """`(n, active width, h, w)` -> the same shape."""
        weight, bias = self.leading(input.shape[1])
        return F.instance_norm(input, None, None, weight, bias, True, self.momentum or 0.0, self.eps)


class ElasticGroupNorm(Vectors, nn.GroupNorm):
    """Group normalisation of the leading channels, in a number of groups that is fixed or open."""

    def __init__(self, groups: Any, width: Any) -> None:
        nn.GroupNorm.__init__(self, 1, largest(width))
        self.groups, self.num_groups = grouped(width, groups, "width"), largest(groups)
        self.reads(self.groups)

    def forward(self, input: Tensor) -> Tensor:
        """`(n, active width, ...)` -> the same shape."""
        n = input.shape[1]
        weight, bias = self.leading(n)
        return F.group_norm(input, number(self.groups, n), weight, bias, self.eps)


class ElasticLayerNorm(Vectors, nn.LayerNorm):
    """Layer normalisation over the active, leading entries of the last dimension."""

    feature_axis = -1

    def __init__(self, most: int, eps: float) -> None:
        nn.LayerNorm.__init__(self, most, eps)
        self.reads()

    def forward(self, input: Tensor) -> Tensor:
        """`(..., active width)` -> the same shape."""
        n = input.shape[-1]
        weight, bias = self.leading(n)
        return F.layer_norm(input, (n,), weight, bias, self.eps)


def batch_norm(width: Any, dims: int = 2) -> nn.Module:
    """Batch normalisation over `width` channels, which may be open.

    Args:
        width: channels.
        dims: 1 for `(n, c)` and `(n, c, l)`, 2 for `(n, c, h, w)`, 3 for `(n, c, d, h, w)`.

    Raises:
        UserError: `dims` is none of these, or a width is no whole number of 1 or more.
    """
    if dims not in BATCH_NORMS:
        raise UserError(f"batch_norm: dims={dims!r}; give 1 (vectors, sequences), 2 (images) or 3 (volumes)")
    elastic, plain = BATCH_NORMS[dims]
    most = widest(width, "width")
    return elastic(most) if isinstance(width, Open) else plain(most)


def instance_norm(width: Any, *, affine: bool = False) -> nn.Module:
    """Instance normalisation over `width` channels of images, which may be open.

    Raises:
        UserError: a width is no whole number of 1 or more.
    """
    most = widest(width, "width")
    return ElasticInstanceNorm2d(most, affine=affine) if isinstance(width, Open) else nn.InstanceNorm2d(most, affine=affine)


def group_norm(groups: Any, width: Any) -> nn.Module:
    """Group normalisation over `width` channels, in torch's order of arguments; both may be open.

    With a fixed number of groups the channels of a group are the more the wider the path. With a fixed number of channels,
    `group_norm(fmap(lambda width: width // 8, net.width), net.width)`, each group has the same channels at every width.

    Args:
        groups: a number that divides every width: fixed, computed from `width`, or a decision of its own.
        width: channels.

    Raises:
        UserError: groups do not divide a width, or a number is not a whole one of 1 or more.

    >>> from common.space import OneOf
    >>> from common.supernet import opened
    >>> group_norm(4, opened(OneOf(8, 12, 18), "width"))
    Traceback (most recent call last):
        ...
    common.errors.UserError: width=18 of decision 'width' is not a multiple of groups=4; ...
    """
    pairs(width, groups, "width")
    if isinstance(width, Open) or isinstance(groups, Open):
        return ElasticGroupNorm(groups, width)
    return nn.GroupNorm(groups, width)


def layer_norm(width: Any, *, eps: float = 1e-5) -> nn.Module:
    """Layer normalisation over the last dimension, `width` entries, which may be open: mean and variance of the active ones.

    Args:
        width: entries of the last dimension.
        eps: added to the variance. Vision transformers use 1e-6.

    Raises:
        UserError: a width is no whole number of 1 or more.
    """
    most = widest(width, "width")
    return ElasticLayerNorm(most, eps) if isinstance(width, Open) else nn.LayerNorm(most, eps)
