"""The module of a neck's description."""

from __future__ import annotations

from collections.abc import Sequence

from detection.necks.bifpn import BiFPNNeck
from detection.necks.layered import BiFPN
from detection.necks.merges import NASFPN
from detection.necks.merging import NASFPNNeck


def neck(net: BiFPN | NASFPN, channels: Sequence[int], strides: Sequence[int]) -> BiFPNNeck | NASFPNNeck:
    """The neck of a description on maps of these channels and strides; initial weights from torch's global generator.

    Raises:
        UserError: the maps do not fit the neck's levels, or its wiring is wrong.
    """
    return BiFPNNeck(net, channels, strides) if isinstance(net, BiFPN) else NASFPNNeck(net, channels, strides)
