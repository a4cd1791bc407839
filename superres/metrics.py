"""How good upscaled pictures are, as the field reports it: PSNR and SSIM of the brightness Y, without a border."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Real, UInt8
from PIL import Image
from torch import Tensor

from common.errors import UserError

Y_WEIGHTS = (65.738, 129.057, 25.064)
"""Weights of red, green and blue in the brightness Y, times 256: those of ITU-R BT.601 for values of 16 to 235."""
PERFECT = 100.0
"""Largest PSNR that is reported, in decibels: that of a picture without any error would be infinite."""
WINDOW = 11
"""Side of the window of SSIM, in pixels."""
SIGMA = 1.5
"""Standard deviation of its Gaussian weights, in pixels."""


def quantised(made: Real[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The picture as a file of 8 bits would hold it: values limited to 0 to 255 and rounded."""
    return made.float().clamp(0, 255).round()


def to_y(rgb: Real[Tensor, "*n 3 h w"]) -> Float[Tensor, "*n h w"]:
    """Brightness Y of pictures: Y = 16 + (65.738 R + 129.057 G + 25.064 B) / 256.

    Args:
        rgb: values from 0 to 255.

    Returns:
        Double precision, from 16 to 235, not rounded.
    """
    weights = torch.tensor(Y_WEIGHTS, dtype=torch.float64, device=rgb.device)[:, None, None]
    return (rgb.double() * weights).sum(-3) / 256 + 16


def psnr_y(made: Real[Tensor, "*n 3 h w"], true: Real[Tensor, "*n 3 h w"], scale: int) -> Float[Tensor, "*n"]:
    """PSNR of the brightness of each picture, in decibels, at most `PERFECT`.

    Args:
        made: upscaled pictures; limited to 0 to 255 and rounded first.
        true: true pictures, 0 to 255.
        scale: how many times they were upscaled; as many pixels are left out at each edge.

    Raises:
        UserError: nothing is left inside the border.
    """
    error = inner(to_y(quantised(made)), scale, 1) - inner(to_y(true), scale, 1)
    return _decibels(error.square().mean((-2, -1)))


def ssim_y(made: Real[Tensor, "*n 3 h w"], true: Real[Tensor, "*n 3 h w"], scale: int) -> Float[Tensor, "*n"]:
    """Structural similarity of the brightness of each picture, up to 1 (Wang et al. 2004).

    Windows are Gaussian, of 11x11 pixels with a standard deviation of 1.5, and lie inside the border as a whole. The constants
    are (0.01 * 255)^2 and (0.03 * 255)^2.

    Args:
        made: upscaled pictures; limited to 0 to 255 and rounded first.
        true: true pictures, 0 to 255.
        scale: how many times they were upscaled; as many pixels are left out at each edge.

    Raises:
        UserError: fewer than 11x11 pixels are left inside the border.
    """
    from skimage.metrics import structural_similarity

    pair = [inner(to_y(x), scale, WINDOW).flatten(0, -3).cpu().numpy() for x in (quantised(made)[None], true[None])]
    found = [
        structural_similarity(
            x, y, gaussian_weights=True, sigma=SIGMA, win_size=WINDOW, use_sample_covariance=False, data_range=255.0
        )
        for x, y in zip(*pair, strict=True)
    ]
    return torch.tensor(found, dtype=torch.float64).reshape(made.shape[:-3])


def psnr_rgb(made: Real[Tensor, "n 3 h w"], true: Real[Tensor, "n 3 h w"], border: int) -> Float[Tensor, ""]:
    """PSNR of all values of a batch taken together, in decibels, at most `PERFECT`.

    Args:
        made: upscaled pictures; limited to 0 to 255 and rounded first, so that there is no gradient.
        true: true pictures, 0 to 255.
        border: pixels left out at each edge.

    Raises:
        UserError: nothing is left inside the border.
    """
    error = inner(quantised(made).double(), border, 1) - inner(true.double(), border, 1)
    return _decibels(error.square().mean())


def bicubic(low: UInt8[Tensor, "3 h w"], scale: int) -> UInt8[Tensor, "3 H W"]:
    """The picture upscaled by Pillow's bicubic filter, with which networks are compared."""
    height, width = low.shape[1:]
    image = Image.fromarray(low.permute(1, 2, 0).cpu().contiguous().numpy())
    large = image.resize((width * scale, height * scale), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(large).transpose(2, 0, 1).copy())


def inner(pictures: Real[Tensor, "*n h w"], border: int, least: int) -> Real[Tensor, "*n H W"]:
    """Pictures without `border` pixels at each edge.

    Raises:
        UserError: fewer than `least` x `least` pixels are left.
    """
    height, width = pictures.shape[-2:]
    if min(height, width) < least + 2 * border:
        raise UserError(
            f"a picture of {width}x{height} pixels cannot be scored: {border} pixels are left out at each edge, and "
            f"{least}x{least} must remain; leave out pictures with a side below {least + 2 * border} pixels"
        )
    return pictures[..., border : height - border, border : width - border]


def _decibels(squared: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    return (10 * torch.log10(255**2 / squared)).clamp(max=PERFECT)
