"""Layers with elastic width and kernel: the leading slices of the widest layer, the centre of the largest kernel.

Each constructor takes settled numbers or `Open` decisions; with nothing open it returns the plain torch layer. An elastic layer
reads its *input* width from the tensor it is given, so a network passes widths on without saying so twice. Slices as in
Slimmable Networks (Yu et al., 2018) and BigNAS (Yu et al., 2020, section 3): leading filters, centre crop of the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import UserError
from common.layers import Scale, Shift
from common.supernet.choice import Deciding
from common.supernet.open import Open, largest

Region = tuple[slice, ...]
Padding = Literal["zeros", "reflect", "replicate", "circular"]
"""What lies outside a map, in torch's words."""


class Elastic(Deciding):
    """A layer of which a region of the weights is active; remembers the regions that training steps used."""

    feature_axis: ClassVar[int] = 1
    """The dimension of its input whose width it slices its weights by; see `common.trace.feature_axis`."""
    seen: set[tuple[int, ...]]
    out: Any

    def gates(self) -> tuple[Open, ...]:
        """The output width, where one decision sets it: see `gated`."""
        out = getattr(self, "out", None)
        return (out,) if isinstance(out, Open) and len(out.slots) == 1 else ()

    def gated(self, output: Tensor) -> Tensor:
        """`output` times the weight of the width that a sampled mixture takes: 1, through which that width's logits learn."""
        for width in self.gates():
            slot = width.slots[0]
            if slot.mixed is not None and slot.mixed.weights.requires_grad:
                output = slot.mixed.weights[slot.active] * output
        return output

    def note(self, region: tuple[int, ...]) -> None:
        """Remembers a region used by a forward pass that gradients will flow through."""
        if self.training and torch.is_grad_enabled():
            self.seen.add(region)

    def regions(self, name: str, region: tuple[int, ...]) -> Region:
        """The slices of parameter `name` (`weight` or `bias`) that `region` stands for."""
        raise AssertionError("abstract")


def _crop(kernel: int, largest_kernel: int) -> slice:
    start = (largest_kernel - kernel) // 2
    return slice(start, start + kernel)


class ElasticConv2d(Elastic, nn.Conv2d):
    """A convolution with elastic width and kernel; `depthwise` ones have one filter per channel of their input."""

    def __init__(
        self,
        widest_in: int,
        out: Any,
        kernel: Any,
        stride: int,
        dilation: int,
        *,
        depthwise: bool,
        bias: bool,
        padding_mode: Padding,
    ) -> None:
        widest, k = largest(out), largest(kernel)
        groups = widest_in if depthwise else 1
        nn.Conv2d.__init__(self, widest_in, widest, k, stride, k // 2 * dilation, dilation, groups, bias, padding_mode)
        self.out, self.kernel, self.depthwise = out, kernel, depthwise
        self.decisions = tuple(d for d in ((kernel,) if depthwise else (out, kernel)) if isinstance(d, Open))
        self.seen = set()

    def forward(self, input: Tensor) -> Tensor:
        """`(n, active in, h, w)` -> `(n, active out, h', w')`."""
        c = input.shape[1]
        n = c if self.depthwise else self.out.value() if isinstance(self.out, Open) else self.out
        k = self.kernel.value() if isinstance(self.kernel, Open) else self.kernel
        self.note((n, c, k))
        weight, bias = self.weight[self.regions("weight", (n, c, k))], None if self.bias is None else self.bias[:n]
        groups = n if self.depthwise else 1
        padding = k // 2 * self.dilation[0]
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, (padding,) * 4, mode=self.padding_mode), 0
        return self.gated(F.conv2d(input, weight, bias, self.stride, padding, self.dilation, groups))

    def regions(self, name: str, region: tuple[int, ...]) -> Region:
        """`region` is (filters, input channels, kernel size)."""
        n, c, k = region
        if name == "bias":
            return (slice(n),)
        crop = _crop(k, self.weight.shape[-1])
        return slice(n), slice(1 if self.depthwise else c), crop, crop

    def plain(self) -> nn.Module:
        """A plain convolution, as wide as the widest input: `extract` takes the leading slices."""
        k = self.kernel.value() if isinstance(self.kernel, Open) else self.kernel
        n = self.out.value() if isinstance(self.out, Open) else self.out
        plain = nn.Conv2d(1, 1, k, bias=self.bias is not None, device="meta")
        plain.weight = nn.Parameter(self.weight.detach()[self.regions("weight", (n, self.in_channels, k))])
        if self.bias is not None:
            plain.bias = nn.Parameter(self.bias.detach()[:n])
        return plain


class ElasticConvTranspose2d(Elastic, nn.ConvTranspose2d):
    """A transposed convolution with elastic widths."""

    def __init__(self, widest_in: int, out: Any, kernel: int, stride: int, *, bias: bool) -> None:
        nn.ConvTranspose2d.__init__(
            self, widest_in, largest(out), kernel, stride, kernel // 2, output_padding=stride - 1, bias=bias
        )
        self.out = out
        self.decisions = (out,) if isinstance(out, Open) else ()
        self.seen = set()

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """`(n, active in, h, w)` -> `(n, active out, h * stride, w * stride)`, the only size there is."""
        assert output_size is None
        n, c = self.out.value() if isinstance(self.out, Open) else self.out, input.shape[1]
        self.note((n, c))
        bias = None if self.bias is None else self.bias[:n]
        weight, padding = self.weight[:c, :n], self.kernel_size[0] // 2
        return self.gated(F.conv_transpose2d(input, weight, bias, self.stride, padding, self.output_padding))

    def regions(self, name: str, region: tuple[int, ...]) -> Region:
        """`region` is (filters, input channels)."""
        n, c = region
        return (slice(n),) if name == "bias" else (slice(c), slice(n), *map(slice, self.kernel_size))

    def plain(self) -> nn.Module:
        """A plain transposed convolution, as wide as the widest input: `extract` takes the leading slices."""
        n = self.out.value() if isinstance(self.out, Open) else self.out
        plain = nn.ConvTranspose2d(1, 1, self.kernel_size[0], bias=self.bias is not None, device="meta")
        plain.weight = nn.Parameter(self.weight.detach()[:, :n])
        if self.bias is not None:
            plain.bias = nn.Parameter(self.bias.detach()[:n])
        return plain


class ElasticLinear(Elastic, nn.Linear):
    """A linear layer with elastic output width."""

    feature_axis = -1

    def __init__(self, widest_in: int, out: Any, *, bias: bool) -> None:
        nn.Linear.__init__(self, widest_in, largest(out), bias)
        self.out = out
        self.decisions = (out,) if isinstance(out, Open) else ()
        self.seen = set()

    def forward(self, input: Tensor) -> Tensor:
        """`(..., active in)` -> `(..., active out)`; a matrix of inputs may be sparse."""
        n, c = self.out.value() if isinstance(self.out, Open) else self.out, input.shape[-1]
        self.note((n, c))
        return self.gated(F.linear(input, self.weight[:n, :c], None if self.bias is None else self.bias[:n]))

    def regions(self, name: str, region: tuple[int, ...]) -> Region:
        """`region` is (output features, input features)."""
        return (slice(region[0]),) if name == "bias" else (slice(region[0]), slice(region[1]))

    def plain(self) -> nn.Module:
        """A plain linear layer, as wide as the widest input: `extract` takes the leading slices."""
        n = self.out.value() if isinstance(self.out, Open) else self.out
        plain = nn.Linear(1, 1, self.bias is not None, device="meta")
        plain.weight = nn.Parameter(self.weight.detach()[:n])
        if self.bias is not None:
            plain.bias = nn.Parameter(self.bias.detach()[:n])
        return plain


class ElasticBatchNorm2d(Elastic, nn.BatchNorm2d):
    """Batch normalisation of the leading channels. Widths share statistics: recalibrate before evaluating one."""

    def __init__(self, widest: int) -> None:
        nn.BatchNorm2d.__init__(self, widest)
        self.decisions = ()
        self.seen = set()

    def forward(self, input: Tensor) -> Tensor:
        """`(n, active width, h, w)` -> the same shape."""
        n = input.shape[1]
        self.note((n,))
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        factor = 0.0 if self.momentum is None else self.momentum
        if self.training:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # a cumulative average, as in nn.BatchNorm2d
                factor = 1.0 / float(self.num_batches_tracked)
        mean, var = self.running_mean[:n], self.running_var[:n]
        return F.batch_norm(input, mean, var, self.weight[:n], self.bias[:n], self.training, factor, self.eps)

    def regions(self, name: str, region: tuple[int, ...]) -> Region:
        """`region` is (channels,)."""
        return (slice(region[0]),)

    def plain(self) -> nn.Module:
        """Itself in all but name: its state has the plain layer's entries."""
        return self


class ElasticInstanceNorm2d(Elastic, nn.InstanceNorm2d):
    """Instance normalisation of the leading channels, with or without affine weights."""

    def __init__(self, widest: int, *, affine: bool) -> None:
        nn.InstanceNorm2d.__init__(self, widest, affine=affine)
        self.decisions = ()
        self.seen = set()

    def forward(self, input: Tensor) -> Tensor:
        """`(n, active width, h, w)` -> the same shape."""
        n = input.shape[1]
        self.note((n,))
        weight, bias = (self.weight[:n], self.bias[:n]) if self.affine else (None, None)
        return F.instance_norm(input, None, None, weight, bias, True, self.momentum or 0.0, self.eps)

    def regions(self, name: str, region: tuple[int, ...]) -> Region:
        """`region` is (channels,)."""
        return (slice(region[0]),)

    def plain(self) -> nn.Module:
        """Itself in all but name: its state has the plain layer's entries."""
        return self


class ElasticScale(Elastic, Scale):
    """A scaling of the leading entries of the last dimension."""

    feature_axis = -1

    def __init__(self, widest: int, bound: float) -> None:
        Scale.__init__(self, widest, bound)
        self.decisions = ()
        self.seen = set()

    def forward(self, x: Tensor) -> Tensor:
        """`(..., active width)` -> the same shape."""
        n = x.shape[-1]
        self.note((n,))
        return x * self.weight[:n]

    def regions(self, name: str, region: tuple[int, ...]) -> Region:
        """`region` is (width,)."""
        return (slice(region[0]),)

    def plain(self) -> nn.Module:
        """Itself in all but name: its state has the plain layer's entries."""
        return self


class ElasticShift(Elastic, Shift):
    """A bias of the leading entries of the last dimension."""

    feature_axis = -1

    def __init__(self, widest: int) -> None:
        Shift.__init__(self, widest)
        self.decisions = ()
        self.seen = set()

    def forward(self, x: Tensor) -> Tensor:
        """`(..., active width)` -> the same shape."""
        n = x.shape[-1]
        self.note((n,))
        return x + self.bias[:n]

    def regions(self, name: str, region: tuple[int, ...]) -> Region:
        """`region` is (width,)."""
        return (slice(region[0]),)

    def plain(self) -> nn.Module:
        """Itself in all but name: its state has the plain layer's entries."""
        return self


def _check_odd(kernel: Any) -> None:
    for size in kernel.meanings if isinstance(kernel, Open) else (kernel,):
        if size % 2 == 0:
            raise UserError(
                f"kernel {size} is even: its output has another size than that of an odd kernel; give odd kernels, or write the "
                "padding yourself around nn.Conv2d"
            )


def conv2d(
    c_in: Any,
    c_out: Any,
    kernel: Any,
    stride: int = 1,
    *,
    dilation: int = 1,
    bias: bool = True,
    padding_mode: Padding = "zeros",
) -> nn.Module:
    """A convolution, padded to keep the size at stride 1; widths and kernel may be open.

    Raises:
        UserError: a kernel is even.
    """
    _check_odd(kernel)
    if any(isinstance(value, Open) for value in (c_in, c_out, kernel)):
        return ElasticConv2d(
            largest(c_in), c_out, kernel, stride, dilation, depthwise=False, bias=bias, padding_mode=padding_mode
        )
    padding = kernel // 2 * dilation
    return nn.Conv2d(c_in, c_out, kernel, stride, padding, dilation, bias=bias, padding_mode=padding_mode)


def depthwise(
    width: Any, kernel: Any, stride: int = 1, *, dilation: int = 1, bias: bool = True, padding_mode: Padding = "zeros"
) -> nn.Module:
    """A depthwise convolution, as wide as its input; width and kernel may be open.

    Raises:
        UserError: a kernel is even.
    """
    _check_odd(kernel)
    if isinstance(width, Open) or isinstance(kernel, Open):
        widest = largest(width)
        return ElasticConv2d(widest, widest, kernel, stride, dilation, depthwise=True, bias=bias, padding_mode=padding_mode)
    return nn.Conv2d(width, width, kernel, stride, kernel // 2 * dilation, dilation, width, bias, padding_mode)


def conv_transpose2d(c_in: Any, c_out: Any, kernel: int, stride: int, *, bias: bool = True) -> nn.Module:
    """A transposed convolution that makes maps `stride` times as large; widths may be open.

    Raises:
        UserError: the kernel is even.
    """
    _check_odd(kernel)
    if isinstance(c_in, Open) or isinstance(c_out, Open):
        return ElasticConvTranspose2d(largest(c_in), c_out, kernel, stride, bias=bias)
    return nn.ConvTranspose2d(c_in, c_out, kernel, stride, kernel // 2, output_padding=stride - 1, bias=bias)


def linear(features_in: Any, features_out: Any, *, bias: bool = True) -> nn.Module:
    """A linear layer; widths may be open."""
    if isinstance(features_in, Open) or isinstance(features_out, Open):
        return ElasticLinear(largest(features_in), features_out, bias=bias)
    return nn.Linear(features_in, features_out, bias)


def scale(width: Any, bound: float) -> nn.Module:
    """A weight for each entry of the last dimension, whose width may be open; see `common.layers.Scale`."""
    return ElasticScale(largest(width), bound) if isinstance(width, Open) else Scale(width, bound)


def shift(width: Any) -> nn.Module:
    """A bias of the last dimension, whose width may be open."""
    return ElasticShift(largest(width)) if isinstance(width, Open) else Shift(width)


def batch_norm(width: Any) -> nn.Module:
    """Batch normalisation over `width` channels, which may be open."""
    return ElasticBatchNorm2d(largest(width)) if isinstance(width, Open) else nn.BatchNorm2d(width)


def instance_norm(width: Any, *, affine: bool = False) -> nn.Module:
    """Instance normalisation over `width` channels, which may be open."""
    if isinstance(width, Open):
        return ElasticInstanceNorm2d(largest(width), affine=affine)
    return nn.InstanceNorm2d(width, affine=affine)


def elastic_layers(module: nn.Module) -> Iterator[Elastic]:
    """Every elastic layer in `module`."""
    yield from (m for m in module.modules() if isinstance(m, Elastic))
