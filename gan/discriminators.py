"""PatchGAN: a discriminator that judges overlapping patches of a picture (Isola et al. 2017, pix2pix, appendix 6.1.2)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PatchGAN(nn.Module):
    """The discriminator of three layers: receptive fields of 70 pixels.

    Convolutions of 4x4 and strides 2, 2, 2, 1, 1; instance normalisation, without weights, on the three in the middle; leaky
    ReLU of slope 0.2; biases everywhere; no sigmoid at the end.
    """

    def __init__(self, channels: int, width: int, seed: int) -> None:
        """Makes a discriminator.

        Args:
            channels: of its input: 3 for a picture, 6 for a picture beside its condition.
            width: of its first layer (the field's `ndf`).
            seed: its weights are a function of it: normal with deviation 0.02, biases 0.
        """
        super().__init__()
        widths = (width, 2 * width, 4 * width, 8 * width)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for c_in, c_out, stride in zip(widths, widths[1:], (2, 2, 1), strict=False):
            layers += [nn.Conv2d(c_in, c_out, 4, stride, 1), nn.InstanceNorm2d(c_out), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))
        rng = torch.Generator().manual_seed(seed)
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.normal_(layer.weight, 0.0, 0.02, generator=rng)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1 i j"]:
        """A score for each patch; high means real."""
        return self.layers(x)
