"""A cell of the DARTS family and what it is made of (arXiv 1806.09055, section 3.1.1; details as in the official code)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from classification.cells.operations import MAKERS, FactorizedReduce, Image, merged, pointwise, relu_conv_norm
from classification.cells.space import FIRST, Cell, Network
from classification.cells.space import Edge as EdgeDescription
from common.layers import shuffled, split
from common.supernet import choose, choose_many
from common.supernet.merged import choose_merged
from common.supernet.open import OpenMany
from common.supernet.together import Together, running

STEM_MULTIPLIER = 3
"""Channels of the CIFAR stem, in widths of a node."""


class Parts(Protocol):
    """What networks of cells are made of, where their wiring is that of `Cell`: real layers, or those of binary networks."""

    def stem(self, net: Network) -> tuple[nn.Module, nn.Module, int]:
        """What makes the inputs of the first cell of images, one behind the other; channels of both inputs."""
        ...

    def entry(self, c_in: int, width: int, halving: bool, net: Network) -> nn.Module:
        """What reads an input of a cell, an output of `c_in` channels: the map of `width` channels that edges read.

        With `halving` the output is of twice the resolution.
        """
        ...

    def operation(self, name: str, width: int, stride: int, net: Network) -> nn.Module:
        """An operation of an edge."""
        ...

    def beside(self, c_in: int, c_out: int, stride: int, net: Network) -> nn.Module | None:
        """What is added to a cell's output: a map of the output of the cell before it, of `c_in` channels; None for nothing."""
        ...


class RealParts(Parts):
    """The layers of the official code of DARTS."""

    def stem(self, net: Network) -> tuple[nn.Module, nn.Module, int]:
        """See `Parts`: on CIFAR one convolution of stride 1, on ImageNet three of stride 2."""
        width = net.width
        if net.skeleton == "cifar":
            c_out = STEM_MULTIPLIER * width
            return nn.Sequential(nn.Conv2d(3, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out)), nn.Identity(), c_out
        first = nn.Sequential(
            nn.Conv2d(3, width // 2, 3, 2, 1, bias=False),
            nn.BatchNorm2d(width // 2),
            nn.ReLU(),
            nn.Conv2d(width // 2, width, 3, 2, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        return first, nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width)), width

    def entry(self, c_in: int, width: int, halving: bool, net: Network) -> nn.Module:
        """See `Parts`."""
        return FactorizedReduce(c_in, width, net.affine) if halving else relu_conv_norm(c_in, width, 1, 1, net.affine)

    def operation(self, name: str, width: int, stride: int, net: Network) -> nn.Module:
        """See `Parts`; names are those of `MAKERS`."""
        return MAKERS[name](width, stride, net)

    def beside(self, c_in: int, c_out: int, stride: int, net: Network) -> nn.Module | None:
        """See `Parts`: nothing."""
        return None


class Edge(nn.Module):
    """An operation on one of the states of a cell.

    Attributes:
        drop_path: probability that a sample is dropped during training; `set_drop_path` sets it.
    """

    def __init__(self, edge: EdgeDescription, width: int, reduction: bool, net: Network, parts: Parts) -> None:
        """Makes the module of `edge`, open or settled."""
        super().__init__()
        self.source = edge.source
        self.drop_path = 0.0
        stride = 2 if reduction and edge.source < FIRST else 1
        seen = width // net.partial
        if net.merged:
            self.op = choose_merged(edge.op, partial(merged, seen, stride, net), partial(pointwise, seen, net))
        else:
            self.op = choose(edge.op, lambda name: parts.operation(name, seen, stride, net))

    def forward(self, states: Mapping[int, Together]) -> Float[Tensor, "n c i j"]:
        """The operation's map."""
        x = states[self.source](self.op)
        if self.training and self.drop_path > 0 and not isinstance(self.op, nn.Identity):
            keep = 1 - self.drop_path
            mask = torch.empty(x.shape[0], 1, 1, 1, dtype=x.dtype, device=x.device).bernoulli_(keep)
            x = x * (mask / keep)
        return x


class Passing(nn.Module):
    """The channels that pass an edge by in PC-DARTS."""

    def __init__(self, edge: EdgeDescription) -> None:
        super().__init__()
        self.source = edge.source

    def forward(self, passed: Mapping[int, Tensor]) -> Tensor:
        """They, of one of the states of a cell."""
        return passed[self.source]


class CellModule(nn.Module):
    """A cell on the outputs of the two cells before it."""

    def __init__(
        self,
        cell: Cell,
        c_in: tuple[int, int],
        width: int,
        reduction: bool,
        after_reduction: bool,
        net: Network,
        parts: Parts,
        first: bool = False,
    ) -> None:
        """Makes the module of `cell`, open or settled.

        Args:
            cell: what to make.
            c_in: channels of the last cell's output but one, and of the last one's.
            width: channels of a node.
            reduction: whether the cell halves the resolution: its inputs are then read at stride 2.
            after_reduction: whether the cell before it does.
            net: the network it is for.
            parts: what it is made of.
            first: whether it is the first one, whose input is that of no other cell.
        """
        super().__init__()
        before, last = c_in
        self.preprocess_0 = parts.entry(before, width, after_reduction, net)
        self.preprocess_1 = parts.entry(last, width, False, net)
        self.beside = None if first else parts.beside(last, width * len(cell.concat), 2 if reduction else 1, net)
        self.concat = cell.concat
        self.partial = net.partial
        self.reduction = reduction
        self.sources = {0, 1} | {edge.source for node in cell.nodes for edge in possible_edges(node.edges)}
        self.nodes = nn.ModuleDict()
        self.passing = nn.ModuleDict()
        for number, node in enumerate(cell.nodes, FIRST):
            edge = partial(Edge, width=width, reduction=reduction, net=net, parts=parts)
            self.nodes[str(number)] = choose_many(node.edges, edge, partial(_zeros, 2 if reduction else 1))
            if net.partial > 1:
                self.passing[str(number)] = choose_many(node.edges, Passing, partial(_zeros, 1))

    def forward(self, before: Image, last: Float[Tensor, "n d i j"]) -> Float[Tensor, "n e k l"]:
        """The nodes of the output, joined over channels."""
        reading: dict[int, list[nn.Module]] = {}
        for node in self.nodes.values():
            for edge in running(node):
                reading.setdefault(edge.source, []).append(edge.op)
        states: list[Tensor] = [self.preprocess_0(before), self.preprocess_1(last)]
        read: dict[int, Together] = {}
        passed: dict[int, Tensor] = {}
        for number in range(FIRST + len(self.nodes)):
            if number >= FIRST:
                states.append(self._node(number, read, passed))
            seen = states[number]
            if self.partial > 1 and number in self.sources:
                seen, passed[number] = split(seen, self.partial, 2 if self.reduction and number < FIRST else 1)
            read[number] = Together(seen, reading.get(number, ()))
        out = torch.cat([states[number] for number in self.concat], 1)
        return out if self.beside is None else out + self.beside(last)

    def _node(self, number: int, read: Mapping[int, Together], passed: Mapping[int, Tensor]) -> Tensor:
        x = self.nodes[str(number)](read)
        return x if self.partial == 1 else shuffled(x, self.passing[str(number)](passed), self.partial)


def _zeros(stride: int, states: Mapping[int, Together] | Mapping[int, Tensor]) -> Tensor:
    """A node without edges."""
    state = states[0]
    x = state.x if isinstance(state, Together) else state
    return torch.zeros_like(x[:, :, ::stride, ::stride])


def possible_edges(edges: Any) -> list[Any]:
    """Every edge that a node may have: those given, or the members of an open set of edges."""
    return list(edges.members if isinstance(edges, OpenMany) else edges)
