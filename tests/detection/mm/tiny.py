"""A tiny backbone, detector and batch that the tests of this folder share."""

import itertools

import torch
from torch import nn

from detection import mm
from detection.heads import (
    SMALL_RETINANET,
)


class Tiny(nn.Module):
    """Plain stride-2 convolutions; maps of strides 4, 8, 16 ... for the last `widths`."""

    def __init__(self, widths=(16, 24), first=8, arch="plain"):
        super().__init__()
        self.arch = arch
        skipped = [8] * (first.bit_length() - 2)
        channels = [3, *skipped, *widths]
        self.outs = len(widths)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
            for a, b in itertools.pairwise(channels)
        )

    def forward(self, x):
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return tuple(maps[-self.outs :])


def small(head=SMALL_RETINANET, classes=5, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return mm.build(Tiny(), head, in_channels=[16, 24], strides=[8, 16], classes=classes, seed=seed)


def scenes(n, seed, size=64, classes=5, most=4):
    g = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, 3, size, size), generator=g, dtype=torch.uint8)
    boxes, labels = [], []
    for _ in range(n):
        k = int(torch.randint(0, most, (1,), generator=g))
        corner = torch.rand(k, 2, generator=g) * (size - 20)
        side = torch.rand(k, 2, generator=g) * 30 + 4
        boxes.append(torch.cat([corner, (corner + side).clamp(max=size)], dim=1))
        labels.append(torch.randint(0, classes, (k,), generator=g))
    return images, boxes, labels
