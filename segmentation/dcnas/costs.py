"""What DCNAS's architectures cost as networks of their own, from the costs of their parts.

Which cells of an architecture lie on a path to an output depends on all of its connections together, so that the supernet's
table of prices (`common.cost.price`) cannot hold these costs. They are a sum over the parts that are left all the same: exact,
and a thousand times faster than building the network.
"""

from __future__ import annotations

from functools import lru_cache

import torch

from common.cost.bounds import Least
from common.cost.conventions import conv_linear
from common.cost.count import Cost, count
from common.relax.ranked import Bound
from common.space import Arch
from segmentation.dcnas.cells import Connection, operator
from segmentation.dcnas.derive import network_of
from segmentation.dcnas.segmentor import segmentor
from segmentation.dcnas.space import STEM, Cell, Network, cell_name, possible_inputs
from segmentation.heads import DecodeHead


class Costs:
    """Parameters and MACs of the networks of a space, with the head and for one picture.

    Args:
        space: the open description.
        head: what is put on the cells.
        classes: how many classes.
        image: height and width of the picture in pixels.
        known: any architecture of the space: what surrounds the cells is counted on it.
    """

    def __init__(self, space: Network, head: DecodeHead, classes: int, image: tuple[int, int], known: Arch) -> None:
        self.space = space
        self._known: dict[Arch, dict[str, int]] = {}
        self._image = image
        self._part = lru_cache(maxsize=None)(self._count)
        self._strides = {STEM: space.stem_stride, **{name: cell.stride for name, cell in space.cells.items()}}
        whole = network_of(space, known)
        with torch.device("meta"):
            pixels = torch.empty(1, 3, *image, dtype=torch.uint8)
            found = count(segmentor(whole, head, classes), (pixels,), convention=conv_linear)
        params, macs = self._cells(whole)
        self._around = found.params - params, found.macs - macs

    def of(self, arch: Arch) -> dict[str, int]:
        """`params` and `macs` of the network that an architecture is trained as."""
        if arch not in self._known:
            self._known[arch] = self.of_network(network_of(self.space, arch))
        return self._known[arch]

    def of_network(self, net: Network) -> dict[str, int]:
        """The same, of a settled network without orphans."""
        params, macs = self._cells(net)
        return {"params": self._around[0] + params, "macs": self._around[1] + macs}

    def least(self, metric: str) -> Least:
        """A lower bound of a cost of all architectures: the outputs alone, each with its cheapest operator and input."""
        params, macs = self._around
        for cell in self.space.outputs:
            choices = [
                [self._part(op, cell.stride) for op in cell.op.options],
                [self._edge(s, cell) for s in possible_inputs(cell)],
            ]
            params += 2 * self.space.width_at(cell.stride) + sum(min(part.params for part in parts) for parts in choices)
            macs += sum(min(part.macs for part in parts) for parts in choices)
        return Least(params if metric == "params" else macs, "bound")

    def guide(self, metric: str) -> list[Bound]:
        """What every operator and every set of inputs adds to a cost where its cell is left, for `Guided`."""
        found = []
        for name, cell in self.space.cells.items():
            of_ops = [getattr(self._part(op, cell.stride), metric) for op in cell.op.options]
            of_edges = [getattr(self._edge(source, cell), metric) for source in possible_inputs(cell)]
            of_sets = [sum(of_edges[i] for i in cell.inputs.subset(rank)) for rank in range(len(cell.inputs))]
            for what, values in (("op", of_ops), ("inputs", of_sets)):
                path = f"cells.{name}.{what}"
                found.append(Bound((path,), (path,), {(i,): float(value) for i, value in enumerate(values)}))
        return found

    def _cells(self, net: Network) -> tuple[int, int]:
        params = macs = 0
        for cell in net.cells.values():
            params += 2 * net.width_at(cell.stride)  # of the norm, which every cell has
            parts = [self._part(cell.op, cell.stride), *(self._edge(source, cell) for source in cell.inputs)]
            params += sum(part.params for part in parts)
            macs += sum(part.macs for part in parts)
        return params, macs

    def _edge(self, source: str, cell: Cell) -> Cost:
        return self._part(self._strides[source], cell.stride)

    def _count(self, what: str | int, stride: int) -> Cost:
        """The cost of an operator at a stride, or of the connection to it from another stride."""
        net = self.space
        with torch.device("meta"):
            if isinstance(what, str):
                part = operator(what, net.width_at(stride))
                return count(part, (torch.empty(1, net.width_at(stride), *self._size(stride)),), convention=conv_linear)
            name = cell_name(what, 1)
            part = Connection(name, stride, net)
            x = torch.empty(1, net.width_at(what), *self._size(what))
            size = self._size(stride)
            return count(part, (x,), forward=lambda module, map_: module({name: map_}, size), convention=conv_linear)

    def _size(self, stride: int) -> tuple[int, int]:
        height, width = self._image
        return -(-height // stride), -(-width // stride)
