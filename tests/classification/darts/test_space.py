"""The space: its size, its networks, and which published cells are architectures of it."""

from dataclasses import replace

import pytest
import torch

from classification.darts.genotypes import published
from classification.darts.model import build
from classification.darts.space import (
    OPERATIONS,
    Cell,
    Edge,
    Genotype,
    Node,
    arch_of,
    darts_space,
    genotype_of,
    in_space,
    open_cell,
    standalone,
)
from common.errors import UserError
from common.space import Arch, decisions, decode, sample, size
from common.streams import stream

OTHERS = {"NASNet", "AmoebaNet", "ENASNet", "PNASNet", "NASP"} | {f"FairDARTS_{letter}" for letter in "abcefg"}


def test_the_space_is_as_large_as_the_paper_says():
    assert size(open_cell(none=False)) == 180 * 49**4 == 1_037_664_180
    assert size(darts_space(none=False)) == (180 * 49**4) ** 2
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
        space = darts_space(none=none)
        for i in range(10):
            arch = sample(space, stream(i, "arch"))
            assert arch_of(space, genotype_of(decode(space, arch))) == arch
    with_none = next(a for i in range(99) if "none" in str(decode(darts_space(), a := sample(darts_space(), stream(i, "arch")))))
    assert arch_of(darts_space(none=False), genotype_of(decode(darts_space(), with_none))) is None
    assert arch_of(darts_space(nodes=3), published()["DARTS_V2"]) is None


def cell(*rows: tuple[int, int, str], concat: tuple[int, ...] = (2, 3)) -> Cell:
    nodes = (Node(edges=tuple(Edge(source=s, op=op) for target, s, op in rows if target == n)) for n in (2, 3))
    return Cell(nodes=tuple(nodes), concat=concat)


GOOD = cell((2, 0, "skip_connect"), (3, 1, "skip_connect"))
BAD = {
    "unknown operation": (cell((2, 0, "conv"), (3, 1, "none")), "operation 'conv' does not exist; choose one of none, max_pool"),
    "source is not there": (cell((2, 3, "none"), (3, 1, "none")), "node 2 reads node 3; it can read those before it: 0, 1"),
    "source is empty": (cell((3, 2, "none"), concat=(3,)), "node 3 reads node 2"),
    "output is empty": (cell((2, 0, "none")), r"joins nodes \[2, 3\]; those that have inputs are 2"),
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
