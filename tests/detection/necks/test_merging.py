"""NAS-FPN's modules: counts in print, gates, orphans, sizes that do not divide, and mmdetection's neck with equal weights."""

import re

import pytest
import torch
from torch import Tensor, nn

from common.errors import UserError
from detection import mm
from detection.necks.merges import NASFPN, PUBLISHED, Cell, Wiring
from detection.necks.merging import NASFPNNeck, resampled

CELLS = ("gp_64_4", "sum_44_4", "sum_43_3", "sum_34_4", "sum_55_5", "sum_77_7", "gp_75_6")
"""mmdet's names of the convolutions, in the order of our cells."""


def test_parameters_are_those_published():
    """4,132,352 a stack; laterals and the two 1x1 convolutions before P6 and P7 are mmdetection's."""
    with torch.device("meta"):
        neck = NASFPNNeck(NASFPN(wiring=PUBLISHED), (512, 1024, 2048), (8, 16, 32))
    assert [sum(p.numel() for p in stack.parameters()) for stack in neck.stacks] == [4_132_352] * 7
    assert sum(p.numel() for p in neck.parameters()) == 29_977_600


def _ours(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """mmdet's state under our names. Its 3x3 convolutions have a bias before BatchNorm: it moves into the running mean."""
    found = {}
    for name, value in state.items():
        name = re.sub(r"lateral_convs\.(\d)\.", r"laterals.\1.", name)
        name = re.sub(r"extra_downsamples\.(\d)\.0\.", r"extra.\1.", name)
        name = re.sub(r"(laterals|extra)\.(\d)\.conv", r"\1.\2.0", name)
        name = re.sub(r"(laterals|extra)\.(\d)\.bn", r"\1.\2.1", name)
        name = re.sub(
            r"fpn_stages\.(\d)\.(\w+)\.out_conv\.(conv|bn)",
            lambda m: f"stacks.{m[1]}.convs.{CELLS.index(m[2])}.{'conv' if m[3] == 'conv' else 'norm'}",
            name,
        )
        found[name] = value
    for name in [name for name in found if name.endswith("conv.bias")]:
        mean = name.replace("conv.bias", "norm.running_mean")
        found[mean] = found[mean] - found.pop(name)
    return found


def test_outputs_are_those_of_mmdetection_with_its_weights():
    mm.prepare()
    from mmdet.models.necks import NASFPN as Theirs

    torch.manual_seed(0)
    channels = (8, 12, 16)
    with pytest.warns(UserWarning, match="Unnecessary conv bias"):
        theirs = Theirs(list(channels), 16, 5, 2, start_level=0, norm_cfg={"type": "BN", "requires_grad": True}).eval()
    for name, value in (*theirs.named_parameters(), *theirs.named_buffers()):
        if "bn" in name and value.is_floating_point():
            nn.init.uniform_(value, 0.5, 1.5)
        elif name.endswith("bias"):
            nn.init.uniform_(value, -1, 1)
    ours = NASFPNNeck(NASFPN(wiring=PUBLISHED, width=16, stacks=2, gate="fine-mean"), channels, (8, 16, 32)).eval()
    ours.load_state_dict(_ours(theirs.state_dict()))
    maps = tuple(torch.randn(2, c, 32 // 2**i, 48 // 2**i) for i, c in enumerate(channels))
    with torch.no_grad():
        for mine, other in zip(ours(maps), theirs(maps), strict=True):
            assert mine.shape == other.shape
            assert (mine - other).abs().max() <= 1e-5 * other.abs().max()


def stack(op: str, gate: str = "coarse-max") -> NASFPNNeck:
    """One cell between that merges both levels, then outputs; convolutions and activations pass the maps on."""
    cells = (Cell(inputs=(0, 1), op=op), Cell(inputs=(0, 1), op="sum"), Cell(inputs=(0, 3), op="sum"))
    wiring = Wiring(levels=(3, 4), between=(4,), order=(3, 4), cells=cells)
    neck = NASFPNNeck(NASFPN(wiring=wiring, width=1, stacks=1, gate=gate), (1, 1), (8, 16)).eval()  # pyright: ignore[reportArgumentType]
    neck.laterals = nn.ModuleList(nn.Identity() for _ in range(2))
    for conv in neck.stacks[0].convs:
        conv.forward = lambda x: x
    return neck


FINE = torch.tensor([[1.0, 2], [3, 5]]).reshape(1, 1, 2, 2)
COARSE = torch.tensor([[7.0]]).reshape(1, 1, 1, 1)


def test_an_orphan_is_added_to_the_output_of_its_level():
    fine, coarse = stack("sum")((FINE, COARSE))
    assert torch.equal(fine, FINE + 7)
    assert float(coarse) == 5 + float(fine.max()) + (5 + 7)  # the two inputs pooled, and the cell that nothing used


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ("coarse-max", 7 + 5 * torch.tensor(7.0).sigmoid()),
        ("fine-mean", 5 + 7 * torch.tensor(5.0).sigmoid()),  # both are at the cell's level when the gate is computed
    ],
)
def test_attention_scales_one_map_by_the_other(gate, expected):
    _, coarse = stack("attention", gate)((FINE, COARSE))
    fine = FINE + 7
    assert float(coarse) == pytest.approx(5 + float(fine.max()) + float(expected))


@pytest.mark.parametrize("lite", [False, True])
def test_sizes_that_do_not_divide_are_padded(lite):
    neck = NASFPNNeck(NASFPN(wiring=PUBLISHED, width=8, stacks=2, lite=lite), (4, 6, 8), (8, 16, 32)).eval()
    maps = tuple(torch.randn(1, c, *size) for c, size in zip((4, 6, 8), ((13, 25), (7, 13), (4, 7)), strict=True))
    assert [tuple(x.shape[2:]) for x in neck(maps)] == [(13, 25), (7, 13), (4, 7), (2, 4), (1, 2)]


def test_pooling_takes_the_maxima_of_squares_without_overlap():
    x = -torch.arange(1.0, 26).reshape(1, 1, 5, 5)
    assert resampled(x, 1, (3, 3)).flatten().tolist() == [-1, -3, -5, -11, -13, -15, -21, -23, -25]


def test_levels_begin_with_those_of_the_backbone():
    with pytest.raises(UserError, match="do not begin with the backbone's"):
        NASFPNNeck(NASFPN(wiring=PUBLISHED), (8, 8), (4, 8))
