"""PDNAS networks: one build for standalone networks and supernets (arXiv 2003.09676, section 3)."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import UserError
from common.streams import derive
from common.supernet import choose, fmap, linear, shift
from common.supernet.open import Open
from graphs.pdnas.edges import Edges, edges_of
from graphs.pdnas.propagation import messages
from graphs.pdnas.space import ACTIVATIONS, AGGREGATIONS, ATTENTIONS, Block, Network, Personalised


class Split(nn.Module):
    """Features as heads."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, z: Float[Tensor, "n w"]) -> Float[Tensor, "n h c"]:
        """The first w / h features are the first head's."""
        return z.unflatten(1, (self.heads, -1))


class Nothing(nn.Module):
    """What adds nothing."""

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Zeros like `target`."""
        return torch.zeros_like(target)


class Shortcut(nn.Module):
    """An earlier output as a block's input: as it is where the widths are equal, through a linear layer otherwise."""

    def __init__(self, source: Any, target: Any) -> None:
        super().__init__()
        same = fmap(lambda a, b: a == b, source, target)
        self.project = choose(same, lambda equal: nn.Identity() if equal else linear(source, target, bias=False))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """As wide as `target`."""
        return self.project(source)


class RootWeight(nn.Module):
    """A linear layer beside the messages (GraphSAGE, ARMA)."""

    def __init__(self, width_in: Any, width: Any) -> None:
        super().__init__()
        self.weight = linear(width_in, width, bias=False)

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """As wide as `target`."""
        return self.weight(x).view_as(target)


class BlockModule(nn.Module):
    """A block of a network, open or settled."""

    def __init__(self, block: Block, sources: tuple[Any, ...], last: bool, net: Network) -> None:
        """Makes the block.

        Args:
            block: its description.
            sources: widths of the network's input and of all outputs so far; the last one is the block's direct input.
            last: whether it gives the scores.
            net: what it is part of.
        """
        super().__init__()
        *earlier, width_in = sources
        width = fmap(lambda heads: heads * net.classes, block.heads) if last else block.width
        self.rate = net.dropout
        self.last = last
        self.shortcuts = nn.ModuleList(
            choose(on, lambda taken, source=source: Shortcut(source, width_in) if taken else Nothing())
            for on, source in zip(block.shortcuts, earlier, strict=True)
        )
        self.linear = linear(width_in, width, bias=False)
        # The heads of the last block are as wide as there are classes, so that their number shows in the width alone.
        self.split = nn.Unflatten(1, (-1, net.classes)) if last else choose(block.heads, Split)
        self.message = choose(
            block.message,
            lambda message: messages(message, width, block.heads, net.attention_dropout),
        )
        self.root = choose(block.root, lambda on: RootWeight(width_in, width) if on else Nothing())
        self.bias = shift(net.classes if last else width)
        self.activation = choose(block.activation, activation)

    def forward(self, outputs: list[Tensor], edges: Edges) -> Tensor:
        """`(n, width)` from the network's input and the outputs of all blocks so far."""
        *earlier, x = outputs
        for gate, source in zip(self.shortcuts, earlier, strict=True):
            x = x + gate(source, x)
        x = dropped(x, self.rate, self.training)
        z = self.split(self.linear(x))
        z = self.message(z, edges) + self.root(x, z)
        return self.activation(self.bias(z.mean(1) if self.last else z.flatten(1)))


class PDNASNetwork(nn.Module):
    """The network of a description, open or settled."""

    def __init__(self, net: Network) -> None:
        """Makes the network, with weights of the global generator; `build` seeds it."""
        super().__init__()
        widths: tuple[Any, ...] = (net.features,)
        self.blocks = nn.ModuleList()
        for k, block in enumerate(net.blocks):
            self.blocks.append(BlockModule(block, widths, k == len(net.blocks) - 1, net))
            widths = (*widths, block.width)

    def forward(self, x: Float[Tensor, "n f"], edge_index: Int[Tensor, "2 e"]) -> Float[Tensor, "n k"]:
        """Class scores of the nodes.

        Args:
            x: features; dense, or a sparse CSR matrix, which gives the same numbers faster where most entries are 0.
            edge_index: edges from row 0 to row 1, without self loops: each node gets one here.
        """
        edges = edges_of(edge_index, x.shape[0])
        outputs = [x]
        for block in self.blocks:
            outputs.append(block(outputs, edges))
        return outputs[-1]


def dropped(x: Tensor, rate: float, training: bool) -> Tensor:
    """Dropout of a dense or a sparse CSR matrix; zeros stay zeros, so that only what is stored need be drawn for."""
    if not (training and rate):
        return x
    if x.layout is not torch.sparse_csr:
        return F.dropout(x, rate)
    kept = F.dropout(x.values(), rate)
    return torch.sparse_csr_tensor(x.crow_indices(), x.col_indices(), kept, x.shape, check_invariants=False)


def activation(name: str) -> nn.Module:
    """The activation of a name in `ACTIVATIONS`."""
    made: dict[str, type[nn.Module]] = {
        "none": nn.Identity,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
        "softplus": nn.Softplus,
        "relu": nn.ReLU,
        "leaky-relu": nn.LeakyReLU,
        "relu6": nn.ReLU6,
        "elu": nn.ELU,
    }
    return made[name]()


def build(net: Network, seed: int = 0) -> nn.Module:
    """The module of a description, open or settled; weights are a function of `seed`.

    Matrices begin as in GCN and GAT: uniform by Glorot's rule; biases at 0.

    Raises:
        UserError: a description that no network fits: an unknown option, heads that do not divide a width, a wrong number of
            shortcuts, or a dropout outside [0, 1).
    """
    check(net)
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(derive(seed, "pdnas"))
        network = PDNASNetwork(net)
        for part in network.modules():
            if isinstance(part, nn.Linear):
                nn.init.xavier_uniform_(part.weight)
        return network


def check(net: Network) -> None:
    """Refuses a description that no network fits; errors as in `build`."""
    if not net.blocks or net.classes < 1 or net.features < 1:
        raise UserError(f"{len(net.blocks)} blocks, {net.features} features, {net.classes} classes: give at least 1 of each")
    for name in ("dropout", "attention_dropout"):
        if not 0 <= getattr(net, name) < 1:
            raise UserError(f"{name}={getattr(net, name)}: give a probability from 0 to below 1")
    for k, block in enumerate(net.blocks):
        if len(block.shortcuts) != k:
            raise UserError(f"block {k} has {len(block.shortcuts)} shortcuts: it has {k} outputs before its own input")
        for message in _meanings(block.message):
            if message is not None:
                farther = isinstance(message, Personalised)
                _check_option(k, "attention", message.attention, ATTENTIONS[1:] if farther else ATTENTIONS)
                _check_option(k, "aggregation", "sum" if farther else message.aggregation, AGGREGATIONS)
        _check_option(k, "activation", block.activation, ACTIVATIONS)
        if least := [n for n in (*_meanings(block.heads), *_meanings(block.width)) if n < 1]:
            raise UserError(f"block {k}: {least[0]} heads or features: give 1 or more")
        if k == len(net.blocks) - 1:
            if block.width != net.classes:
                raise UserError(f"block {k} is the last, of width {block.width}: give that of the {net.classes} classes")
            continue
        for width in _meanings(block.width):
            if odd := [h for h in _meanings(block.heads) if width % h]:
                raise UserError(f"block {k}: {odd[0]} heads do not divide the width {width}; give numbers that do")


def _check_option(block: int, name: str, value: Any, known: tuple[str, ...]) -> None:
    if unknown := [option for option in _meanings(value) if option not in known]:
        raise UserError(f"block {block}: {name} {unknown[0]!r} does not exist; choose one of {', '.join(known)}")


def _meanings(value: Any) -> tuple[Any, ...]:
    return value.meanings if isinstance(value, Open) else (value,)
