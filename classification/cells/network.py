"""Stacks of cells: one module for standalone networks and supernets (arXiv 1806.09055; skeletons as in the official code)."""

from __future__ import annotations

from collections.abc import Collection

import torch
from jaxtyping import Float
from torch import Tensor, nn

from classification.cells.cell import CellModule, Edge, Parts, possible_edges
from classification.cells.operations import MAKERS, Skip
from classification.cells.space import FIRST, SKELETONS, Cell, Network
from common.errors import UserError
from common.streams import derive
from common.supernet.open import Open


class DARTSNetwork(nn.Module):
    """The network of a description, open or settled; see `Network` for its parts."""

    def __init__(self, net: Network, parts: Parts) -> None:
        """Makes the network of `parts`, with weights of the global generator; `seeded` seeds it."""
        super().__init__()
        width = net.width
        self.stem_0, self.stem_1, last = parts.stem(net)
        before = last
        after_reduction = net.skeleton == "imagenet"  # the second stem halves the resolution, as a reduction cell would
        self.cells = nn.ModuleList()
        self.read_at = -1
        for i in range(net.cells):
            reduction = i in (net.cells // 3, 2 * net.cells // 3)
            width *= 2 if reduction else 1
            cell = net.own[i] if net.own else net.reduction if reduction else net.normal
            self.cells.append(CellModule(cell, (before, last), width, reduction, after_reduction, net, parts, i == 0))
            before, last, after_reduction = last, width * len(cell.concat), reduction
            if net.auxiliary and i == 2 * net.cells // 3:
                self.read_at = i
                self.auxiliary = auxiliary_head(last, net.classes, net.skeleton)
        self.classifier = nn.Linear(last, net.classes)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"] | tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
        """Class scores of normalised images; in training those of the auxiliary classifier, if there is one, beside them."""
        x = x.contiguous(memory_format=torch.channels_last)  # convolutions and pools are a third faster so
        before = self.stem_0(x)
        last = self.stem_1(before)
        read = last
        for i, cell in enumerate(self.cells):
            before, last = last, cell(before, last)
            if i == self.read_at:
                read = last
        scores = self.classifier(last.mean((2, 3)))
        return (scores, self.auxiliary(read)) if self.training and self.read_at >= 0 else scores


def auxiliary_head(c_in: int, classes: int, skeleton: str) -> nn.Sequential:
    """The second classifier of training (476,426 parameters on 576 channels and 10 classes).

    It reads maps of 8x8 on CIFAR and of 7x7 on ImageNet. On ImageNet the second BatchNorm is missing, as in the official code.
    """
    cifar = skeleton == "cifar"
    return nn.Sequential(
        nn.ReLU(),
        nn.AvgPool2d(5, 3 if cifar else 2, count_include_pad=False),
        nn.Conv2d(c_in, 128, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.Conv2d(128, 768, 2, bias=False),
        nn.BatchNorm2d(768) if cifar else nn.Identity(),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(768, classes),
    )


def seeded(net: Network, parts: Parts, seed: int) -> DARTSNetwork:
    """The network of a description made of `parts`, whose initial weights are a function of `seed`."""
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(derive(seed, "darts"))
        return DARTSNetwork(net, parts)


def set_drop_path(network: nn.Module, rate: float) -> None:
    """Sets the probability with which a sample is dropped on an edge during training, for all edges of a standalone network.

    Identities are never dropped, and what is kept is scaled by 1 / (1 - rate), as in the official code. The masks are drawn from
    torch's global generator, as those of dropout are; the training loop seeds it.

    Args:
        network: what `build` made.
        rate: in [0, 1); the paper raises it linearly from 0 to 0.2.

    Raises:
        UserError: a rate outside that range.
    """
    if not 0 <= rate < 1:
        raise UserError(f"drop-path rate {rate}: it is a probability below 1; give one in [0, 1)")
    for part in network.modules():
        if isinstance(part, Edge):
            part.drop_path = rate


def set_skip_dropout(network: nn.Module, rate: float) -> None:
    """Sets the probability with which entries behind an identity are dropped during training, in [0, 1)."""
    for part in network.modules():
        if isinstance(part, Skip):
            part.dropout = rate


def check(net: Network, operations: Collection[str] = tuple(MAKERS)) -> None:
    """Refuses a description that no network of these operations fits; errors as in `build`."""
    if net.skeleton not in SKELETONS:
        raise UserError(f"skeleton {net.skeleton!r} does not exist; choose one of {', '.join(SKELETONS)}")
    if net.cells < 1 or net.classes < 1 or net.partial < 1:
        raise UserError(f"{net.cells} cells, {net.classes} classes, partial={net.partial}: give at least 1 of each")
    if net.width < 2 or net.width % (2 * net.partial):
        rule = "a reduction cell halves the channels that an operation sees"
        raise UserError(f"width {net.width} is no multiple of {2 * net.partial}; {rule}, choose one that is")
    if net.own and len(net.own) != net.cells:
        raise UserError(f"{len(net.own)} cells of their own for a stack of {net.cells}: give one for each place")
    kinds = {f"{i}th": cell for i, cell in enumerate(net.own)} or {"normal": net.normal, "reduction": net.reduction}
    for kind, cell in kinds.items():
        _check_cell(kind, cell, operations)


def _check_cell(kind: str, cell: Cell, operations: Collection[str]) -> None:
    for number, node in enumerate(cell.nodes, FIRST):
        for edge in possible_edges(node.edges):
            if edge.source not in range(number):
                known = ", ".join(map(str, range(number)))
                raise UserError(f"{kind} cell: node {number} reads node {edge.source}; it can read those before it: {known}")
            names = edge.op.meanings if isinstance(edge.op, Open) else (edge.op,)
            if unknown := [name for name in names if name not in operations]:
                raise UserError(f"{kind} cell: operation {unknown[0]!r} does not exist; choose one of {', '.join(operations)}")
    nodes = range(FIRST, FIRST + len(cell.nodes))
    if not cell.concat or not set(cell.concat) <= set(nodes):
        known = ", ".join(map(str, nodes)) or "none"
        raise UserError(f"{kind} cell: its output joins nodes {list(cell.concat)}; it has {known}")
