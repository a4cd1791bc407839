"""What upscaling a picture costs in time of the network's convolutions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from superres.upscaling import MARGIN, TILE, spans, upscaled
from tests.bench.rows import Row
from tests.bench.timing import ratios

SIDE = 1024
"""Side of the picture, in pixels."""
THREADS = 2
"""Threads of torch."""


def upscaling_times(network: nn.Module, scale: int, repeats: int, *, side: int = SIDE, tile: int = TILE) -> Iterator[Row]:
    """Rows for upscaling a square picture, over the convolutions alone and over the network on tiles without overlap.

    Args:
        network: of the scale; in eval mode.
        scale: how many times larger it makes pictures.
        repeats: pairs of timings that count.
        side: of the picture, in pixels.
        tile: side of the largest tile, in pixels.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        count = len(spans(side, tile, MARGIN))
        part = torch.rand(1, 3, side // count, side // count) * 255
        low = torch.rand(1, 3, side, side) * 255
        convolutions = convolutions_of(network, part)
        rivals: dict[str, tuple[Callable[[], object], float | None]] = {
            "its convolutions alone": (lambda: [convolutions() for _ in range(count**2)], 1.2),
            "the network alone": (lambda: [_forward(network, part) for _ in range(count**2)], None),
        }
        where = f"{count}x{count} tiles of at most {tile} pixels a side, without overlap (processor time, {THREADS} threads)"
        for what, (rival, target) in rivals.items():
            values = ratios(lambda: upscaled(network, low, scale, tile=tile), rival, repeats, warm_up=1)
            yield Row(
                what=f"x{scale} of {side}x{side} pixels / {what}", unit="", target=target, values=values, note=f"On {where}."
            )
    finally:
        torch.set_num_threads(before)


def convolutions_of(network: nn.Module, x: Tensor) -> Callable[[], object]:
    """A call of every convolution of the network, in the order in which it makes of `x` what it makes; inputs are remembered.

    Inputs of one shape share their memory, as those of a network that is run do; their values are of no matter.
    """
    inputs: dict[torch.Size, Tensor] = {}
    calls: list[tuple[nn.Module, Tensor]] = []

    def remember(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        calls.append((module, inputs.setdefault(given[0].shape, given[0].clone())))

    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    hooks = [module.register_forward_pre_hook(remember) for module in network.modules() if isinstance(module, kinds)]
    _forward(network, x)
    for hook in hooks:
        hook.remove()

    @torch.inference_mode()
    def run() -> None:
        for module, given in calls:
            module(given)

    return run


@torch.inference_mode()
def _forward(network: nn.Module, x: Tensor) -> Tensor:
    return network(x)
