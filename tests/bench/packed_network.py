"""What a packed network takes of the time of the same network with float convolutions, end to end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from binary.deploy.conversion import packed
from binary.packed.operator import Kernel
from binary.packed.processor import instructions
from binary.width.model import build
from binary.width.space import length, open_resnet, with_ratios
from common.errors import UserError
from tests.bench.rows import Row
from tests.bench.timing import ratios

SIDE = 32
"""Of the images, in pixels."""
TIMES = 4
"""How many times faster a packed network shall be."""
KERNELS: tuple[Kernel, ...] = ("numba", "compiled")


def bi_real_18(classes: int = 10) -> nn.Module:
    """Bi-Real Net of 18 layers for images of the size of CIFAR's."""
    space = open_resnet(classes=classes, stem="small")
    net = replace(with_ratios(space, (1,) * length(space)), shortcuts="convolutions", downsample="real", activations="sign")
    return build(net).eval()


def packed_network_rows(repeats: int) -> Iterator[Row]:
    """Rows for every kernel, for one image and for eight, with one thread; the outputs are equal bit by bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        network = bi_real_18().to(memory_format=torch.channels_last)
        for kernel in KERNELS:
            try:
                made = packed(network, kernel)
            except UserError as error:  # no compiler: the other rows still count
                print(error)
                continue
            for batch in (1, 8):
                yield network_times(network, made, kernel, batch, repeats)
    finally:
        torch.set_num_threads(before)


def network_times(network: nn.Module, made: nn.Module, kernel: str, batch: int, repeats: int, side: int = SIDE) -> Row:
    """How many times faster the packed network is.

    Args:
        network: with float convolutions.
        made: the same, packed.
        kernel: its name.
        batch: images at once.
        repeats: pairs of timings that count.
        side: of the images, in pixels.
    """
    x = torch.randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run(module: nn.Module) -> torch.Tensor:
        return module(x)

    assert torch.equal(run(network), run(made))
    return Row(
        what=f"Bi-Real Net 18 on {side}x{side} pixels, batch {batch}: floats / packed, kernel {kernel}",
        unit="",
        target=TIMES,
        least=True,
        values=ratios(lambda: run(network), lambda: run(made), repeats, warm_up=1),
        note=f"Processor time of whole networks, channels_last, one thread, equal outputs; a processor with {instructions()}.",
    )
