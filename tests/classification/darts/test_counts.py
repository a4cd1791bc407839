"""Parameters and MACs, exact: published cells in both skeletons, supernets, auxiliary classifier, operations."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from classification.cells.genotypes import published
from classification.cells.network import auxiliary_head
from classification.cells.operations import MAKERS, FactorizedReduce, relu_conv_norm
from classification.cells.space import SKELETONS, darts_space, standalone
from classification.darts.model import build
from common.cost.conventions import conv_linear
from common.cost.count import Meter, count, run
from common.supernet import opened

COUNTS = {
    "NASNet": (3_830_950, 603_452_448, 5_564_320, 604_031_616),
    "DARTS_V1": (3_169_414, 500_987_520, 4_510_432, 505_864_704),
    "DARTS_V2": (3_349_342, 528_359_040, 4_718_752, 529_911_552),
    "PC_DARTS_image": (3_721_510, 570_466_944, 5_342_464, 581_627_328),
    "ENASNet": (4_020_166, 622_142_496, 5_908_768, 630_336_384),
    "FairDARTS_a": (2_360_782, 371_455_200, 3_472_000, 394_742_976),
    "FairDARTS_c": (2_598_814, 399_987_936, 3_859_264, 428_084_928),
    "FairDARTS_d": (3_365_542, 532_506_240, 4_785_760, 535_330_560),
    "FairDARTS_e": (2_643_742, 414_696_672, 3_773_824, 431_396_544),
    "FairDARTS_g": (2_899_054, 453_376_224, 4_094_944, 466_685_952),
    "FairDARTS_b": (3_407_878, 536_487_552, 4_865_248, 541_201_152),
    "FairDARTS_f": (3_151_054, 497_614_464, 4_542_112, 505_714_176),
    "PDARTS": (3_433_798, 532_174_464, 4_944_352, 542_819_328),
    "PC_DARTS_cifar": (3_634_678, 556_670_592, 5_270_560, 571_137_408),
    "GDAS_V1": (3_368_782, 519_428_736, 4_969_216, 537_597_888),
    "NASP": (7_363_486, 1_102_995_072, 9_542_944, 1_060_071_168),
    "SNAS_moderate": (2_847_358, 440_687_232, 4_312_576, 465_607_872),
    "SNAS_mild": (2_661_382, 422_218_368, 3_939_328, 438_042_432),
    "SNAS_aggressive": (2_313_622, 374_912_640, 3_561_952, 395_715_840),
    "UNNAS_IMAGENET_CLS": (4_500_406, 698_560_128, 6_154_720, 686_291_328),
    "UNNAS_IMAGENET_COL": (3_762_550, 579_839_616, 5_330_272, 585_795_072),
    "UNNAS_IMAGENET_JIG": (4_763_926, 725_821_056, 6_609_760, 722_248_704),
    "UNNAS_IMAGENET22K_CLS": (4_047_886, 627_200_640, 5_612_992, 623_643_456),
    "UNNAS_IMAGENET22K_ROT": (4_609_270, 702_707_328, 6_378_976, 699_255_552),
    "UNNAS_IMAGENET22K_COL": (4_596_958, 701_131_392, 6_362_560, 697_646_784),
    "UNNAS_IMAGENET22K_JIG": (4_712_950, 713_821_824, 6_551_776, 713_311_104),
    "UNNAS_CITYSCAPES_SEG": (4_297_798, 660_350_592, 6_005_344, 659_591_424),
    "UNNAS_CITYSCAPES_ROT": (4_661_758, 708_706_944, 6_460_480, 706_283_328),
    "UNNAS_CITYSCAPES_JIG": (4_202_758, 657_972_864, 5_799_520, 648_433_536),
}
"""Name -> parameters and MACs in the CIFAR skeleton, then in ImageNet's, without the auxiliary classifier."""


def params(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def macs(network: nn.Module, size: int) -> int:
    """What `count` says, of a network on the meta device itself: no copy is made, and no ReLU is run (most of the time there)."""
    for part in list(network.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.ReLU):
                setattr(part, name, nn.Identity())
    meter = Meter(conv_linear)
    run(network.eval(), (torch.empty(1, 3, size, size, device="meta"),), None, meter)
    return meter.counted[0]


@pytest.mark.parametrize("skeleton", list(SKELETONS))
@pytest.mark.parametrize("name", list(COUNTS))
def test_published_cells_cost_what_they_should(name, skeleton):
    size = SKELETONS[skeleton].image
    with torch.device("meta"):
        network = build(standalone(published()[name], skeleton))
    assert (params(network), macs(network, size)) == (COUNTS[name][:2] if skeleton == "cifar" else COUNTS[name][2:])


def test_the_quick_count_is_the_count():
    with torch.device("meta"):
        network = build(standalone(published()["FairDARTS_a"]))
        cost = count(network, (torch.empty(1, 3, 32, 32),))
    assert (cost.params, cost.macs) == (params(network), macs(network, 32)) == COUNTS["FairDARTS_a"][:2]


@pytest.mark.parametrize(("partial", "expected"), [(1, 1_930_618), (4, 299_578)])
def test_the_search_supernet_has_the_published_number_of_parameters(partial, expected):
    with torch.device("meta"):
        assert params(build(opened(darts_space(partial=partial)))) == expected


def test_the_auxiliary_classifier_is_an_addition():
    network = standalone(published()["DARTS_V2"])
    with torch.device("meta"):
        assert params(auxiliary_head(576, 10, "cifar")) == 476_426
        assert params(build(replace(network, auxiliary=True))) == 3_349_342 + 476_426


@pytest.mark.parametrize("c", [4, 16])
def test_operations_have_the_parameters_of_their_formulas(c):
    net = darts_space()
    formulas = {f"sep_conv_{k}x{k}": 2 * (c * k * k + c * c + 2 * c) for k in (3, 5, 7)}
    formulas |= {f"dil_conv_{k}x{k}": c * k * k + c * c + 2 * c for k in (3, 5)}
    formulas |= {"conv_7x1_1x7": 14 * c * c + 2 * c, "conv_3x1_1x3": 6 * c * c + 2 * c, "conv 3x3": 9 * c * c + 2 * c}
    formulas["conv 1x1"] = c * c + 2 * c
    formulas |= dict.fromkeys(
        ("none", "max_pool_3x3", "avg_pool_3x3", "max_pool_5x5", "max_pool_7x7", "skip_connect", "noise"), 0
    )
    affine = replace(net, affine=True, pool_norm=False)
    assert {name: params(make(c, 1, affine)) for name, make in MAKERS.items()} == formulas
    norms = {
        name: sum(2 * m.num_features for m in make(c, 1, affine).modules() if isinstance(m, nn.BatchNorm2d))
        for name, make in MAKERS.items()
    }
    assert {name: params(make(c, 1, net)) for name, make in MAKERS.items()} == {n: formulas[n] - norms[n] for n in formulas}
    assert params(MAKERS["skip_connect"](c, 2, affine)) == params(FactorizedReduce(c, c, True)) == c * c + 2 * c
    assert params(relu_conv_norm(3, c, 1, 1, True)) == 3 * c + 2 * c
