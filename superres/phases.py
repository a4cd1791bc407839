"""How a super-resolution network is trained, whatever network it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from common.network_phase import NetworkPhase
from common.train.step import Step
from superres.data import Split, batch_at
from superres.layers import Enlarged
from superres.metrics import psnr_rgb

MORE_BORDER = 6
"""Pixels, besides as many as the scale, that are left out at every edge in the PSNR of a batch (EDSR's training code)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upscale(NetworkPhase):
    """The mean absolute difference between the network's picture and the true one, of 0 to 255, on random patches.

    Attributes:
        split: to train on.
        patch: side of the high-resolution patches, in pixels.
        flip: whether patches are mirrored and turned.
        scored: whether the phase computes the PSNR of its batches too, of RGB pixels rounded to whole numbers, and the gain.
    """

    split: Split
    patch: int
    flip: bool
    scored: bool = False

    def batch_at(self, step: int, seed: int) -> tuple[Tensor, Tensor]:
        """Patches at both resolutions; see `superres.data.batch_at`."""
        return batch_at(self.split, step, self.settings.batch, seed, self.name, self.patch, self.flip)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor], step: Step) -> Mapping[str, Tensor]:
        """`loss`, and `PSNR` and `gain` in dB where they are asked for.

        `gain` is the PSNR less that of the input enlarged bicubically (`superres.layers.Enlarged`). Of two networks on one batch
        it differs by as much as PSNR does, and between batches by far less: some pictures are easier than others for both.
        """
        low, high = batch
        made = model(low)
        terms = {"loss": F.l1_loss(made, high)}
        if self.scored:
            scale, border = self.split.scale, self.split.scale + MORE_BORDER
            terms["PSNR"] = psnr_rgb(made.detach(), high, border)
            terms["gain"] = terms["PSNR"] - psnr_rgb(Enlarged(scale, "bicubic")(low), high, border)
        return terms
