"""EfficientNet against the counts in print, and its padding."""

import pytest
import torch

from common.errors import UserError
from detection.backbones.descriptions import B0, EfficientNet, MBStage, efficientnet, rounded, scaled
from detection.backbones.efficientnet import EfficientNetBackbone

COUNTS = {"b0": 3_595_388, "b1": 6_101_024, "b2": 7_202_562, "b3": 10_103_336, "b4": 16_742_216, "b6": 39_403_992}
"""Parameters of the backbones in the official test of EfficientDet, as the specification divides them."""

SMALL = EfficientNet(
    stem=8,
    stages=(
        MBStage(blocks=1, kernel=3, stride=1, expand=1, width=8),
        MBStage(blocks=2, kernel=3, stride=2, expand=2, width=12),
        MBStage(blocks=2, kernel=5, stride=2, expand=2, width=16),
    ),
    taps=(1, 2),
)


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_those_published(name):
    with torch.device("meta"):
        backbone = EfficientNetBackbone(efficientnet(name))
    assert sum(p.numel() for p in backbone.parameters()) == COUNTS[name]


def test_a_size_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match=r"EfficientNet 'b8' does not exist; choose one of b0, b1"):
        efficientnet("b8")


def test_widths_are_rounded_to_eights_and_never_down_by_more_than_a_tenth():
    assert [rounded(c) for c in (1, 11.9, 12, 18, 19, 28.8)] == [8, 16, 16, 24, 24, 32]
    assert [stage.blocks for stage in scaled(B0, 1.0, 1.1).stages] == [2, 3, 3, 4, 4, 5, 2]


@pytest.mark.parametrize("size", [(64, 64), (63, 65), (33, 50)])
def test_maps_have_the_strides_and_channels_announced(size):
    backbone = EfficientNetBackbone(SMALL).eval()
    assert (backbone.channels, backbone.strides) == ((12, 16), (4, 8))
    maps = backbone(torch.zeros(1, 3, *size))
    assert [tuple(x.shape[1:]) for x in maps] == [(c, *(-(-n // s) for n in size)) for c, s in ((12, 4), (16, 8))]


def test_finer_maps_are_left_out():
    backbone = EfficientNetBackbone(SMALL, finest=8)
    assert (backbone.channels, backbone.strides) == ((16,), (8,))
    assert len(backbone(torch.zeros(1, 3, 32, 32))) == 1


def test_blocks_are_left_out_in_training_alone():
    torch.manual_seed(0)
    backbone = EfficientNetBackbone(EfficientNet(stem=SMALL.stem, stages=SMALL.stages, taps=SMALL.taps, drop_path=0.9))
    x = torch.randn(4, 3, 32, 32)
    drops = [block.drop.p for stage in backbone.stages for block in stage]
    assert drops == pytest.approx([0.9 * i / 5 for i in range(5)])
    backbone.eval()
    assert torch.equal(backbone(x)[-1], backbone(x)[-1])
    for module in backbone.modules():  # only the blocks left out differ between two forwards
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.0
    backbone.train()
    assert not torch.equal(backbone(x)[-1], backbone(x)[-1])
