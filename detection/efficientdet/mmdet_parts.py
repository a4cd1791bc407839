"""EfficientDet's backbone and neck in configurations of mmdetection: `dict(type="SearchedEfficientNet", arch="D0")` and
`dict(type="BiFPN", arch="D0", in_channels=[...])`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from common.mm_weights import Part
from common.space import decode
from detection.backbones.descriptions import SCALES, efficientnet
from detection.backbones.modules import backbone
from detection.description import DetectorNet
from detection.efficientdet.networks import read_arch
from detection.efficientdet.space import detector
from detection.layers import set_momentum
from detection.mm.neck import NeckPart, given, refuse_beside
from detection.necks import layered


class SearchedEfficientNet(Part):
    """The backbone of a member of EfficientDet's family, or a published EfficientNet.

    Attributes:
        channels: of its maps: the neck's `in_channels`.
        strides: of its maps.
    """

    role = "backbone"

    def __init__(self, arch: str, seed: int = 0, init_cfg: Mapping[str, Any] | None = None) -> None:
        """Makes the backbone.

        Args:
            arch: a published detector (`D0` to `D7x`), a published backbone (`b0` to `b7`), or an architecture file of an
                EfficientDet run.
            seed: of the initial weights.
            init_cfg: weights of a run; see `common.mm_weights.Part`.

        Raises:
            UserError: no such architecture.
        """
        super().__init__(init_cfg)
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(seed)
            # maps of a stride below 8, which no pyramid of the family reads, are left out
            known = None if arch in SCALES else _detector(arch)
            self.net = backbone(efficientnet(arch) if known is None else known.backbone, 8)
        set_momentum(self.net, known and known.momentum)
        self.channels, self.strides = self.net.channels, self.net.strides

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        """Maps from stride 8 on."""
        return self.net(x)


class BiFPN(NeckPart):
    """A stack of BiFPN layers; it takes the place of mmdetection's FPN in front of a dense head."""

    def __init__(
        self,
        in_channels: Sequence[int] | Mapping[str, Any],
        arch: str | None = None,
        out_channels: int | None = None,
        layers: int | None = None,
        levels: Sequence[int] | None = None,
        fusion: layered.Fusion | None = None,
        wiring: layered.Wiring | None = None,
        start_level: int | None = None,
        seed: int = 0,
        init_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        """Makes the neck.

        Args:
            in_channels: channels of the backbone's maps, or the backbone's entry; see `detection.mm.neck.NeckPart`.
            arch: a published detector (`D0` to `D7x`) or an architecture file of an EfficientDet run, which says channels,
                layers, levels, fusion and wiring. Or give these:
            out_channels: channels of the neck; 64 by default.
            layers: number of layers; 3 by default.
            levels: of the pyramid; level l has stride 2**l. (3, 4, 5, 6, 7) by default.
            fusion: `fast` (default), `softmax` or `sum`; see `detection.necks.bifpn.Fuse`.
            wiring: `bifpn` (default), or `panet` or `fpn`, which the paper compares it with.
            start_level: see `NeckPart`.
            seed: of the initial weights.
            init_cfg: weights of a run; see `common.mm_weights.Part`.

        Raises:
            UserError: no such architecture, sizes beside an architecture, sizes out of range, or maps that do not fit the levels.
        """
        sizes = {"out_channels": out_channels, "layers": layers, "levels": levels, "fusion": fusion, "wiring": wiring}
        known = given("BiFPN", sizes, ("out_channels", "layers"))
        if arch is None:
            net, momentum = _stack(**{**_SIZES, **known}), None
        else:
            refuse_beside("BiFPN", arch, known)
            whole = _detector(arch)
            net, momentum = whole.neck, whole.momentum
        assert isinstance(net, layered.BiFPN)
        super().__init__(net, in_channels, start_level, seed, init_cfg)
        set_momentum(self.net, momentum)


_SIZES: dict[str, Any] = {"out_channels": 64, "layers": 3, "levels": (3, 4, 5, 6, 7), "fusion": "fast", "wiring": "bifpn"}
"""Those of EfficientDet-D0."""


def _stack(
    out_channels: int, layers: int, levels: Sequence[int], fusion: layered.Fusion, wiring: layered.Wiring
) -> layered.BiFPN:
    layered.wired(wiring, levels)  # refuses what does not exist before maps are fitted to the levels
    many = (layered.BiFPNLayer(fusion=fusion),) * layers
    return layered.BiFPN(width=out_channels, levels=tuple(levels), layers=many, wiring=wiring)


def _detector(arch: str) -> DetectorNet:
    """The detector of a published name or an architecture file."""
    _, space, found = read_arch(arch)
    return detector(decode(space, found))
