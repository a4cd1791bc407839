"""EfficientDet's family: published members, compound scaling, and what is refused."""

from random import Random

import pytest

from common.errors import UserError
from common.space import decode, sample, size
from detection.efficientdet.space import FAMILIES, PUBLISHED, compound, detector, family, published, smallest


def test_published_members_are_values_of_the_space():
    space = family("paper")
    net = decode(space, published("D3"))
    assert (net.width, net.depth, net.channels, net.layers, net.convs, net.side, net.fusion, net.top) == PUBLISHED["D3"].sizes
    assert smallest(space) == published("D0")
    assert list(compound(space)) == [name for name in PUBLISHED if name != "D0"]


def test_sizes_of_a_small_family_grow_together():
    space = family("tiny", 5)
    steps = [decode(space, arch) for arch in compound(space).values()]
    assert [(net.width, net.depth, net.channels, net.layers, net.convs, net.side) for net in steps] == [
        (1.5, 2.0, 24, 2, 2, 64),
        (2.0, 3.0, 32, 3, 2, 80),
    ]
    assert {net.fusion for net in steps} == {"fast"}
    assert size(space) == 3 * 3 * 3 * 3 * 2 * 3 * 3


def test_parts_of_a_member_fit_each_other():
    for name in FAMILIES:
        space = family(name, 7)
        for seed in range(20):
            net = detector(decode(space, sample(space, Random(seed))))
            assert net.neck is not None and net.neck.width == net.head.neck_channels
            assert net.head.strides == tuple(2**level for level in net.neck.levels)
            assert net.classes == 7


def test_what_does_not_exist_is_refused():
    with pytest.raises(UserError, match="family 'large' does not exist; choose one of tiny, small, paper"):
        family("large")
