"""DCNAS networks: one build for standalone networks and supernets (arXiv 2003.11883)."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.errors import UserError
from common.streams import derive
from common.supernet.open import Open, OpenMany
from segmentation.dcnas.cells import CellModule, operator, source_stride, stem
from segmentation.dcnas.space import STEM, Network


class DCNASNetwork(nn.Module):
    """The network of a description, open or settled: a backbone that gives maps at several strides.

    Attributes:
        strides: of the maps it gives, ascending.
        channels: of those maps.
    """

    def __init__(self, net: Network) -> None:
        """Makes the network, with weights of the global generator; `build` seeds it."""
        super().__init__()
        self.stem = stem(net.width, net.stem_stride)
        self.cells = nn.ModuleDict({name: CellModule(cell, net) for name, cell in net.cells.items()})
        self.outputs = tuple(cell.name for cell in net.outputs)
        self.strides = tuple(cell.stride for cell in net.outputs)
        self.channels = tuple(net.width_at(stride) for stride in self.strides)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        """A map for each of `strides`; sizes are those of the image divided by them, rounded up."""
        maps = {STEM: self.stem(x)}
        for name, cell in self.cells.items():
            maps[name] = cell(maps)
        return tuple(maps[name] for name in self.outputs)


def build(net: Network, seed: int = 0) -> DCNASNetwork:
    """The module of a description, open or settled; weights (torch's initial ones) are a function of `seed`.

    Cells that lie on no path to an output are built as well: what an architecture of the space costs is then a sum over its
    cells, and its weights are those of its active path. `pruned` takes them out of a description.

    Raises:
        UserError: a description that no network fits: an unknown operator, a cell that reads none, or one that does not come
            before it, a stride that is none of the grid, or a width that cannot be shared out.
    """
    check(net)
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(derive(seed, "dcnas"))
        return DCNASNetwork(net)


def check(net: Network) -> None:
    """Refuses a description that no network fits; errors as in `build`."""
    if not net.cells:
        raise UserError("a network without cells; give one at least")
    if net.width < 1 or net.partial < 1 or net.width % net.partial:
        raise UserError(f"width {net.width} cannot be shared out to partial={net.partial}; choose a multiple of it, 1 at least")
    known = {STEM}
    for name, cell in net.cells.items():
        if name != cell.name:
            raise UserError(f"cell {name!r} has stride {cell.stride} and layer {cell.layer}; call it {cell.name}")
        scale, rest = divmod(cell.stride, net.stem_stride)
        if rest or scale < 1 or scale & (scale - 1):
            raise UserError(f"cell {name}: its stride is not {net.stem_stride} (the stem's) times a power of two")
        sources = _possible(cell.inputs)
        if not sources:
            raise UserError(f"cell {name} has no input; give it one, or leave it out (`pruned`)")
        for source in sources:
            source_stride(source, net)
            if source not in known:
                raise UserError(f"cell {name} reads {source!r}, which is no cell before it; it can read {', '.join(known)}")
        for op in cell.op.meanings if isinstance(cell.op, Open) else (cell.op,):
            with torch.device("meta"):
                operator(op, 1)
        known.add(name)


def _possible(inputs: Any) -> tuple[str, ...]:
    """Every source that a cell may have."""
    return tuple(inputs.members if isinstance(inputs, OpenMany) else inputs)
