"""Signs of numbers, and the gradients that training takes in the place of theirs, which is 0 almost everywhere.

The sign of 0 is +1, so that a sign is one bit. Released code of BNAS, Bi-Real Net and ReActNet uses `torch.sign`, whose sign of 0
is 0; nothing else differs.

Each function is an operation of its own for the counting of costs: it has the shape of its input and no cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary

Values = Float[Tensor, "..."]
Steps = Callable[[Tensor], Tensor]
Backward = Callable[[Tensor, Tensor], Tensor]
"""(gradient, x) -> the gradient times the slope at x."""
TANH = 5.0
"""The factor t of the scaled tanh."""


def sign(x: Values) -> Values:
    """+1 where x is 0 or more, else -1. Without a gradient."""
    if torch.compiler.is_exporting():
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)
    with torch.no_grad():  # comparisons into numbers: those into booleans, and `torch.where`, take ten times as long
        return torch.ge(x, 0, out=torch.empty_like(x)).mul_(2).sub_(1)


def _round(x: Tensor) -> Tensor:
    if torch.compiler.is_exporting():
        return (x > 0.5).to(x.dtype)
    with torch.no_grad():
        return torch.gt(x, 0.5, out=torch.empty_like(x))


def _clipped(gradient: Tensor, x: Tensor) -> Tensor:
    return torch.ops.aten.hardtanh_backward(gradient, x, -1.0, 1.0)


CLIPPED: Backward = _clipped
"""The gradient of the clipped sign, for functions that have it as a part."""


def _polynomial(gradient: Tensor, x: Tensor) -> Tensor:
    return gradient * (2 - 2 * x.abs()).clamp_min(0)


def _tanh(gradient: Tensor, x: Tensor) -> Tensor:
    return gradient * (TANH * (1 - torch.tanh(TANH * x) ** 2))


def _inside(gradient: Tensor, x: Tensor) -> Tensor:
    return torch.ops.aten.hardtanh_backward(gradient, x, 0.0, 1.0)


def _straight(gradient: Tensor, x: Tensor) -> Tensor:
    return gradient


class _Estimated(torch.autograd.Function):
    """A function of steps with the gradient of another one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Steps, back: Backward) -> Tensor:
        """The steps."""
        ctx.save_for_backward(x)
        ctx.back = back
        return function(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """The gradient times the slope at x."""
        (x,) = ctx.saved_tensors
        return ctx.back(gradients[0], x), None, None


def _estimated(x: Tensor, function: Steps, back: Backward) -> Tensor:
    """`function` of x; an exported network has the function alone."""
    if not (torch.is_grad_enabled() and x.requires_grad):
        return function(x)
    found: Tensor = _Estimated.apply(x, function, back)  # pyright: ignore[reportAssignmentType]
    return found


def clipped_sign(x: Values) -> Values:
    """The sign, with the gradient of the identity for |x| < 1 and 0 elsewhere (Hubara et al. 2016, section 1.3).

    >>> clipped_sign(torch.tensor([-0.5, 0.0, 2.0]))
    tensor([-1.,  1.,  1.])
    """
    if has_torch_function_unary(x):
        return handle_torch_function(clipped_sign, (x,), x)
    return _estimated(x, sign, _clipped)


def polynomial_sign(x: Values) -> Values:
    """The sign, with the gradient 2 - 2|x| for |x| < 1 and 0 elsewhere (Bi-Real Net, 1808.00278, section 3.3; ReActNet)."""
    if has_torch_function_unary(x):
        return handle_torch_function(polynomial_sign, (x,), x)
    return _estimated(x, sign, _polynomial)


def tanh_sign(x: Values) -> Values:
    """The sign, with the gradient of tanh(5 x)."""
    if has_torch_function_unary(x):
        return handle_torch_function(tanh_sign, (x,), x)
    return _estimated(x, sign, _tanh)


def zero_one(x: Values) -> Values:
    """0 or 1: x limited to 0 to 1 and rounded, one half to 0, with the gradient 1 inside (DoReFa-Net, 1606.06160, 1 bit)."""
    if has_torch_function_unary(x):
        return handle_torch_function(zero_one, (x,), x)
    return _estimated(x, _round, _inside)


def straight_sign(x: Values) -> Values:
    """The sign, with the gradient of the identity (DoReFa-Net's weights)."""
    if has_torch_function_unary(x):
        return handle_torch_function(straight_sign, (x,), x)
    return _estimated(x, sign, _straight)


Estimator = Literal["clipped", "polynomial", "tanh", "straight"]
SIGNS: Mapping[Estimator, Callable[[Tensor], Tensor]] = {
    "clipped": clipped_sign,
    "polynomial": polynomial_sign,
    "tanh": tanh_sign,
    "straight": straight_sign,
}
"""Name of the gradient -> sign."""
