"""The space, the released networks and their published counts."""

from dataclasses import replace
from math import prod

import pytest
import torch

from common.cost.count import count
from common.errors import UserError
from common.space import decode, sample
from common.space.properties import size
from common.streams import stream
from common.supernet import Supernet, opened
from superres.costs import convolutions
from superres.hnas.model import build
from superres.hnas.space import COUNTS, FIRST, NORMAL, PUBLISHED, UPSAMPLING, Network, arch_of, by_hand, cell_of, open_network


def test_the_space_is_as_large_as_the_paper_says():
    sources = prod(number**2 for number in range(FIRST, FIRST + 4))
    assert size(open_network()) == (6**8 * sources) * (5**8 * sources) * 12
    assert f"{size(open_network()):.3g}" == "1.63e+21"
    assert (len(NORMAL), len(UPSAMPLING)) == (6, 5)


@pytest.mark.parametrize("name", ["HNAS-A", "HNAS-B"])
def test_released_networks_have_the_published_counts(name):
    with torch.device("meta"):
        cost = count(build(PUBLISHED[name]), (torch.empty(1, 3, 48, 48),), convention=convolutions)
    assert (cost.params, cost.macs) == COUNTS[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_released_networks_are_instances_of_the_space(name):
    space = open_network()
    assert decode(space, arch_of(space, PUBLISHED[name])) == PUBLISHED[name]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_network_enlarges_exactly(scale):
    """Without training, searched and alone, for odd sizes and a picture of a pixel too."""
    space = open_network(scale, width=3, cells=3)
    searched = open_network(scale, width=3, cells=3, searching=True)
    supernet = Supernet(build(opened(searched)).eval(), searched)
    shapes = [(1, 1), (5, 8), (7, 3)]
    for number in range(24):
        arch = sample(space, stream(0, "enlarging", number))
        height, width = shapes[number % 3]
        x = torch.rand(1, 3, height, width) * 255
        supernet.activate(arch)
        with torch.no_grad():
            for network in (build(decode(space, arch)), supernet.module):
                assert network(x).shape == (1, 3, scale * height, scale * width)


def test_two_equal_pairs_have_weights_of_their_own_alone_and_share_them_in_a_search():
    """HNAS-B enlarges node 3 twice by the same operation into node 4."""
    twice = cell_of("sep_conv_3x3 1, sep_conv_3x3 1")
    for searching, copies in ((False, 2), (True, 1)):
        net = open_network(width=4, cells=2, nodes=1, searching=searching)
        arch = arch_of(net, Network(normal=twice, upsampling=cell_of("area 0, area 1"), position=1, scale=2))
        node = build(decode(net, arch)).body.cells[0].nodes[0]
        assert len({id(parameter) for parameter in node.parameters()}) == 4 * copies
        assert (node.first is node.second) == searching


def test_the_hand_made_network_is_of_the_space_and_enlarges_at_the_end():
    space = open_network(3, width=4, cells=5)
    net = by_hand(space)
    assert decode(space, arch_of(space, net)) == net and net.position == 4
    assert {name for node in net.normal.nodes for name in node.operations} == {"sep_conv_3x3", "skip_connect"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"position": 12}, r"position: the space has no 12; it has 0, 1, .*11"),
        ({"normal": cell_of("rcab 1, rcab 0")}, r"the normal cell has 1 node\(s\); cells of the space have 4"),
        (
            {"upsampling": cell_of("area 2, area 0, area 0, area 0, area 0, area 0, area 0, area 0")},
            r"upsampling.nodes.0.sources.0: the space has no 2; it has 0, 1",
        ),
    ],
)
def test_what_the_space_does_not_have_is_named(change, said):
    """Position 12, counted from 1, would be that of no cell."""
    with pytest.raises(UserError, match=said):
        arch_of(open_network(), replace(PUBLISHED["HNAS-A"], **change))
