"""Random convolutions, and what torch's float convolution makes of their signs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from binary.packed.layer import PackedConv2d
from binary.packed.operator import Kernel
from binary.packed.with_compiler import COMPILERS

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, COMPILERS)), reason="there is no C++ compiler: kernel='compiled' is not tried"
)


@dataclass(frozen=True)
class Case:
    x: Tensor
    weight: Tensor
    threshold: Tensor | None
    options: dict[str, Any]

    def layer(self, kernel: Kernel, **other: Any) -> PackedConv2d:
        options = self.options | other
        return PackedConv2d(self.weight, threshold=self.threshold, kernel=kernel, **options)

    def expected(self) -> Tensor:
        o = self.options
        if o["activations"] == "bits":
            signs = (self.x >= 0.5).float()
        else:
            shifted = self.x if self.threshold is None else self.x + self.threshold[:, None, None]
            signs = torch.where(shifted >= 0, 1.0, -1.0)
        above, left = o["padding"]
        signs = F.pad(signs, (left, left, above, above), value=1.0 if o["pad"] == "one" else 0.0)
        weight = torch.where(self.weight >= 0, 1.0, -1.0)
        return F.conv2d(signs, weight, stride=o["stride"], dilation=o["dilation"], groups=o["groups"])


def random_case(seed: int) -> Case:
    """Small and odd shapes; every eighth has many channels, so that sums of 16 bits are counted in several parts."""
    r = Random(seed)
    generator = torch.Generator().manual_seed(seed)
    groups = r.choice([1, 1, 1, 2, 3, 5, 32, 70])
    group_channels = r.choice([1, 2, 3, 5, 7, 8, 9, 16, 20] if groups > 1 else [1, 3, 4, 8, 31, 64, 65, 100, 128])
    group_outputs = r.choice([1, 1, 2, 3] if groups > 3 else [1, 7, 33, 64, 65, 130])
    kernel = r.choice([(1, 1), (3, 3), (2, 3), (5, 1), (5, 5)])
    if seed % 50 == 0:
        groups, group_channels, kernel = 1, r.choice([9001, 16384]), (1, 2)
    stride, dilation = (r.randint(1, 3), r.randint(1, 3)), (r.randint(1, 2), r.randint(1, 3))
    padding = (r.randint(0, 3), r.randint(0, 3))
    sides = [max(1, d * (k - 1) + 1 - 2 * p) + r.randint(0, 5) for k, d, p in zip(kernel, dilation, padding)]
    channels = groups * group_channels
    x = torch.randn(r.randint(1, 2), channels, *sides, generator=generator)
    x[torch.rand(x.shape, generator=generator) < 0.1] = r.choice([0.0, -0.0])
    weight = torch.randn(groups * group_outputs, group_channels, *kernel, generator=generator)
    weight[torch.rand(weight.shape, generator=generator) < 0.1] = 0.0
    activations, pad = r.choice([("sign", "zero"), ("sign", "one"), ("bits", "zero")])
    threshold = torch.randn(channels, generator=generator) if activations == "sign" and r.random() < 0.3 else None
    if activations == "bits":
        x = (x >= 0).float()
    if r.random() < 0.5:
        x = x.contiguous(memory_format=torch.channels_last)
    options = {
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "activations": activations,
        "pad": pad,
    }
    return Case(x, weight, threshold, options)
