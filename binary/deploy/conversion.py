"""A trained binary network with packed convolutions in the place of its convolutions of signs; it gives the same bits.

Example: of `Sequential(Sequential(Shift, Sign), BinaryConv2d, BatchNorm2d)` the packed convolution adds the shift and takes the
signs itself, so that what remains is `Sequential(Identity, Packed, BatchNorm2d)`, where `Packed` multiplies by the scales of the
filters. Sums of +1 and -1 are whole numbers below 2^24, which float32 adds in any order without rounding: both networks compute
the same numbers from there on.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from binary.layers.activations import Shift, Sign, ZeroOne
from binary.layers.convolution import BinaryConv2d, is_binary
from binary.packed.layer import PackedConv2d
from binary.packed.operator import Kernel
from common.errors import UserError

MOST = 2**24
"""Products that float32 adds up exactly, whatever the order."""


class Packed(nn.Module):
    """A packed convolution, times the scales of its filters or its layer."""

    scale: Tensor | None

    def __init__(self, convolution: PackedConv2d, scale: Tensor | None) -> None:
        super().__init__()
        self.convolution = convolution
        self.register_buffer("scale", None if scale is None else scale.detach().clone())

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out i j"]:
        """The scaled convolution of the signs of `x`."""
        out = self.convolution(x)
        return out if self.scale is None else out.mul_(self.scale)  # in place: `out` is nobody else's


class _Place(NamedTuple):
    """A convolution and what makes its activations, both in one `nn.Sequential`."""

    name: str
    row: nn.Sequential
    at: int


def packed(network: nn.Module, kernel: Kernel = "numba") -> nn.Module:
    """A copy of a network in eval mode in which every convolution with binary weights is packed.

    Args:
        network: standalone; it is not changed.
        kernel: what computes the packed convolutions.

    Raises:
        UserError: there is no binary convolution, or one that cannot be packed, which is named; the kernel cannot be used here.
    """
    made = copy.deepcopy(network).eval()
    places = _places(made)
    if not places:
        raise UserError("the network has no convolution with binary weights: there is nothing to pack; export it instead")
    for place in places:
        _pack(place, kernel)
    return made


def _places(network: nn.Module) -> list[_Place]:
    """The binary convolutions, in order.

    Raises:
        UserError: one is of a supernet, or not in a `nn.Sequential` behind another layer.
    """
    parents = {id(child): (parent, name) for parent in network.modules() for name, child in parent.named_children()}
    found = []
    for name, module in network.named_modules():
        if not is_binary(module):
            continue
        if not isinstance(module, BinaryConv2d):
            raise UserError(f"{name} is of a supernet, whose width is open: extract the network of an architecture and pack that")
        if module.arithmetic.real:
            raise UserError(f"{name} has real weights, as in the first stage of a training: finish the training, then pack")
        parent, own = parents[id(module)]
        if not isinstance(parent, nn.Sequential) or own == "0":
            raise UserError(f"{name}: {RULE}")
        found.append(_Place(name, parent, int(own)))
    return found


RULE = (
    "it cannot be packed, since its activations are not seen to be binary; put Sign() or ZeroOne() right before it in the same "
    "nn.Sequential"
)


def _pack(place: _Place, kernel: Kernel) -> None:
    row, index = place.row, place.at
    convolution = row[index]
    assert isinstance(convolution, BinaryConv2d)
    before = _layers(row[index - 1])
    bits = isinstance(before[-1], ZeroOne)
    if not bits and not isinstance(before[-1], Sign):
        raise UserError(f"{place.name}: {RULE}")
    if convolution.weight[0].numel() >= MOST:
        raise UserError(
            f"{place.name}: {convolution.weight[0].numel():,} products of an output round in float32; use more groups"
        )
    padding = convolution.padding
    assert not isinstance(padding, str)
    threshold = None
    if not bits:  # the packed convolution takes the signs, of the sum with a shift right before them
        shift = before[-2] if len(before) > 1 else None
        threshold = shift.bias.detach().flatten() if isinstance(shift, Shift) else None
        rest = before[: -1 if threshold is None else -2]
        row[index - 1] = nn.Sequential(*rest) if rest else nn.Identity()
    weight = convolution.arithmetic.seen(convolution.weight.detach())
    made = PackedConv2d(
        weight,
        stride=(convolution.stride[0], convolution.stride[1]),
        padding=(padding[0], padding[1]),
        dilation=(convolution.dilation[0], convolution.dilation[1]),
        groups=convolution.groups,
        activations="bits" if bits else "sign",
        threshold=threshold,
        kernel=kernel,
    )
    row[index] = Packed(made, convolution.arithmetic.scales(weight))


def _layers(module: nn.Module) -> list[nn.Module]:
    """A layer, or those of a `nn.Sequential` in order."""
    return [layer for part in module for layer in _layers(part)] if isinstance(module, nn.Sequential) else [module]
