"""The layer: a convolution of signs with packed weights."""

from __future__ import annotations

from typing import Any, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from binary.packed.geometry import Geometry
from binary.packed.operator import Kernel, load, numbers, packed_conv2d
from binary.packed.words import Activations, Pad, arrays, pack_weights
from common.errors import UserError, shown


class PackedConv2d(nn.Module):
    """The convolution of the signs of activations with the signs of weights, as `F.conv2d` computes it of +1 and -1.

    Its state holds one bit per weight: `words`, int64, (output channels, bits of an output channel / 64). It has no gradients.
    Where torch has several threads, each computes a share of the output pixels.
    """

    words: Tensor
    lanes: Tensor
    base: Tensor
    corrections: Tensor
    threshold: Tensor | None

    def __init__(
        self,
        weight: Float[Tensor, "out c kh kw"],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        activations: Activations = "sign",
        pad: Pad = "zero",
        threshold: Float[Tensor, "channels"] | None = None,
        kernel: Kernel = "numba",
    ) -> None:
        """Packs the weights.

        Args:
            weight: input channels are those of one group; 0 or more counts as +1, less as -1.
            stride: in both directions, or vertically and horizontally, as `padding` and `dilation`.
            padding: pixels around the input.
            dilation: steps between taps.
            groups: of channels; outputs of a group see its inputs only.
            activations: `sign` takes 0 or more as +1 and less as -1; `bits` takes 0.5 or more as 1 and less as 0.
            pad: taps outside of the image count as 0, or as +1.
            threshold: for each input channel, added to activations before signs are taken.
            kernel: what computes; see `binary.packed.operator.Kernel`.

        Raises:
            UserError: a value that cannot be, or a kernel that cannot be used here.
        """
        super().__init__()
        for name, value, allowed in (("activations", activations, Activations), ("pad", pad, Pad)):
            if value not in get_args(allowed):
                raise UserError(f"{name}={shown(value)}: give one of {', '.join(get_args(allowed))}")
        if activations == "bits" and pad == "one":
            raise UserError("pad='one' with activations='bits': only signs are padded with +1; give pad='zero'")
        if activations == "bits" and threshold is not None:
            raise UserError("a threshold with activations='bits': only signs have one; leave it out")
        _check_float32("weight", weight)
        self.geometry = Geometry(
            channels=weight.shape[1] * groups,
            outputs=weight.shape[0],
            kernel=(weight.shape[2], weight.shape[3]),
            stride=_pair(stride),
            padding=_pair(padding),
            dilation=_pair(dilation),
            groups=groups,
        )
        if threshold is not None:
            _check_float32("threshold", threshold)
            if threshold.shape != (self.geometry.channels,):
                raise UserError(f"a threshold of {len(threshold)} channels: give one for each of {self.geometry.channels} inputs")
        load(kernel)
        self._sizes = numbers(self.geometry)
        self.activations: Activations = activations
        self.pad: Pad = pad
        self.kernel: Kernel = kernel
        self.register_buffer("words", pack_weights(weight).to(weight.device))
        self.register_buffer("threshold", None if threshold is None else threshold.detach().clone())
        for name in ("lanes", "base", "corrections"):
            self.register_buffer(name, None, persistent=False)
        self._arrange()

    def _arrange(self) -> None:
        """Makes of the words what kernels read.

        The lanes are kept in three dimensions: `network.to(memory_format=torch.channels_last)` moves what has four.
        """
        made = arrays(self.words, self.geometry, self.activations, self.pad)
        self.lanes, self.base, self.corrections = (
            part.to(self.words.device) for part in (made.lanes.flatten(0, 1), made.base, made.corrections)
        )

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        self._arrange()

    def forward(self, x: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n out oh ow"]:
        """The convolution, in the memory format of `x`.

        Raises:
            UserError: `x` has another type, other channels, too few pixels, or is on a device that the kernel does not know.
        """
        geometry = self.geometry
        _check_float32("input", x)
        if x.ndim != 4 or x.shape[1] != geometry.channels:
            raise UserError(f"an input of shape {tuple(x.shape)}: give (n, {geometry.channels}, h, w)")
        device = "cuda" if self.kernel == "triton" else "cpu"
        if x.device.type != device:
            rule = f"kernel={self.kernel!r} computes on {device}"
            raise UserError(f"an input on {x.device}: {rule}; move it there, or give another kernel")
        return packed_conv2d(
            x, self.lanes, self.base, self.corrections, self.threshold, self._sizes, self.activations, self.pad, self.kernel
        )

    def extra_repr(self) -> str:
        """What a printed network shows of the layer."""
        g = self.geometry
        return f"{g.channels}, {g.outputs}, kernel_size={g.kernel}, stride={g.stride}, groups={g.groups}, kernel={self.kernel}"


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _check_float32(name: str, tensor: Tensor) -> None:
    if tensor.dtype != torch.float32:
        raise UserError(f"{name} of type {tensor.dtype}: give torch.float32")
