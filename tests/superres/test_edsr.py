"""EDSR of any size, and the one that costs as much as another network."""

import pytest
import torch

from superres.costs import cost_of
from superres.edsr import EDSR, build, of_equal_cost
from superres.layers import MEAN


def test_the_baseline_of_the_paper_has_its_parameters():
    """1.37 million with 16 blocks of 64 channels at scale 2; EDSR's table 1 says 1.5 million of its baseline."""
    with torch.device("meta"):
        params = [cost_of(build(EDSR(width=64, blocks=16, scale=scale)), 3, 24).params for scale in (2, 3, 4)]
    assert params == [1_369_859, 1_554_499, 1_517_571]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pictures_of_any_size_are_enlarged(scale):
    for residual in (False, True):
        network = build(EDSR(width=3, blocks=1, scale=scale, residual=residual))
        assert network(torch.zeros(2, 3, 1, 5)).shape == (2, 3, scale, 5 * scale)


def test_the_residual_adds_the_enlarged_picture():
    x = torch.rand(1, 3, 6, 7) * 255
    plain, residual = (build(EDSR(width=3, blocks=1, scale=2, residual=residual), 1) for residual in (False, True))
    mean = torch.tensor(MEAN).view(1, 3, 1, 1) * 255
    enlarged = torch.nn.functional.interpolate(x - mean, scale_factor=2, mode="bicubic")
    assert torch.allclose(residual(x), plain(x) + enlarged, atol=1e-3)


@pytest.mark.parametrize("macs", [3_000_000, 30_000_000, 3_000_000_000])
def test_a_network_of_equal_cost_as_another(macs):
    ((name, network),) = of_equal_cost(macs, 2, 32, residual=False).items()
    assert abs(network.cost["macs_deconv"] / macs - 1) <= 0.03
    blocks, width = map(int, name.removeprefix("EDSR ").split("x"))
    with torch.device("meta"):
        assert cost_of(build(EDSR(width=width, blocks=blocks, scale=2)), 3, 32)._asdict() == network.cost


def test_what_is_cheaper_than_every_network_gets_the_cheapest():
    ((name, _),) = of_equal_cost(10, 2, 8, residual=False).items()
    assert name == "EDSR 1x1"
