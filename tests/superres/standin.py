"""Networks that stand in for those of a search, for tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Enlarge(nn.Module):
    """Repeats every pixel, in as many places as the scale says; remembers the shapes that it was given."""

    def __init__(self, scale: int = 2) -> None:
        super().__init__()
        self.scale = scale
        self.weight = nn.Parameter(torch.ones(()))
        self.seen: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(tuple(x.shape))
        return F.interpolate(x * self.weight, scale_factor=self.scale, mode="nearest")


class Blur(nn.Module):
    """The mean over all pixels at most `reach` pixels away, enlarged."""

    def __init__(self, reach: int) -> None:
        super().__init__()
        self.reach = reach

    def forward(self, x: Tensor) -> Tensor:
        mean = F.avg_pool2d(x, 2 * self.reach + 1, 1, self.reach, count_include_pad=False)
        return F.interpolate(mean, scale_factor=2, mode="nearest")


class Small(nn.Module):
    """Two convolutions and a sub-pixel layer beside the enlarged input; its weights are always the same."""

    def __init__(self, scale: int = 2) -> None:
        super().__init__()
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(0)
            self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 3 * scale**2, 3, 1, 1))
        self.shuffle = nn.PixelShuffle(scale)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * self.shuffle(self.body(x - 128)) + F.interpolate(x, scale_factor=self.scale, mode="nearest")
