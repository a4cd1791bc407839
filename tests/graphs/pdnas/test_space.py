"""How large the space is, and which networks are values of it."""

from dataclasses import replace
from math import prod

import pytest

from common.errors import UserError
from common.space import decisions, decode, sample, size
from common.streams import stream
from graphs.pdnas.space import OPERATORS, Block, Message, Network, Personalised, arch_of, by_hand, pdnas_space

HIDDEN, LAST = 4 * 5 * 7 * 3 * 8, 5 * 7 * 3 * 8
"""Options of a block: widths, heads, attentions, aggregations, activations; the last one has the width of the classes."""
MESSAGES = 7 * 3 + 6 + 1
"""With those over ten hops, and none at all."""


def space(blocks: int = 2, **change) -> Network:
    return pdnas_space(1433, 7, blocks, **change)


def test_two_blocks_are_the_papers():
    assert (HIDDEN, LAST) == (3360, 840)
    assert size(space()) == 3360 * 840 * 2


@pytest.mark.parametrize("blocks", [1, 2, 3, 8])
def test_sizes(blocks):
    gates = 2 ** (blocks * (blocks - 1) // 2)
    assert size(space(blocks)) == HIDDEN ** (blocks - 1) * LAST * gates
    assert size(space(blocks, shortcuts=False)) == HIDDEN ** (blocks - 1) * LAST
    ratio = MESSAGES * 2  # and root weights
    assert size(space(blocks, extended=True)) * (7 * 3) ** blocks == size(space(blocks)) * ratio**blocks
    assert sum(".shortcuts." in path for path in decisions(space(blocks))) == blocks * (blocks - 1) // 2


def test_what_is_searched_can_be_narrowed():
    narrow = space(widths=(8, 16), heads=(2,), dropout=0.1, attention_dropout=0.2)
    assert size(narrow) == prod((2, 7 * 3 * 8, 7 * 3 * 8, 2))
    assert (narrow.dropout, narrow.attention_dropout) == (0.1, 0.2)
    assert narrow.blocks[1].width == narrow.classes == 7


@pytest.mark.parametrize("blocks", [1, 2, 4])
@pytest.mark.parametrize("name", OPERATORS)
def test_published_operators_are_values(name, blocks):
    wide = space(blocks, extended=True)
    network = by_hand(name, 1433, 7, blocks)
    assert len(network.blocks) == blocks
    assert decode(wide, arch_of(wide, network)) == network


@pytest.mark.parametrize("name", OPERATORS)
def test_those_of_the_papers_space(name):
    network, inside = by_hand(name, 1433, 7), name in ("GCN", "GAT", "SAGE")
    assert OPERATORS[name].extended != inside
    if inside:
        assert decode(space(), arch_of(space(), network)) == network
    else:
        with pytest.raises(UserError, match=r"space does not offer|this space has no such block"):
            arch_of(space(), network)


def test_what_a_space_leaves_settled_must_fit():
    """Gates that it holds closed, and the width of the classes."""
    network = by_hand("GCN", 1433, 7)
    first, last = network.blocks
    for change in ({"shortcuts": (True,)}, {"width": 8}):
        other = replace(network, blocks=(first, replace(last, **change)))
        with pytest.raises(UserError, match=r"^block 1 is .*, and this space has no such block; nearest is "):
            arch_of(space(shortcuts=False), other)


def test_operators_are_as_published():
    gcn = by_hand("GCN", 1433, 7)
    message = Message("gcn", "sum")
    assert gcn.blocks == (Block(16, 1, message, "relu"), Block(7, 1, message, "none", (False,)))
    gat = by_hand("GAT", 500, 3, last_heads=8)
    assert [(block.width, block.heads, block.activation) for block in gat.blocks] == [(64, 8, "elu"), (3, 8, "none")]
    assert [block.message for block in by_hand("APPNP", 9, 3, 3).blocks] == [None, None, Personalised("gcn")]
    assert all(block.root for block in by_hand("ARMA", 9, 3).blocks)


@pytest.mark.parametrize("extended", [False, True])
def test_every_value_is_named(extended):
    wide = space(3, extended=extended)
    rng = stream(0, "named")
    for arch in (sample(wide, rng) for _ in range(40)):
        assert arch_of(wide, decode(wide, arch)) == arch


def test_no_such_operator():
    with pytest.raises(UserError, match=r"^operator 'GIN' does not exist; choose one of GCN, GAT, SAGE, ARMA, APPNP$"):
        by_hand("GIN", 1433, 7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 24}, r"^blocks\.0\.width is 24, which this space does not offer: 16, 32, 64, 128$"),
        ({"heads": 3}, r"^blocks\.0\.heads is 3, which this space does not offer: 1, 2, 4, 8, 16$"),
        ({"message": Message("gcn", "median")}, r"aggregation is 'median', which this space does not offer: sum, mean, max$"),
        ({"activation": "gelu"}, r"^blocks\.0\.activation is 'gelu', which"),
        ({"root": None}, r"^blocks\.0\.root is None, which this space does not offer: False, True$"),
        ({"message": Personalised("const")}, r"attention is 'const', which this space does not offer: gcn, gat"),
    ],
)
def test_blocks_outside_of_a_space(change, message):
    network = by_hand("GCN", 1433, 7)
    other = replace(network, blocks=(replace(network.blocks[0], **change), network.blocks[1]))
    with pytest.raises(UserError, match=message):
        arch_of(space(extended=True), other)


def test_other_numbers_of_blocks():
    with pytest.raises(UserError, match=r"^3 blocks: this space has 2$"):
        arch_of(space(), by_hand("GCN", 1433, 7, blocks=3))


@pytest.mark.parametrize("numbers", [(0, 7, 2), (10, 1, 2), (10, 7, 0)])
def test_spaces_of_nothing(numbers):
    features, classes, blocks = numbers
    wrong = f"^{blocks} blocks, {classes} classes, {features} features: give 1 or more blocks, 2 or more classes, features$"
    with pytest.raises(UserError, match=wrong):
        pdnas_space(features, classes, blocks)
