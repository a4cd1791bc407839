"""Choices among convolutions whose kernels are merged into one: MergeNAS (Wang et al., IJCAI 2020).

A weighted sum of convolutions of one input is a convolution: sum_o w_o (x * K_o) = x * (sum_o w_o K_o), once all kernels have
the largest size, small ones in its middle, dilated ones spread to where they read. A relaxed decision then costs one
convolution in the place of one for each option. What follows the convolutions (a 1x1 convolution, a normalisation) is one for
all: a non-linear function after each of them would make the sum another one.

If a BatchNorm follows, as in the cells of MergeNAS, the norm removes any common factor of the convolutions' weights w_o (up to
its epsilon): only the ratios of these weights reach the output. So if all of an edge's convolutions lose weight together, their
merged term stays as large as before beside the other options, and the loss has no gradient along that common factor.

>>> embedded(torch.ones(1, 1, 3, 3), dilation=2, size=5)[0, 0, 0]
tensor([1., 0., 1., 0., 1.])
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.layers import Convolved
from common.supernet.choice import Choice
from common.supernet.open import Mixed, Open


class Merged(Choice):
    """One of several modules; those that are `Convolved` run as one convolution where the decision is relaxed."""

    def terms(self, mixed: Mixed) -> list[tuple[Tensor, Callable[..., Any]]]:
        """Returns the terms of the mixture: one merged convolution, whose weight is 1, and the other live options."""
        terms = super().terms(mixed)
        convolved = [(weight, option) for weight, option in terms if isinstance(option, Convolved)]
        others = [(weight, option) for weight, option in terms if not isinstance(option, Convolved)]
        return [(mixed.weights.new_ones(()), partial(_run_merged, convolved)), *others] if convolved else others


def choose_merged(value: Any, make: Callable[[Any, nn.Module], nn.Module], after: Callable[[], nn.Module]) -> nn.Module:
    """Returns `make(value, after())` for a fixed value, and a `Merged` for an open one, whose options have one `after` together.

    Args:
        value: the option, or a decision between options.
        make: (option, what follows a convolution) -> a `Convolved`, or a module of another kind. All `Convolved` of a decision
            have equal channels, groups and strides, and modules without weights before them.
        after: makes what follows.
    """
    shared = after()
    return Merged(value, lambda option: make(option, shared)) if isinstance(value, Open) else make(value, shared)


def embedded(kernel: Tensor, dilation: int, size: int) -> Tensor:
    """A kernel (o, i, k, k) in the middle of one of zeros (o, i, size, size), its entries `dilation` apart."""
    reach = (kernel.shape[-1] - 1) * dilation + 1
    begin = (size - reach) // 2
    places = slice(begin, begin + reach, dilation)
    whole = kernel.new_zeros(*kernel.shape[:2], size, size)
    whole[:, :, places, places] = kernel
    return whole


def _run_merged(terms: list[tuple[Tensor, Convolved]], x: Tensor) -> Tensor:
    first = terms[0][1]
    size = max((option.conv.kernel_size[0] - 1) * option.conv.dilation[0] + 1 for _, option in terms)
    kernels = [weight * embedded(option.conv.weight, option.conv.dilation[0], size) for weight, option in terms]
    kernel = torch.stack(kernels).sum(0)
    conv = first.conv
    return first.after(F.conv2d(first.before(x), kernel, None, conv.stride, size // 2, 1, conv.groups))
