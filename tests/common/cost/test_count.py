import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import mobilenet_v2, resnet18, shufflenet_v2_x1_0

from common.cost.conventions import Convention, conv_linear, nothing, output_elements
from common.cost.count import UncountedWarning, count
from common.cost.shapes import perform
from common.errors import UserError


@pytest.mark.parametrize("make", [resnet18, mobilenet_v2, shufflenet_v2_x1_0])
def test_twice_the_macs_are_the_flops_that_torch_counts(make):
    with torch.device("meta"):
        network, image = make(), torch.zeros(1, 3, 224, 224)
    with FlopCounterMode(display=False) as counter:
        network.eval()(image)
    cost = count(network, (image,))
    assert 2 * cost.macs == counter.get_total_flops()
    assert cost.params == sum(p.numel() for p in network.parameters())
    assert (cost.convention, cost.uncounted) == ("contractions", ())


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


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (nn.Conv2d(4, 6, 3, padding=1), (1, 4, 5, 5), 6 * 25 * 4 * 9),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect", groups=4), (1, 4, 5, 5), 4 * 25 * 9),
        (nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1), (1, 4, 5, 5), 6 * 100 * 4 * 9),
        (nn.ConvTranspose2d(4, 6, 3, 1, 1), (2, 4, 5, 5), 2 * 6 * 25 * 4 * 9),
        (nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2), (1, 4, 5, 5), 6 * 100 * 2 * 9),
        (nn.ConvTranspose1d(4, 6, 2, 2), (1, 4, 5), 6 * 10 * 4 * 2),
        (nn.Linear(3, 7), (2, 5, 3), 10 * 3 * 7),
        (nn.InstanceNorm2d(4), (2, 4, 5, 5), 200),
        (nn.BatchNorm2d(4), (1, 4, 5, 5), 100),
        (nn.Sequential(nn.ReLU(), nn.ReflectionPad2d(1), nn.Tanh(), nn.Upsample(scale_factor=2)), (1, 4, 6, 6), 0),
    ],
)
def test_layers_by_what_they_put_out(layer, shape, macs):
    cost = count(layer, (torch.zeros(shape),), convention=output_elements)
    assert (cost.macs, cost.convention) == (macs, "output_elements")


@pytest.mark.parametrize("groups", [1, 2])
def test_a_transposed_convolution_counts_the_square_of_its_stride_times_what_it_computes(groups):
    def named(net: nn.ConvTranspose2d, x: torch.Tensor) -> torch.Tensor:
        return F.conv_transpose2d(input=x, weight=net.weight, stride=2, padding=1, output_padding=1, groups=groups)

    layer, x = nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=groups, bias=False), torch.zeros(1, 4, 5, 7)
    computed = 4 * 35 * 6 // groups * 9
    for forward in (None, named):
        assert count(layer, (x,), forward=forward).macs == computed
        assert count(layer, (x,), forward=forward, convention=output_elements).macs == 4 * computed


def test_attention_counts_its_projections():
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.zeros(1, 5, 8)
    with pytest.warns(UncountedWarning, match="conv_linear does not count torch.nn.functional.multi_head_attention_forward"):
        assert count(attention, (x, x, x), convention=conv_linear).macs == 4 * 5 * 8 * 8


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
    layers = Convention(name="layers", rules={F.conv2d: lambda args, kwargs, out: 1, F.linear: nothing})
    cost = count(network, (torch.zeros(1, 3, 8, 8),), forward=lambda net, x: net[0](net[0](x)[:, :3]), convention=layers)
    assert (cost.macs, cost.convention) == (2, "layers")


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (F.conv2d, ((1, 4, 9, 9), (6, 4, 3, 3)), {"stride": 2}),
        (F.conv2d, ((1, 4, 9, 9), (6, 4, 3, 3)), {"padding": 1}),
        (F.max_pool2d, ((1, 4, 9, 9), 3), {"stride": 2, "padding": 1}),
        (F.interpolate, ((1, 4, 5, 5),), {"scale_factor": 2.0}),
        (F.interpolate, ((1, 4, 5, 5),), {"size": (7, 3)}),
        (torch.cat, ([(1, 4, 5, 5), (1, 2, 5, 5)], 1), {}),
        (torch.add, ((1, 4, 5, 5), (1, 4, 1, 1)), {}),
        (F.batch_norm, ((2, 4, 5, 5), (4,), (4,)), {"training": False}),
    ],
)
def test_remembered_shapes_are_those_of_the_operation(function, args, kwargs):
    def made(value, device):
        if isinstance(value, list):
            return [made(part, device) for part in value]
        return torch.zeros(value, device=device) if isinstance(value, tuple) else value

    real = function(*[made(value, "cpu") for value in args], **kwargs)
    for _ in range(2):  # as it is made, and as it is remembered
        found = perform(function, [made(value, "meta") for value in args], kwargs)
        assert (found.shape, found.dtype, found.device.type) == (real.shape, real.dtype, "meta")
    with pytest.raises(RuntimeError):
        perform(F.conv2d, [made((1, 3, 9, 9), "meta"), made((6, 4, 3, 3), "meta")], {})


@pytest.mark.parametrize(
    ("pick", "said"),
    [
        (lambda x: x[x > 0], "nonzero"),
        (lambda x: x * float(x.max()), r"item\(\) cannot be called on meta tensors"),
        (lambda x: torch.unique(x), "unique"),
        (lambda x: x + torch.ones(2, 3, device="cpu"), "device cpu"),
    ],
)
def test_a_pass_that_needs_numbers_is_refused_in_a_line(pick, said):
    class Picks(nn.Module):
        def forward(self, x):
            return pick(x)

    line = rf"^multiply-adds are counted .* in test_count\.py, line \d+ \(.*{said}.*\); .* hand them in as inputs.*\Z"
    with pytest.raises(UserError, match=line):
        count(Picks(), (torch.ones(2, 3),))


def test_other_errors_of_a_pass_are_the_networks_own():
    with pytest.raises(RuntimeError, match=r"reduction dim|cannot be multiplied") as error:
        count(nn.Linear(3, 7), (torch.zeros(2, 4),))
    assert not isinstance(error.value, UserError)


def test_an_error_of_the_networks_own_is_not_taken_for_a_lack_of_numbers():
    class Strict(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("metadata of the batch is missing")

    with pytest.raises(RuntimeError, match="metadata of the batch is missing"):
        count(Strict(), [torch.zeros(1, 3)])
