"""Published counts of operations, exact."""

from __future__ import annotations

import json

import pytest

from binary.groups.names import describe as describe_groups
from binary.groups.system import Describing as Groups
from binary.width.names import describe as describe_width
from binary.width.system import Describing as Width
from common.errors import UserError
from common.overrides import plain

WIDTHS = {  # binary weights, BOPs, real multiply-adds
    "ResNet-18": (11_157_504, 1_695_547_392, 118_525_952),
    "Res18-Auto-A": (94_339_072, 15_850_799_104, 237_051_904),
    "Res18-Auto-B": (113_893_376, 18_638_176_256, 355_577_856),
    "ResNet-18 4": (178_520_064, 27_128_758_272, 474_103_808),
    "VGG-small": (4_571_136, 603_979_776, 3_620_864),
    "VGG-Auto-A": (3_686_400, 603_979_776, 1_810_432),
    "VGG-Auto-B": (21_823_488, 3_321_888_768, 7_118_848),
}
GROUPS = {  # binary weights, BOPs
    "1": (28_253_184, 4_816_896_000),
    "2": (15_696_384, 2_678_194_176),
    "4": (9_417_984, 1_608_843_264),
    "16": (4_709_184, 806_830_080),
    "32": (3_924_384, 673_161_216),
}
STEM_AND_CLASSIFIER = 11_862_016


@pytest.mark.parametrize("name", WIDTHS)
def test_networks_of_widths_have_their_published_counts(name):
    found = describe_width(Width(arch=name))
    weights, bops, macs = WIDTHS[name]
    assert (found["binary_weights"], found["bops"], found["macs"]) == (weights, bops, macs)
    assert found["ops"] == macs + bops // 64 and found["bits"] == weights + 32 * (found["params"] - weights)
    assert json.loads(json.dumps(found)) == plain(found)


def test_bi_real_net_has_its_published_operations():
    found = describe_width(Width(arch="Bi-Real-18"))
    assert (found["bops"], found["macs"], found["ops"]) == (1_676_279_808, 137_793_536, 163_985_408)


@pytest.mark.parametrize("groups", GROUPS)
def test_networks_of_groups_have_their_published_counts(groups):
    found = describe_groups(Groups(arch=groups))
    weights, bops = GROUPS[groups]
    assert (found["binary_weights"], found["bops"], found["macs"]) == (weights, bops, STEM_AND_CLASSIFIER)
    assert found["ops"] == STEM_AND_CLASSIFIER + bops // 64
    assert describe_groups(Groups(arch=" ".join([groups] * 13)))["bops"] == bops


def test_one_group_costs_what_reactnet_a_does():
    assert describe_groups(Groups(arch="1"))["ops"] == 87_126_016


def test_depthwise_convolutions_are_the_cheapest():
    every = [describe_groups(Groups(arch=text))["ops"] for text in (*GROUPS, "depthwise")]
    assert every == sorted(every, reverse=True)


@pytest.mark.parametrize(
    ("describe", "options", "said"),
    [
        (
            describe_groups,
            Groups(arch="3"),
            r"block 0 has 32 channels, which 3 groups do not divide; give a divisor or depthwise",
        ),
        (describe_groups, Groups(arch="1 2"), r"2 numbers of groups for 13 blocks: give one for each, or one for all"),
        (describe_groups, Groups(arch="0"), r"which 0 groups do not divide"),
        (describe_groups, Groups(arch="many"), r"'many' is no architecture file and no numbers of groups; give one for all 13"),
        (describe_width, Width(arch="1 1 1 1 1 5"), r"5 is no ratio; give 0\.25, 0\.5, 1, 2, 3, 4"),
        (describe_width, Width(arch="1 1"), r"2 ratios; give 6 ratios \(VGG-small\) or 12"),
        (describe_width, Width(arch="Res18-Auto-C"), r"is no released name \(VGG-Auto-A, .*Bi-Real-18\), no architecture file"),
        (describe_width, Width(arch="VGG-small x"), r"is no released name"),
    ],
)
def test_what_stands_for_no_network_is_told(describe, options, said):
    with pytest.raises(UserError, match=said):
        describe(options)
