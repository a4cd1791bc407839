"""What upscaling a picture costs in time of the network's convolutions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from superres.fast import compiled, keep_memory
from superres.hnas.model import build
from superres.hnas.space import PUBLISHED
from superres.upscaling import MARGIN, TILE, spans, upscaled
from tests.bench.rows import Row
from tests.bench.timing import ratios

SIDE = 1024
"""Side of the picture, in pixels."""
LARGE_TILE = 528
"""Side of the largest tile for networks of eight channels, whose maps take little memory: overlaps cost 3 %."""
THREADS = 2
"""Threads of torch."""


def upscaling_rows(repeats: int) -> Iterator[Row]:
    """Rows for the published HNAS-A, and for the cells of HNAS-C in a network as large as those of the recipe small."""
    net = PUBLISHED["HNAS-A"]
    yield from upscaling_times("HNAS-A", build(net).eval(), net.scale, max(2, repeats // 2))
    net = replace(PUBLISHED["HNAS-C"], width=8, cells=4, position=3, residual=True)
    yield from upscaling_times("HNAS-C's cells with 8 channels", build(net).eval(), net.scale, repeats, tile=LARGE_TILE)


def upscaling_times(
    name: str, network: nn.Module, scale: int, repeats: int, *, side: int = SIDE, tile: int = TILE
) -> Iterator[Row]:
    """Rows for upscaling a square picture as the command `upscale` does, over the network's convolutions alone, on tiles without
    overlap, as they are. Memory is kept from here on in this process.

    Args:
        name: of the network.
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
        keep_memory()
        ways = {"as it is": (network, None), "compiled": (compiled(network), 1.2)}
        for way, (made, target) in ways.items():
            yield Row(
                what=f"{name}, x{scale} of {side}x{side} pixels / the network's convolutions alone, {way}",
                unit="",
                target=target,
                values=ratios(
                    lambda made=made: upscaled(made, low, scale, tile=tile),
                    lambda: [convolutions() for _ in range(count**2)],
                    repeats,
                    warm_up=1,
                ),
                note=f"The convolutions, not compiled, on {count}x{count} tiles of at most {tile} pixels a side, without overlap "
                f"(processor time, {THREADS} threads).",
            )
    finally:
        torch.set_num_threads(before)


def convolutions_of(network: nn.Module, x: Tensor) -> Callable[[], object]:
    """A call of every convolution of the network, in the order in which it makes of `x` what it makes; inputs are remembered.

    Inputs of one shape and one layout share their memory, as those of a network that is run do; their values are of no matter.
    """
    inputs: dict[tuple[tuple[int, ...], ...], Tensor] = {}
    calls: list[tuple[nn.Module, Tensor]] = []

    def remember(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        kind = tuple(given[0].shape), given[0].stride()
        calls.append((module, inputs.setdefault(kind, given[0].clone())))

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
