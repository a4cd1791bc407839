"""The space: its size, its networks, and which published cells are architectures of it."""

from dataclasses import replace

import pytest
import torch

from classification.cells.genotypes import published
from classification.cells.space import (
    GOLD,
    OPERATIONS,
    WITHOUT_NONE,
    Cell,
    Edge,
    Genotype,
    Node,
    arch_of,
    darts_space,
    existing,
    gated_cell,
    in_space,
    open_cell,
    read,
    standalone,
)
from classification.darts.model import build
from common.errors import UserError
from common.space import Arch, ManyOf, decisions, decode, sample, size
from common.streams import stream

OTHERS = {"NASNet", "AmoebaNet", "ENASNet", "PNASNet", "NASP"} | {f"FairDARTS_{letter}" for letter in "abcefg"}


def test_the_space_is_as_large_as_the_paper_says():
    assert size(open_cell(operations=WITHOUT_NONE)) == 180 * 49**4 == 1_037_664_180
    assert size(darts_space(operations=WITHOUT_NONE)) == (180 * 49**4) ** 2
    assert size(open_cell()) == 180 * 64**4
    assert len(decisions(darts_space())) == 2 * (4 + 14)
    assert len(OPERATIONS) == 8


def test_published_cells_of_the_space_are_architectures_of_it():
    outside = set()
    for name, genotype in published().items():
        space, arch = in_space(genotype)
        assert decode(space, arch) == standalone(genotype)
        if arch == Arch({}):
            outside.add(name)
    assert outside == OTHERS


def test_architecture_and_cells_are_two_names_for_one_thing():
    for none in (False, True):
        space = darts_space(operations=OPERATIONS if none else WITHOUT_NONE)
        for i in range(10):
            arch = sample(space, stream(i, "arch"))
            assert arch_of(space, decode(space, arch)) == arch
    with_none = next(a for i in range(99) if "none" in str(decode(darts_space(), a := sample(darts_space(), stream(i, "arch")))))
    assert arch_of(darts_space(operations=WITHOUT_NONE), decode(darts_space(), with_none)) is None
    assert arch_of(darts_space(nodes=3), standalone(published()["DARTS_V2"])) is None


def test_gold_nas_has_560_gates_at_20_cells():
    space = darts_space(operations=GOLD, gated=True, cells=20)
    gates = [decision for decision in decisions(space).values() if isinstance(decision, ManyOf)]
    assert sum(len(decision.options) for decision in gates) == 560 and len(gates) == len(decisions(space)) == 80
    assert size(gated_cell(4, GOLD)) == 2**28
    for i in range(3):
        arch = sample(space, stream(i, "arch"))
        assert arch_of(space, decode(space, arch)) == arch


def test_a_node_without_edges_is_zeros_until_it_is_taken_out():
    """Both networks compute the same where the weights that read the zeros are left out (FairDARTS, nodes of 0 to 2 inputs)."""
    holes = cell((2, 0, "skip_connect"), (2, 1, "sep_conv_3x3"))
    left = existing(holes)
    assert left.concat == (2,) and read(holes) and not read(cell((3, 2, "none")))
    with_zeros = replace(standalone(Genotype(normal=holes, reduction=holes)), width=4, cells=1, classes=3)
    torch.manual_seed(0)
    network, x = build(with_zeros).eval(), torch.randn(2, 3, 8, 8)
    small = build(replace(with_zeros, normal=left, reduction=left)).eval()
    weights = {name: value for name, value in network.state_dict().items() if "classifier" not in name}
    weights["classifier.weight"] = network.state_dict()["classifier.weight"][:, :8]
    weights["classifier.bias"] = network.state_dict()["classifier.bias"]
    small.load_state_dict(weights)
    torch.testing.assert_close(network(x), small(x))
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in network.parameters())


def cell(*rows: tuple[int, int, str], concat: tuple[int, ...] = (2, 3)) -> Cell:
    nodes = (Node(edges=tuple(Edge(source=s, op=op) for target, s, op in rows if target == n)) for n in (2, 3))
    return Cell(nodes=tuple(nodes), concat=concat)


GOOD = cell((2, 0, "skip_connect"), (3, 1, "skip_connect"))
BAD = {
    "unknown operation": (cell((2, 0, "conv"), (3, 1, "none")), "operation 'conv' does not exist; choose one of none, max_pool"),
    "source is not there": (cell((2, 3, "none"), (3, 1, "none")), "node 2 reads node 3; it can read those before it: 0, 1"),
    "joined node is not there": (cell((2, 0, "none"), concat=(2, 4)), r"joins nodes \[2, 4\]; it has 2, 3"),
    "no output": (cell((2, 0, "none"), concat=()), r"joins nodes \[\]"),
}


@pytest.mark.parametrize("fault", BAD)
def test_descriptions_that_fit_no_network_are_refused(fault):
    bad, message = BAD[fault]
    good = replace(standalone(Genotype(normal=GOOD, reduction=GOOD)), cells=1)
    for kind in ("normal", "reduction"):
        with pytest.raises(UserError, match=f"{kind} cell: .*{message}"):
            build(replace(good, **{kind: bad}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"skeleton": "svhn"}, "skeleton 'svhn' does not exist"),
        ({"cells": 0}, "0 cells"),
        ({"classes": 0}, "0 classes"),
        ({"partial": 0}, "partial=0"),
        ({"width": 3}, "width 3 is no multiple of 2"),
        ({"width": 12, "partial": 4}, "width 12 is no multiple of 8"),
    ],
)
def test_sizes_that_fit_no_network_are_refused(change, message):
    with pytest.raises(UserError, match=message), torch.device("meta"):
        build(replace(darts_space(), **change))
