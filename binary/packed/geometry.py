"""The sizes of a packed convolution, and of the arrays that its kernels read.

Example: a 3x3 convolution of 20 channels to 100, one group. A tap, one of the 9 places of the kernel, has 20 bits, which take 3
bytes. A row, what one output pixel reads, is 9 taps of 3 bytes, 27 bytes. Kernels count the differences of a row from the weights
of 64 output channels, the lanes, at once; 100 output channels are 2 blocks of lanes, the last 28 of which are empty.

A depthwise convolution of 100 channels has one output channel in each group, so that lanes that were output channels of one group
would be empty but for one. There the lanes go across groups: 2 blocks of them. Each lane then reads a row of its own, so that the
row of a group is there once for each of its output channels. A tap of a group has one bit, and bits of several taps share a byte:
9 bits take 2 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import UserError

LANES = 64
"""Counters that a kernel adds to at once, of 8 bits each: two registers of AVX2, one of AVX-512.

A change needs a change of `counting.py`, of which numba keeps what it has compiled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Sizes of a convolution; pairs are (vertical, horizontal).

    Attributes:
        channels: of the input.
        outputs: channels of the output.
        kernel: height and width.
        stride: steps between outputs, at least 1.
        padding: pixels around the input, at least 0.
        dilation: steps between taps, at least 1.
        groups: divides channels and outputs.
    """

    channels: int
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            UserError: names the value and its rule.
        """
        if self.groups < 1 or self.channels % self.groups or self.outputs % self.groups:
            ends = f"{self.channels} input and {self.outputs} output channels"
            raise UserError(f"groups={self.groups} with {ends}: give a number that divides both")
        if min(self.channels, self.outputs, *self.kernel) < 1:
            raise UserError(f"a weight of {self.outputs} x {self.group_channels} x {self.kernel}: every side is at least 1")
        for name, pair, least in (("stride", self.stride, 1), ("padding", self.padding, 0), ("dilation", self.dilation, 1)):
            if len(pair) != 2 or min(pair) < least:
                raise UserError(f"{name}={pair}: give {least} or more, vertically and horizontally")

    @property
    def taps(self) -> int:
        """Places of the kernel."""
        return self.kernel[0] * self.kernel[1]

    @property
    def group_channels(self) -> int:
        """Input channels of a group."""
        return self.channels // self.groups

    @property
    def group_outputs(self) -> int:
        """Output channels of a group."""
        return self.outputs // self.groups

    @property
    def row_bits(self) -> int:
        """Weights of one output channel."""
        return self.taps * self.group_channels

    @property
    def dense(self) -> bool:
        """Whether bits of several taps share a byte."""
        return self.group_channels < 8

    @property
    def tap_bytes(self) -> int:
        """Bytes of a pixel's channels of one group."""
        return -(-self.group_channels // 8)

    @property
    def row_bytes(self) -> int:
        """Bytes that one output pixel reads of one group."""
        return -(-self.row_bits // 8) if self.dense else self.taps * self.tap_bytes

    @property
    def across(self) -> bool:
        """Whether lanes are output channels of all groups; otherwise they are those of one group."""
        return _blocks(self.outputs) < self.groups * _blocks(self.group_outputs)

    @property
    def blocks(self) -> int:
        """Blocks of lanes, for all groups or for each group."""
        return _blocks(self.outputs if self.across else self.group_outputs)

    @property
    def slabs(self) -> int:
        """Parts of the weights that have such blocks: the groups, or one."""
        return 1 if self.across else self.groups

    @property
    def repeats(self) -> int:
        """How often the packed input has each group."""
        return self.group_outputs if self.across else 1

    @property
    def packed_groups(self) -> int:
        """Groups in the packed input, with repeats; empty ones fill the last block of lanes."""
        return self.blocks * LANES if self.across else self.groups

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the output.

        Raises:
            UserError: the kernel does not fit into the padded input.
        """
        sides = []
        for side, kernel, stride, padding, dilation in zip(
            (height, width), self.kernel, self.stride, self.padding, self.dilation
        ):
            room = side + 2 * padding - dilation * (kernel - 1) - 1
            if room < 0:
                raise UserError(f"an input of {height} x {width} pixels: a kernel of {self.kernel} does not fit; add padding")
            sides.append(room // stride + 1)
        return sides[0], sides[1]


def _blocks(lanes: int) -> int:
    return -(-lanes // LANES)
