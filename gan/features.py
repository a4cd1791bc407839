"""What pictures are compared by: features of a fixed network, whose statistics the Fréchet distance is taken of.

The distance is called FID where the network is torchvision's Inception v3 with the weights of a file; no such weights can come
with this project, so a small network of fixed random weights stands in, and its distance is never called FID.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from common.foreign_weights import load_strictly, read_state
from common.streams import torch_stream

WIDTHS = (16, 16, 32)
"""Features of each scale of the small network."""


class SmallFeatures(nn.Module):
    """64 features of a small network of fixed random weights: mean responses of rectified filters at three scales.

    Filters of the first scale sum to 0, so they see edges and texture more than brightness. Random features tell pictures apart
    less like people do than Inception's; a distance by them compares networks on the same pictures and nothing else.

    Attributes:
        num_features: 64.
    """

    num_features = sum(WIDTHS)

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ModuleList()
        c_in = 3
        for i, width in enumerate(WIDTHS):
            conv = nn.Conv2d(c_in, width, 3, padding=1, padding_mode="reflect", bias=False)
            weight = torch.randn(conv.weight.shape, generator=torch_stream(0, "gan", "features", i))
            weight -= weight.mean((2, 3), keepdim=True) if i == 0 else 0
            conv.weight = nn.Parameter(weight * (2 / (9 * c_in)) ** 0.5, requires_grad=False)
            self.scales.append(conv)
            c_in = width

    def forward(self, pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 64"]:
        """Features of pictures in [-1, 1]."""
        x, found = pictures, []
        for conv in self.scales:
            x = F.relu(conv(x))
            found.append(x.mean((2, 3)))
            x = F.avg_pool2d(x, 2)
        return torch.cat(found, 1)


class InceptionFeatures(nn.Module):
    """2,048 features of torchvision's Inception v3 before its classifier; pictures are scaled to 299 pixels.

    The published FIDs were measured with the weights of another port of the same network: values are close, not equal.

    Attributes:
        num_features: 2,048.
    """

    num_features = 2048

    def __init__(self, file: Path) -> None:
        """Reads the weights.

        Args:
            file: torchvision's `inception_v3_google-0cc3c7bd.pth`.

        Raises:
            UserError: it cannot be read, or holds other weights.
        """
        super().__init__()
        from torchvision.models import inception_v3

        self.network = inception_v3(weights=None, init_weights=False, transform_input=True)
        load_strictly(self.network, read_state(file, _REMEDY), str(file), "Inception v3")
        self.network.fc = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
        self.network.eval().requires_grad_(False)

    def forward(self, pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 2048"]:
        """Features of pictures in [-1, 1]."""
        scaled = F.interpolate(pictures, (299, 299), mode="bilinear", align_corners=False, antialias=True)
        mean, deviation = (scaled.new_tensor(x)[:, None, None] for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        return self.network((scaled / 2 + 0.5 - mean) / deviation)


_REMEDY = "give torchvision's inception_v3_google-0cc3c7bd.pth, or leave --features out"
