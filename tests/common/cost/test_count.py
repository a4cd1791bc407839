import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import mobilenet_v2, resnet18, shufflenet_v2_x1_0

from common.cost.count import count


@pytest.mark.parametrize("make", [resnet18, mobilenet_v2, shufflenet_v2_x1_0])
def test_twice_the_macs_are_the_flops_that_torch_counts(make):
    with torch.device("meta"):
        network, image = make(), torch.zeros(1, 3, 224, 224)
    with FlopCounterMode(display=False) as counter:
        network.eval()(image)
    cost = count(network, (image,))
    assert 2 * cost.macs == counter.get_total_flops()
    assert cost.params == sum(p.numel() for p in network.parameters())
    assert cost.convention == "conv_linear"


@pytest.mark.parametrize(
    ("layer", "shape", "macs", "params"),
    [
        (nn.Conv2d(4, 6, 3, padding=1), (1, 4, 5, 5), 6 * 25 * 4 * 9, 6 * 4 * 9 + 6),
        (nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), (1, 4, 5, 5), 4 * 25 * 9, 36),
        (nn.Conv2d(4, 8, 1, groups=2, bias=False), (1, 4, 5, 5), 8 * 25 * 2, 16),
        (nn.ConvTranspose2d(4, 6, 2, 2, bias=False), (1, 4, 5, 5), 100 * 6 * 4, 96),
        (nn.ConvTranspose2d(4, 6, 2, 2, groups=2, bias=False), (1, 4, 5, 5), 100 * 3 * 4, 48),
        (nn.Conv1d(2, 3, 3), (1, 2, 9), 3 * 7 * 2 * 3, 21),
        (nn.Linear(3, 7), (2, 5, 3), 10 * 3 * 7, 28),
        (nn.BatchNorm2d(4), (1, 4, 5, 5), 0, 8),
        (nn.Sequential(nn.ReLU(), nn.AvgPool2d(2), nn.Upsample(scale_factor=2)), (1, 4, 6, 6), 0, 0),
    ],
)
def test_layers(layer, shape, macs, params):
    cost = count(layer, (torch.zeros(shape),))
    assert (cost.macs, cost.params) == (macs, params)


def test_attention_counts_its_projections():
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.zeros(1, 5, 8)
    assert count(attention, (x, x, x)).macs == 4 * 5 * 8 * 8


def test_shared_parameters_count_once_and_their_work_twice():
    layer = nn.Linear(4, 4, bias=False)
    cost = count(nn.Sequential(layer, layer), (torch.zeros(1, 4),))
    assert (cost.params, cost.macs) == (16, 32)


def test_the_network_is_left_alone():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count(network, (torch.rand(1, 3, 8, 8),))
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_another_pass_and_another_convention():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Linear(8, 8))

    def layers(function, args, kwargs, out):
        return int(function is torch.nn.functional.conv2d)

    cost = count(network, (torch.zeros(1, 3, 8, 8),), forward=lambda net, x: net[0](net[0](x)[:, :3]), convention=layers)
    assert (cost.macs, cost.convention) == (2, "layers")
