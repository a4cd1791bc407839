"""Class and box nets of EfficientDet (1911.09070, section 4.2): convolutions shared by all levels, BatchNorm of each level."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from detection.layers import NORM, SeparableConv2d


class Tower(nn.Module):
    """Some separable convolutions with BatchNorm and swish, then a separable convolution to the outputs."""

    def __init__(self, width: int, depth: int, levels: int, outputs: int, bias: float = 0.0) -> None:
        """Makes the net.

        Args:
            width: channels of the pyramid and of the net.
            depth: number of convolutions before the last.
            levels: of the pyramid; each has BatchNorms of its own.
            outputs: channels of the result.
            bias: initial value of the last convolution's biases.
        """
        super().__init__()
        self.convs = nn.ModuleList(SeparableConv2d(width, width) for _ in range(depth))
        self.norms = nn.ModuleList(nn.ModuleList(NORM(width) for _ in range(levels)) for _ in range(depth))
        self.act = nn.SiLU(inplace=True)
        self.predict = SeparableConv2d(width, outputs)
        nn.init.constant_(self.predict.get_submodule("pointwise").bias, bias)  # pyright: ignore[reportArgumentType]

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """A map of outputs for the map of each level."""
        results = []
        for level, x in enumerate(maps):
            for conv, norms in zip(self.convs, self.norms, strict=True):
                x = self.act(norms[level](conv(x)))  # pyright: ignore[reportIndexIssue]
            results.append(self.predict(x))
        return results
