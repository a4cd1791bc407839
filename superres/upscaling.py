"""Pictures of any size through a super-resolution network: in tiles, and as the mean over flips and quarter turns."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product

import torch
from jaxtyping import Float
from torch import Tensor, nn

TILE = 272
"""Side of the largest tile by default, in pixels of the input."""
MARGIN = 8
"""Least distance between the edge of a tile and the pixels that are taken from it, in pixels of the input."""
LEAST_TILE = 4 * MARGIN
"""Side of the smallest tile that may be asked for, in pixels of the input: half of it may be margin."""
AT_ONCE = TILE**2
"""Most pixels of the input that a network is given at once, where they are more than one tile."""
VIEWS = 8
"""Flips and quarter turns of a picture."""


def spans(length: int, tile: int, margin: int) -> list[tuple[int, int, int, int]]:
    """Cuts a side of a picture into overlapping parts of one length.

    Args:
        length: of the side, in pixels.
        tile: most pixels of a part; more than 2 * margin.
        margin: least pixels of a part beyond a cut between it and its neighbour.

    Returns:
        For each part, in order: its first pixel, the pixel behind its last one, and the same of the pixels that are taken from
        it. Cuts lie in the middle of the overlap, so that each pixel is taken from the part whose centre is nearest.
    """
    if length <= tile:
        return [(0, length, 0, length)]
    count = -(-(length - 2 * margin) // (tile - 2 * margin))
    size = -(-(length + 2 * margin * (count - 1)) // count)
    starts = [i * (length - size) // (count - 1) for i in range(count)]
    cuts = [0, *((a + b + size) // 2 for a, b in pairwise(starts)), length]
    return [(start, start + size, cuts[i], cuts[i + 1]) for i, start in enumerate(starts)]


def passes(height: int, width: int, *, tile: int = TILE, ensemble: bool = False) -> int:
    """The number of tiles that `upscaled` makes of one picture, each counted for every view of the ensemble."""
    return len(spans(height, tile, MARGIN)) * len(spans(width, tile, MARGIN)) * (VIEWS if ensemble else 1)


@torch.inference_mode()
def upscaled(
    network: nn.Module,
    low: Float[Tensor, "n 3 h w"],
    scale: int,
    *,
    tile: int = TILE,
    ensemble: bool = False,
    advance: Callable[[int], None] = lambda tiles: None,
) -> Float[Tensor, "n 3 H W"]:
    """The pictures `scale` times larger, limited to 0 to 255 and rounded.

    A side longer than `tile` is cut into overlapping tiles of one size. Each pixel of the result is taken from the tile whose
    centre is nearest, at least `MARGIN` pixels of the input away from an edge that the picture itself does not have, so that
    seams do not show. Networks that average over their whole input (channel attention) average over a tile, not the picture.

    Args:
        network: float32 (n, 3, h, w) of any h and w, from 0 to 255 -> (n, 3, h * scale, w * scale); in eval mode.
        low: from 0 to 255.
        scale: of the network.
        tile: side of the largest tile, in pixels of the input, `LEAST_TILE` at least. Memory grows with its square.
        ensemble: give the mean of what the network makes of the eight flips and quarter turns of the picture (the geometric
            self-ensemble of Lim et al. 2017), taken before rounding.
        advance: called with a number of tiles when they are done; see `passes`.

    Returns:
        On the device of `low`.
    """
    device = next((parameter.device for parameter in network.parameters()), low.device)
    rows, columns = (spans(side, tile, MARGIN) for side in low.shape[2:])
    tiles = list(product(range(len(low)), rows, columns))
    together = max(1, AT_ONCE // (rows[0][1] * columns[0][1]))
    whole = low.new_empty(len(low), 3, *(side * scale for side in low.shape[2:]))
    for first in range(0, len(tiles), together):
        group = tiles[first : first + together]
        batch = torch.stack([low[i, :, y[0] : y[1], x[0] : x[1]] for i, y, x in group]).to(device)
        made = _ensemble(network, batch, advance) if ensemble else network(batch)
        for part, (i, y, x) in zip(made, group, strict=True):
            (top, bottom), (left, right) = _inside(y, scale), _inside(x, scale)
            target = whole[i, :, scale * y[2] : scale * y[3], scale * x[2] : scale * x[3]]
            target.copy_(part[:, top:bottom, left:right])
        if not ensemble:
            advance(len(group))
    return whole.clamp_(0, 255).round_()


def _inside(span: tuple[int, int, int, int], scale: int) -> tuple[int, int]:
    """First pixel that is taken from an upscaled tile, and the pixel behind the last one."""
    start, _, first, last = span
    return scale * (first - start), scale * (last - start)


def _ensemble(network: nn.Module, low: Float[Tensor, "n 3 h w"], advance: Callable[[int], None]) -> Float[Tensor, "n 3 H W"]:
    """The mean of what the network makes of eight views, each turned back."""
    total: Tensor | None = None
    for transposed, *flipped in product((False, True), repeat=3):
        axes = [axis for axis, flip in zip((2, 3), flipped, strict=True) if flip]
        view = low.flip(axes)
        made = network(view.transpose(2, 3).contiguous()).transpose(2, 3) if transposed else network(view)
        total = made.flip(axes) if total is None else total.add_(made.flip(axes))
        advance(len(low))
    assert total is not None
    return total.div_(VIEWS)
