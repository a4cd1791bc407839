"""The parts of a DCNAS cell: shape alignment, fusion module, mixture layer (arXiv 2003.11883), and the stem."""

from __future__ import annotations

import re
from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import UserError
from common.layers import Partial
from common.supernet import choose, choose_many
from segmentation.dcnas.space import SKIP, STEM, Cell, Network

Image = Float[Tensor, "n c h w"]
Maps = Mapping[str, Tensor]
"""Name of a cell, or `STEM`, -> its map."""


def conv_norm(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution of odd kernel, padded so that stride 2 rounds a size up, and BatchNorm."""
    return [nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(c_out)]


def stem(width: int, stride: int) -> nn.Sequential:
    """Three 3x3 convolutions with BatchNorm and ReLU, to `width` channels at a stride of 1, 2, 4 or 8.

    [R] The first two have half the channels; at stride 4 the first and the last halve the resolution, as in Auto-DeepLab.

    Raises:
        UserError: another stride.
    """
    strides = {1: (1, 1, 1), 2: (2, 1, 1), 4: (2, 1, 2), 8: (2, 2, 2)}
    if stride not in strides:
        raise UserError(f"stem of stride {stride}: choose one of {', '.join(map(str, strides))}")
    half = max(1, width // 2)
    layers: list[nn.Module] = []
    for c_in, c_out, s in zip((3, half, half), (half, half, width), strides[stride], strict=True):
        layers += [*conv_norm(c_in, c_out, 3, s), nn.ReLU()]
    return nn.Sequential(*layers)


class Enlarge(nn.Module):
    """From a coarser map: a 1x1 convolution, then bilinear interpolation to the size at the target's stride.

    [R] Corners are not aligned: pixels are areas, as in the heads of mmsegmentation, in search and retraining alike.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        """Makes the layer."""
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 1, bias=False)

    def forward(self, x: Image, size: tuple[int, int]) -> Float[Tensor, "n d i j"]:
        """The map at `size`, height and width."""
        return F.interpolate(self.conv(x), size, mode="bilinear", align_corners=False)


class Connection(nn.Module):
    """The map of one source, brought to the shape of a cell: H of the fusion module.

    From a finer source stride-2 3x3 convolutions, one for each octave, each to the width of its stride; from the same stride a
    1x1 convolution; from a coarser source `Enlarge`. [R] BatchNorm and ReLU stand between two convolutions, and nothing follows
    the last one: the sum is normalised.
    """

    def __init__(self, source: str, stride: int, net: Network) -> None:
        """Makes the connection from `source` to a cell at `stride`."""
        super().__init__()
        self.source = source
        self.enlarges = False
        at = source_stride(source, net)
        c_in, c_out = net.width_at(at), net.width_at(stride)
        if at > stride:
            self.enlarges = True
            self.align: nn.Module = Enlarge(c_in, c_out)
        elif at == stride:
            self.align = nn.Conv2d(c_in, c_out, 1, bias=False)
        else:
            layers: list[nn.Module] = []
            while at < stride:
                layers += [*conv_norm(net.width_at(at), net.width_at(2 * at), 3, 2), nn.ReLU()]
                at *= 2
            self.align = nn.Sequential(*layers[:-2])

    def forward(self, maps: Maps, size: tuple[int, int]) -> Float[Tensor, "n d i j"]:
        """The source's map, of the cell's width and of height and width `size`."""
        x = maps[self.source]
        return self.align(x, size) if self.enlarges else self.align(x)


def source_stride(source: str, net: Network) -> int:
    """The stride of the map called `source`.

    Raises:
        UserError: no cell has such a name.
    """
    if source == STEM:
        return net.stem_stride
    if not (match := re.fullmatch(r"s(\d+)_l\d+", source)):
        raise UserError(f"input {source!r}: a cell is called s8_l3 (stride 8, layer 3), the stem {STEM!r}")
    return int(match[1])


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise convolution, linear 1x1 projection, and the input added (MobileNetV2, arXiv 1801.04381)."""

    def __init__(self, width: int, kernel: int, expansion: int) -> None:
        """Makes the block, of `width` channels in and out."""
        super().__init__()
        inner = width * expansion
        self.layers = nn.Sequential(
            *conv_norm(width, inner, 1),
            nn.ReLU(),
            *conv_norm(inner, inner, kernel, groups=inner),
            nn.ReLU(),
            *conv_norm(inner, width, 1),
        )

    def forward(self, x: Image) -> Image:
        """A map of the same shape."""
        return x + self.layers(x)


def operator(name: str, width: int) -> nn.Module:
    """The operator called `name`, on so many channels: `skip`, or `ir_k3_e6` (kernel 3, expansion 6).

    Raises:
        UserError: there is none.
    """
    if name == SKIP:
        return nn.Identity()
    if not (match := re.fullmatch(r"ir_k([3579])_e(\d+)", name)):
        raise UserError(f"operator {name!r} does not exist; write {SKIP}, or ir_k3_e6 for kernel 3 (3, 5, 7, 9) and expansion 6")
    return InvertedResidual(width, int(match[1]), int(match[2]))


class CellModule(nn.Module):
    """Fusion module and mixture layer of a cell.

    The sum of the connections goes through BatchNorm, since weights that a softmax shares out make it a mean, not a sum, and
    ReLU [R], so that a cell of one connection and `skip` is not linear. The mixture layer has channels of one width, as its
    bypass needs.
    """

    def __init__(self, cell: Cell, net: Network) -> None:
        """Makes the module of `cell`, open or settled."""
        super().__init__()
        width = net.width_at(cell.stride)
        self.scale = cell.stride // net.stem_stride
        self.fusion = choose_many(cell.inputs, lambda source: Connection(source, cell.stride, net))
        self.norm = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())
        op = choose(cell.op, lambda name: operator(name, width // net.partial))
        self.op = op if net.partial == 1 else Partial(op, net.partial, 1)

    def forward(self, maps: Maps) -> Float[Tensor, "n c h w"]:
        """The cell's map."""
        height, width = maps[STEM].shape[-2:]
        size = (-(-height // self.scale), -(-width // self.scale))
        return self.op(self.norm(self.fusion(maps, size)))
