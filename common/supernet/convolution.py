"""Convolutions with elastic widths, kernels and groups, in 1, 2 and 3 dimensions."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Protocol

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd

from common.errors import UserError
from common.supernet.elastic import Elastic, Region, grouped, number, pairs, widest
from common.supernet.open import Open, current, largest, meanings

Padding = Literal["zeros", "reflect", "replicate", "circular"]
"""What lies outside a map, in torch's words."""

PLAIN: dict[int, type[_ConvNd]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CONVOLVE: dict[int, Any] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


class Arithmetic(Protocol):
    """How a convolution over images computes, where it does not add up real products: with binary weights, for instance.

    It is compared by value: two layers of one arithmetic have equal ones.
    """

    def __call__(
        self, input: Tensor, weight: Tensor, stride: tuple[int, ...], padding: int, dilation: tuple[int, ...], groups: int
    ) -> Tensor:
        """The output, shaped like that of `F.conv2d`, from the part of the weights that a path uses."""
        ...

    def layer(self, c_in: int, c_out: int, kernel: int, stride: int, padding: int, dilation: int, groups: int) -> nn.Conv2d:
        """The plain layer, without a bias; its weight is shaped like that of `nn.Conv2d`."""
        ...


class ElasticConv(Elastic, _ConvNd):
    """A convolution with elastic widths, kernel and groups. `groups=None`: depthwise, one filter for each channel of the input.

    A path uses the leading filters and, of each filter, the leading channels of a group: `weight[:filters, :channels // groups]`.
    """

    dims: ClassVar[int]
    arithmetic: Arithmetic | None = None
    """How it computes; None: real products."""

    def __init__(
        self, c_in: Any, out: Any, kernel: Any, stride: int, *, dilation: int, groups: Any, bias: bool, padding_mode: Padding
    ) -> None:
        n, k, d = largest(out), largest(kernel), self.dims
        self.sets_width = groups is not None
        reading = 1 if groups is None else max(c // parts for c, parts in meanings(pairs(c_in, groups, "c_in")))
        sizes = ((k,) * d, (stride,) * d, (k // 2 * dilation,) * d, (dilation,) * d)
        _ConvNd.__init__(self, reading, n, *sizes, False, (0,) * d, 1, bias, padding_mode)
        self.in_channels, self.groups = largest(c_in), largest(c_in) // reading
        self.out, self.kernel = n if groups is None else out, kernel
        self.parts = None if groups is None else grouped(c_in, groups, "c_in")
        self.reads(self.out, kernel, self.parts)

    def forward(self, input: Tensor) -> Tensor:
        """`(n, active in, ...)` -> `(n, active out, ...)`."""
        c, k, d = input.shape[self.feature_axis], current(self.kernel), self.dims
        groups = c if self.parts is None else number(self.parts, c)
        n = c if self.parts is None else current(self.out)
        region = (n, c // groups, k)
        self.note(region)
        weight, bias = self.weight[self.regions("weight", region)], None if self.bias is None else self.bias[:n]
        padding = k // 2 * self.dilation[0]
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, (padding,) * (2 * d), mode=self.padding_mode), 0
        if self.arithmetic is not None:
            return self.gated(self.arithmetic(input, weight, self.stride, padding, self.dilation, groups))
        return self.gated(CONVOLVE[d](input, weight, bias, self.stride, padding, self.dilation, groups))

    def shaped_by(self) -> tuple[Open, ...] | None:
        """The output width: odd kernels are padded alike. None where the groups are a decision that some widths may not have."""
        if isinstance(self.parts, Open):
            return None
        return (self.out,) if self.parts is not None and isinstance(self.out, Open) else ()

    def regions(self, name: str, region: tuple[int, ...]) -> Region:
        """`region` is (filters, input channels of a filter, kernel size)."""
        n, c, k = region
        start = (self.weight.shape[-1] - k) // 2
        return (slice(n),) if name == "bias" else (slice(n), slice(c), *(slice(start, start + k),) * self.dims)

    def plain(self) -> nn.Module:
        """A plain convolution, as wide as the widest input: `extract` takes the leading slices."""
        k, n = current(self.kernel), current(self.out)
        plain: Any
        if self.arithmetic is None:
            plain = PLAIN[self.dims](1, 1, k, bias=self.bias is not None, device="meta")  # pyright: ignore[reportCallIssue]
        else:
            plain = self.arithmetic.layer(1, 1, k, 1, 0, 1, 1)
        plain.weight = nn.Parameter(self.weight.detach()[self.regions("weight", (n, self.weight.shape[1], k))])
        if self.bias is not None:
            plain.bias = nn.Parameter(self.bias.detach()[:n])
        return plain


class ElasticConv1d(ElasticConv, nn.Conv1d):
    """`ElasticConv` over sequences, `(n, c, l)`."""

    dims, feature_axis = 1, -2


class ElasticConv2d(ElasticConv, nn.Conv2d):
    """`ElasticConv` over images, `(n, c, h, w)`."""

    dims, feature_axis = 2, -3


class ElasticConv3d(ElasticConv, nn.Conv3d):
    """`ElasticConv` over volumes, `(n, c, d, h, w)`."""

    dims, feature_axis = 3, -4


ELASTIC: dict[int, type[ElasticConv]] = {1: ElasticConv1d, 2: ElasticConv2d, 3: ElasticConv3d}


def check_odd(kernel: Any) -> None:
    """Refuses even kernels.

    Raises:
        UserError: an option is even, or is no whole number of 1 or more.
    """
    widest(kernel, "kernel")
    for size in meanings(kernel):
        if size % 2 == 0:
            raise UserError(
                f"kernel {size} is even: its output has another size than that of an odd kernel; give odd kernels, or write the "
                "padding yourself around nn.Conv2d"
            )


def _convolution(
    dims: int,
    c_in: Any,
    c_out: Any,
    kernel: Any,
    stride: int,
    dilation: int,
    groups: Any,
    bias: bool,
    padding_mode: Padding,
    arithmetic: Arithmetic | None = None,
) -> nn.Module:
    """A convolution of any number of dimensions; `groups=None` makes a depthwise one."""
    check_odd(kernel)
    if groups is None:
        widest(c_in, "width")
    else:
        pairs(c_in, groups, "c_in")
        pairs(c_out, groups, "c_out")
    if any(isinstance(value, Open) for value in (c_in, c_out, kernel, groups)):
        made = ELASTIC[dims](c_in, c_out, kernel, stride, dilation=dilation, groups=groups, bias=bias, padding_mode=padding_mode)
        made.arithmetic = arithmetic
        return made
    parts = c_in if groups is None else groups
    if arithmetic is not None:
        return arithmetic.layer(c_in, c_out, kernel, stride, kernel // 2 * dilation, dilation, parts)
    plain: Any = PLAIN[dims]
    return plain(c_in, c_out, kernel, stride, kernel // 2 * dilation, dilation, parts, bias, padding_mode)


def conv1d(
    c_in: Any,
    c_out: Any,
    kernel: Any,
    stride: int = 1,
    *,
    dilation: int = 1,
    groups: Any = 1,
    bias: bool = True,
    padding_mode: Padding = "zeros",
) -> nn.Module:
    """A convolution over sequences, `(n, c, l)`; arguments and errors are those of `conv2d`."""
    return _convolution(1, c_in, c_out, kernel, stride, dilation, groups, bias, padding_mode)


def conv2d(
    c_in: Any,
    c_out: Any,
    kernel: Any,
    stride: int = 1,
    *,
    dilation: int = 1,
    groups: Any = 1,
    bias: bool = True,
    padding_mode: Padding = "zeros",
    arithmetic: Arithmetic | None = None,
) -> nn.Module:
    """A convolution over images, padded to keep the size at stride 1; widths, kernel and groups may be open.

    With groups a path uses `weight[:c_out, :c_in // groups]`, the leading slices again, so that extraction, idle weights and the
    state dict of the widest layer are those of a convolution without groups. Two forms of elastic width follow.

    A fixed number of groups, `groups=4`: filter r writes channel r at every width, and reads the leading channels of its group,
    which lie elsewhere in the input at another width. A fixed number of channels in a group (ResNeXt's, RegNet's):
    `groups=fmap(lambda width: width // 16, net.width)`, where a narrower path has fewer groups, and each filter reads the same
    channels at every width. Weights are shared better so; prefer it where the design leaves the choice.

    Args:
        c_in: input channels.
        c_out: output channels.
        kernel: odd kernel size, the same in each dimension. An open kernel is the centre of the largest.
        stride: the same in each dimension.
        dilation: the same in each dimension.
        groups: a number that divides `c_in` and `c_out`: fixed, computed from `c_in`, or a decision of its own.
        bias: whether a bias is added.
        padding_mode: what lies outside of a map.
        arithmetic: how it computes, where that is not with real products; such a layer has no bias.

    Raises:
        UserError: a kernel is even, groups do not divide a width, a number is not a whole one of 1 or more, or a layer with an
            arithmetic of its own is given a bias.

    >>> from common.space import OneOf
    >>> from common.supernet import fmap, opened
    >>> width = opened(OneOf(32, 64), "width")
    >>> layer = conv2d(width, width, 3, groups=fmap(lambda width: width // 16, width))
    >>> layer.weight.shape, layer.groups  # as wide as the widest
    (torch.Size([64, 16, 3, 3]), 4)
    """
    if arithmetic is not None and bias:
        raise UserError("a convolution with an arithmetic of its own has no bias: give bias=False")
    return _convolution(2, c_in, c_out, kernel, stride, dilation, groups, bias, padding_mode, arithmetic)


def conv3d(
    c_in: Any,
    c_out: Any,
    kernel: Any,
    stride: int = 1,
    *,
    dilation: int = 1,
    groups: Any = 1,
    bias: bool = True,
    padding_mode: Padding = "zeros",
) -> nn.Module:
    """A convolution over volumes, `(n, c, d, h, w)`; arguments and errors are those of `conv2d`."""
    return _convolution(3, c_in, c_out, kernel, stride, dilation, groups, bias, padding_mode)


def depthwise(
    width: Any, kernel: Any, stride: int = 1, *, dilation: int = 1, bias: bool = True, padding_mode: Padding = "zeros"
) -> nn.Module:
    """A depthwise convolution over images, as wide as its input; width and kernel may be open.

    Raises:
        UserError: a kernel is even, or a number is not a whole one of 1 or more.
    """
    return _convolution(2, width, width, kernel, stride, dilation, None, bias, padding_mode)
