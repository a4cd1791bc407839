"""The wiring of BiFPN and of the pyramids it was compared with."""

import pytest

from common.errors import UserError
from detection.necks.layered import wired


def test_bifpn_has_the_nodes_of_the_official_code():
    nodes = [(node.level, node.inputs) for node in wired("bifpn", (3, 4, 5, 6, 7))]
    assert nodes == [
        *((6, (3, 4)), (5, (2, 5)), (4, (1, 6)), (3, (0, 7))),
        *((4, (1, 7, 8)), (5, (2, 6, 9)), (6, (3, 5, 10)), (7, (4, 11))),
    ]


def test_panet_and_fpn_have_nodes_of_one_or_two_inputs():
    assert [(node.level, node.inputs) for node in wired("fpn", (3, 4, 5))] == [(5, (2,)), (4, (1, 3)), (3, (0, 4))]
    panet = [(node.level, node.inputs) for node in wired("panet", (3, 4, 5))]
    assert panet == [(5, (2,)), (4, (1, 3)), (3, (0, 4)), (3, (5,)), (4, (4, 6)), (5, (3, 7))]


@pytest.mark.parametrize("levels", [(3,), (3, 5), (5, 4), ()])
def test_levels_are_consecutive(levels):
    with pytest.raises(UserError, match="give two or more consecutive levels"):
        wired("bifpn", levels)


def test_a_wiring_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match=r"wiring 'nasfpn' does not exist; choose one of bifpn, panet, fpn"):
        wired("nasfpn", (3, 4))  # pyright: ignore[reportArgumentType]
