"""The space of PDNAS (arXiv 2003.09676): blocks with micro decisions, and gates for shortcuts between them. No torch here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import UserError, check_least
from common.space import Arch, OneOf, decisions, decode, record
from common.space.values import Decision

ATTENTIONS = ("const", "gcn", "gat", "sym-gat", "cos", "linear", "gene-linear")
"""How a neighbour is weighted: see `graphs.pdnas.attention`."""
AGGREGATIONS = ("sum", "mean", "max")
ACTIVATIONS = ("none", "sigmoid", "tanh", "softplus", "relu", "leaky-relu", "relu6", "elu")
HEADS = (1, 2, 4, 8, 16)
WIDTHS = (16, 32, 64, 128)
"""The multiples 1, 2, 4 and 8 of the base width 16."""


@dataclass(frozen=True)
class Message:
    """What a node hears from its neighbours and itself. Fields may be open.

    Attributes:
        attention: one of `ATTENTIONS`.
        aggregation: one of `AGGREGATIONS`.
    """

    attention: Any
    aggregation: Any


@dataclass(frozen=True)
class Personalised:
    """What a node hears over ten hops, by personalised PageRank: outside the paper's space.

    Attributes:
        attention: one of `ATTENTIONS` but const, whose sums would grow with every hop; open or not.
    """

    attention: Any


@dataclass(frozen=True)
class Block:
    """A linear layer, messages, a bias and an activation. Fields may be open.

    Attributes:
        width: features that the block gives, all heads together; the last block gives one for each class.
        heads: how many parts the features have, each with attention of its own. A power of two that divides the width. Those of
            the last block all have the width of the classes, and are averaged.
        message: a `Message`; outside the paper's space also a `Personalised`, or None, which leaves the graph out.
        activation: one of `ACTIVATIONS`.
        shortcuts: for each output before the block's own input (0 is the network's input, k the k-th block's output), whether it
            is added to that input.
        root: whether the block's input is added once more, through a linear layer of its own, to what the messages give
            (outside the paper's space).
    """

    width: Any
    heads: Any
    message: Any
    activation: Any
    shortcuts: tuple[Any, ...] = ()
    root: Any = False


@dataclass(frozen=True)
class Network:
    """Blocks in a row.

    Attributes:
        features: of a node.
        classes: scores that the last block gives for a node.
        blocks: at least one.
        dropout: probability that an entry of a block's input is dropped in training.
        attention_dropout: probability that a neighbour's weight is.
    """

    features: int
    classes: int
    blocks: tuple[Block, ...]
    dropout: float = 0.6
    attention_dropout: float = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSettings:
    """The networks that are searched."""

    blocks: int = 2
    """Blocks in a row."""
    extended: bool = False
    """Open the operators of APPNP, ARMA and GraphSAGE beside the paper's."""
    shortcuts: bool = True
    """Open the gates of shortcuts between blocks; they are closed otherwise."""
    widths: tuple[int, ...] = WIDTHS
    """Of a block, all heads together."""
    heads: tuple[int, ...] = HEADS
    """Of a block."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "space", ("blocks",), 1)
        if not self.widths or not self.heads or min(*self.widths, *self.heads) < 1:
            raise UserError(f"space.widths={self.widths}, space.heads={self.heads}: give one or more, each 1 or more")
        if odd := [(w, h) for w in self.widths for h in self.heads if w % h]:
            raise UserError(f"space: {odd[0][1]} heads do not divide the width {odd[0][0]}; give widths that all heads divide")


def pdnas_space(
    features: int,
    classes: int,
    blocks: int,
    *,
    extended: bool = False,
    shortcuts: bool = True,
    widths: tuple[int, ...] = WIDTHS,
    heads: tuple[int, ...] = HEADS,
    dropout: float = 0.6,
    attention_dropout: float = 0.6,
) -> Network:
    """The open network.

    A block's direct input is the output before it; binary gates add earlier ones, L (L - 1) / 2 in all. The last block's width is
    that of the classes, so that two blocks have 3,360 * 840 * 2 architectures (a width there as well, which nothing could read,
    would make it 3,360^2 * 2).

    Reconstructions: widths are those of all heads together, which makes GCN (16) and GAT (8 heads of 8) values of the space; the
    base width and the numbers of heads are not published.

    Args:
        features: of a node.
        classes: of the nodes.
        blocks: how many.
        extended: open also what the propagation operators of APPNP, ARMA and GraphSAGE need: blocks without messages, messages
            over ten hops, and root weights.
        shortcuts: whether the gates are open; they are closed otherwise.
        widths: that are searched.
        heads: that are searched.
        dropout: see `Network`.
        attention_dropout: likewise.

    Raises:
        UserError: no block, or fewer than two classes.
    """
    if blocks < 1 or classes < 2 or features < 1:
        raise UserError(
            f"{blocks} blocks, {classes} classes, {features} features: give 1 or more blocks, 2 or more classes, features"
        )
    message = Message(attention=OneOf(*ATTENTIONS), aggregation=OneOf(*AGGREGATIONS))
    farther = Personalised(attention=OneOf(*ATTENTIONS[1:]))
    made = tuple(
        Block(
            width=OneOf(*widths) if k < blocks - 1 else classes,
            heads=OneOf(*heads),
            message=OneOf(message, farther, None) if extended else message,
            activation=OneOf(*ACTIVATIONS),
            shortcuts=tuple(OneOf(False, True) if shortcuts else False for _ in range(k)),
            root=OneOf(False, True) if extended else False,
        )
        for k in range(blocks)
    )
    return Network(features, classes, made, dropout, attention_dropout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A network of one kind of block, made by hand: what a search has to beat.

    Attributes:
        width: of the blocks but the last.
        heads: of those blocks.
        last_heads: of the last block.
        message: of every block.
        first: whether all blocks but the last have messages as well.
        activation: of the blocks but the last.
        root: of every block.
    """

    width: int
    heads: int
    message: Message | Personalised
    activation: str
    last_heads: int = 1
    first: bool = True
    root: bool = False

    @property
    def extended(self) -> bool:
        """Whether it needs more than the paper's space."""
        return self.root or not self.first or isinstance(self.message, Personalised)


OPERATORS: Mapping[str, Operator] = {
    "GCN": Operator(width=16, heads=1, message=Message("gcn", "sum"), activation="relu"),
    "GAT": Operator(width=64, heads=8, message=Message("gat", "sum"), activation="elu"),
    "SAGE": Operator(width=64, heads=1, message=Message("const", "mean"), activation="relu"),
    "ARMA": Operator(width=16, heads=1, message=Message("gcn", "sum"), activation="relu", root=True),
    "APPNP": Operator(width=64, heads=1, message=Personalised("gcn"), activation="relu", first=False),
}
"""Name -> network: GCN (1609.02907), GAT (1710.10903), GraphSAGE with its GCN aggregator (1706.02216), ARMA with one stack of one
layer, self loops included (1901.01343), APPNP (1810.05997)."""


def by_hand(name: str, features: int, classes: int, blocks: int = 2, last_heads: int | None = None) -> Network:
    """The network of an operator of `OPERATORS`.

    Args:
        name: of the operator.
        features: of a node.
        classes: of the nodes.
        blocks: how many.
        last_heads: of the last block; the operator's own by default. GAT has 8 on Pubmed.

    Raises:
        UserError: there is no such operator.
    """
    if name not in OPERATORS:
        raise UserError(f"operator {name!r} does not exist; choose one of {', '.join(OPERATORS)}")
    o = OPERATORS[name]
    made = [
        Block(o.width, o.heads, o.message if o.first else None, o.activation, (False,) * k, o.root) for k in range(blocks - 1)
    ]
    last = Block(classes, last_heads or o.last_heads, o.message, "none", (False,) * (blocks - 1), o.root)
    return Network(features, classes, (*made, last))


def arch_of(space: Network, network: Network) -> Arch:
    """The architecture of `space` whose blocks are those of `network`.

    Raises:
        UserError: a block of it is not in the space.
    """
    wanted = dict(_values(network.blocks, "blocks"))

    def option(path: str, decision: Decision) -> int:
        value = wanted.get(re.sub(r"\[\w+\]", "", path))  # None: the network's message has no such part
        for i, offered in enumerate(decision.options):
            if offered == value or (type(offered) is type(value) and isinstance(value, Message | Personalised)):
                return i
        raise UserError(f"{path} is {value!r}, which this space does not offer: {', '.join(decision.labels)}")

    if len(network.blocks) != len(space.blocks):
        raise UserError(f"{len(network.blocks)} blocks: this space has {len(space.blocks)}")
    arch = record(space, option)
    for k, (given, made) in enumerate(zip(network.blocks, decode(space, arch).blocks, strict=True)):
        if given != made:  # in something that this space leaves settled
            raise UserError(f"block {k} is {given}, and this space has no such block; nearest is {made}")
    return arch


def hand_made(space: Network) -> dict[str, Arch]:
    """The operators of `OPERATORS` that are values of the space, by name; GCN, which networks are compared with, is the first.

    Raises:
        UserError: GCN is not in the space.
    """
    found: dict[str, Arch] = {}
    for name in OPERATORS:
        try:
            found[name] = arch_of(space, by_hand(name, space.features, space.classes, len(space.blocks)))
        except UserError as error:  # not in this space
            if name == "GCN":
                raise UserError(f"the space has no GCN, which networks are compared with ({error}); open its values") from None
    return found


def order(space: Network) -> list[list[str]]:
    """Decisions in groups for progressive search, block after block: at most three, with at most 300 combinations of options."""
    groups: list[list[str]] = []
    last, combinations = "", 0
    for path, decision in decisions(space).items():
        block, options = path.split(".")[1], len(decision.options)
        if block == last and len(groups[-1]) < 3 and combinations * options <= 300:
            groups[-1].append(path)
            combinations *= options
        else:
            groups.append([path])
            last, combinations = block, options
    return groups


def cheapest(space: Network) -> Arch:
    """An architecture with the fewest parameters and multiply-adds: everything narrow and closed, attention without weights."""

    def option(path: str, decision: Decision) -> int:
        options = list(decision.options)
        if all(isinstance(value, int) for value in options):  # widths, heads and gates
            return min(range(len(options)), key=lambda i: options[i])
        return 0  # messages over one hop, const attention (gcn over ten), any aggregation and activation

    return record(space, option)


def _values(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    yield path, value
    if isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from _values(item, f"{path}.{i}")
    elif isinstance(value, Block | Message | Personalised):
        for name in value.__dataclass_fields__:
            yield from _values(getattr(value, name), f"{path}.{name}")
