"""Convolutions with binary weights: +1 and -1, times a scale for each filter or each layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import handle_torch_function, has_torch_function

from binary.layers.signs import CLIPPED, SIGNS, Estimator, sign
from common.supernet import conv2d


def binary_convolution(
    input: Float[Tensor, "n c h w"],
    weight: Float[Tensor, "out part kh kw"],
    bias: None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Float[Tensor, "n out i j"]:
    """`F.conv2d` of weights that are +1 and -1 and inputs that have two values: what packed kernels compute.

    An operation of its own, so that costs tell it from a convolution of real numbers (`binary.costs`).
    """
    if has_torch_function((input, weight)):
        return handle_torch_function(binary_convolution, (input, weight), input, weight, bias, stride, padding, dilation, groups)
    return F.conv2d(input, weight, bias, stride, padding, dilation, groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """Binary weights: the arithmetic of a convolution (`common.supernet.convolution.Arithmetic`).

    The output is the convolution with the signs of the weights, times a scale. Papers scale the weights; the scale is behind the
    convolution here, where a packed kernel has it too, so that both give the same bits.

    Attributes:
        scale: mean |w| of each filter (XNOR-Net, 1603.05279, section 3.1), over the part of it that a path uses; of the whole
            layer (DoReFa-Net); or none.
        learnt: whether gradients flow through the scale; not so in Bi-Real Net and ReActNet.
        centred: whether signs and scales are those of each filter less its mean over input channels, limited to [-1, 1]
            (XNOR-Net's released code, which BNAS of Kim et al. trains by). That code also multiplies the gradient by
            n (1 - 1 / c), of n numbers and c input channels in a filter, which only changes what a learning rate means; it is
            left out.
        gradient: of the signs; `straight` gives the weights the gradient of the scaled signs unchanged, as DoReFa-Net does.
        real: whether weights are taken as they are, unscaled: the first stage of a training in two stages.
    """

    scale: Literal["filter", "layer", "none"] = "filter"
    learnt: bool = False
    centred: bool = False
    gradient: Estimator = "clipped"
    real: bool = False

    def __call__(
        self,
        input: Float[Tensor, "n c h w"],
        weight: Float[Tensor, "out part kh kw"],
        stride: tuple[int, ...],
        padding: int | tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
    ) -> Float[Tensor, "n out i j"]:
        """See `Arithmetic`; `input` has two values."""
        if self.real:
            return F.conv2d(input, weight, None, stride, padding, dilation, groups)
        learns = torch.is_grad_enabled() and weight.requires_grad and self.learnt
        if learns and self.scale == "filter" and self.gradient == "clipped":
            signs, scale = _Learnt.apply(weight, self)  # pyright: ignore[reportGeneralTypeIssues]
        else:
            weight = self.seen(weight)
            scale, behind = self.scales(weight), weight
            if self.gradient == "straight" and scale is not None:  # the scale multiplies the gradient too
                behind = weight / scale.detach().clamp_min(torch.finfo(weight.dtype).tiny).reshape(-1, 1, 1, 1)
            signs = SIGNS[self.gradient](behind)
        out = binary_convolution(input, signs, None, stride, padding, dilation, groups)
        return out if scale is None else out * scale

    def seen(self, weight: Float[Tensor, "out part kh kw"]) -> Float[Tensor, "out part kh kw"]:
        """The numbers whose signs and sizes are taken: the weights, or the centred ones.

        The released code writes them back into the weights; here the weights stay, and numbers beyond 1 keep their gradient.
        """
        if not self.centred or weight.shape[1] == 1:  # of one channel nothing would be left
            return weight
        centred = weight.detach() - weight.detach().mean(1, keepdim=True)
        return centred.clamp(-1, 1) + (weight - weight.detach())

    def scales(self, weight: Float[Tensor, "out part kh kw"]) -> Tensor | None:
        """What the signs of `seen` weights are multiplied by: shape (out, 1, 1), or () for a whole layer."""
        if self.scale == "none":
            return None
        size = (weight if self.learnt else weight.detach()).abs()
        # flattened, so that the order of the sums does not depend on how the weights lie in memory
        return size.flatten().mean() if self.scale == "layer" else size.flatten(1).mean(1).view(-1, 1, 1)

    def layer(self, c_in: int, c_out: int, kernel: int, stride: int, padding: int, dilation: int, groups: int) -> BinaryConv2d:
        """See `Arithmetic`."""
        return BinaryConv2d(c_in, c_out, kernel, stride, padding, dilation, groups, arithmetic=self)


class _Learnt(torch.autograd.Function):
    """Signs and scales of filters, both with a gradient: one function in the place of the many that autograd would record."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, arithmetic: Binary) -> tuple[Tensor, Tensor]:
        """Signs, of the shape of the weights, and scales, of shape (out, 1, 1)."""
        numbers = arithmetic.seen(weight)
        signs, scale = sign(numbers), arithmetic.scales(numbers)
        assert scale is not None
        ctx.save_for_backward(numbers, signs)
        ctx.limited = numbers is not weight
        return signs, scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Through the signs inside (-1, 1), and through the mean of the sizes: sign / n."""
        numbers, signs = ctx.saved_tensors
        of_signs, of_scale = gradients
        through = of_signs if ctx.limited else CLIPPED(of_signs, numbers)  # limited to [-1, 1], both ends of which learn there
        return through + signs * (of_scale.reshape(-1, 1, 1, 1) / numbers[0].numel()), None


class BinaryConv2d(nn.Conv2d):
    """A convolution with binary weights; the real weights behind them are what is trained."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        *,
        arithmetic: Binary,
    ) -> None:
        super().__init__(c_in, c_out, kernel, stride, padding, dilation, groups, bias=False)
        self.arithmetic = arithmetic

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out i j"]:
        """The convolution with the signs, scaled."""
        padding = self.padding
        assert not isinstance(padding, str)
        return self.arithmetic(input, self.weight, self.stride, padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        """What `print` tells."""
        return f"{super().extra_repr()}, {self.arithmetic}"


def binary_conv2d(
    c_in: Any, c_out: Any, kernel: Any, stride: int = 1, *, arithmetic: Binary, dilation: int = 1, groups: Any = 1
) -> nn.Module:
    """`common.supernet.conv2d` with binary weights: padded to keep the size at stride 1; widths, kernel and groups may be open.

    Args:
        c_in: input channels.
        c_out: output channels.
        kernel: odd kernel size.
        stride: in pixels.
        arithmetic: how weights become binary.
        dilation: in pixels.
        groups: a number that divides both widths.

    Raises:
        UserError: as `conv2d`.
    """
    return conv2d(c_in, c_out, kernel, stride, dilation=dilation, groups=groups, bias=False, arithmetic=arithmetic)


def is_binary(module: nn.Module) -> bool:
    """Whether a module, of a supernet or of a network, is a convolution with binary weights."""
    return isinstance(getattr(module, "arithmetic", None), Binary)
