"""Transposed convolutions with elastic widths."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from common.supernet.convolution import check_odd
from common.supernet.elastic import Elastic, Region, widest
from common.supernet.open import Open, current, largest


class ElasticConvTranspose2d(Elastic, nn.ConvTranspose2d):
    """A transposed convolution with elastic widths."""

    feature_axis = -3
    sets_width = True

    def __init__(self, widest_in: int, out: Any, kernel: int, stride: int, *, bias: bool) -> None:
        nn.ConvTranspose2d.__init__(
            self, widest_in, largest(out), kernel, stride, kernel // 2, output_padding=stride - 1, bias=bias
        )
        self.out = out
        self.reads(out)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """`(n, active in, h, w)` -> `(n, active out, h * stride, w * stride)`, the only size there is."""
        assert output_size is None
        n, c = current(self.out), input.shape[-3]
        self.note((n, c))
        bias = None if self.bias is None else self.bias[:n]
        weight, padding = self.weight[:c, :n], self.kernel_size[0] // 2
        return self.gated(F.conv_transpose2d(input, weight, bias, self.stride, padding, self.output_padding))

    def shaped_by(self) -> tuple[Open, ...]:
        """The output width."""
        return (self.out,) if isinstance(self.out, Open) else ()

    def regions(self, name: str, region: tuple[int, ...]) -> Region:
        """`region` is (filters, input channels)."""
        n, c = region
        return (slice(n),) if name == "bias" else (slice(c), slice(n), *map(slice, self.kernel_size))

    def plain(self) -> nn.Module:
        """A plain transposed convolution, as wide as the widest input: `extract` takes the leading slices."""
        n = current(self.out)
        plain = nn.ConvTranspose2d(1, 1, self.kernel_size[0], bias=self.bias is not None, device="meta")
        plain.weight = nn.Parameter(self.weight.detach()[:, :n])
        if self.bias is not None:
            plain.bias = nn.Parameter(self.bias.detach()[:n])
        return plain


def conv_transpose2d(c_in: Any, c_out: Any, kernel: int, stride: int, *, bias: bool = True) -> nn.Module:
    """A transposed convolution that makes maps `stride` times as large; widths may be open.

    Raises:
        UserError: the kernel is even, or a number is not a whole one of 1 or more.
    """
    check_odd(kernel)
    widest_in = widest(c_in, "c_in")
    widest(c_out, "c_out")
    if isinstance(c_in, Open) or isinstance(c_out, Open):
        return ElasticConvTranspose2d(widest_in, c_out, kernel, stride, bias=bias)
    return nn.ConvTranspose2d(c_in, c_out, kernel, stride, kernel // 2, output_padding=stride - 1, bias=bias)
