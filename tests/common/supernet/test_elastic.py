"""Elastic layers that make pictures: transposed convolutions, and convolutions that reflect what is at the edge."""

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from common.cost.price import Price
from common.space import Arch, OneOf, enumerate_all, sample
from common.supernet import Mixed, Supernet, conv2d, conv_transpose2d, depthwise, instance_norm, opened
from common.supernet.convolution import ElasticConv2d
from common.supernet.transposed import ElasticConvTranspose2d

WIDTHS = (2, 3, 5)


def transposed(c_in: Any, c_out: Any, kernel: int = 3, stride: int = 2, bias: bool = True) -> tuple[Supernet, Any]:
    """A single transposed convolution as a supernet, and the layer."""
    torch.manual_seed(0)
    layer = conv_transpose2d(opened((c_in,))[0], opened((c_out,))[0], kernel, stride, bias=bias)
    return Supernet(layer, (c_out,)), layer


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (3, 3), (5, 2)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_transposed_convolution_is_the_plain_one_on_the_leading_slices(kernel, stride, bias):
    net, layer = transposed(OneOf(*WIDTHS), OneOf(2, 4, 6), kernel, stride, bias)
    assert isinstance(layer, ElasticConvTranspose2d)
    assert layer.weight.shape == (5, 6, kernel, kernel) and (layer.bias is not None) == bias
    for c_in in WIDTHS:
        for option, c_out in enumerate((2, 4, 6)):
            net.activate(Arch({"0": option}))
            x = torch.randn(2, c_in, 4, 5)
            plain = nn.ConvTranspose2d(c_in, c_out, kernel, stride, kernel // 2, output_padding=stride - 1, bias=bias)
            with torch.no_grad():
                plain.weight.copy_(layer.weight[:c_in, :c_out])
                if layer.bias is not None and plain.bias is not None:
                    plain.bias.copy_(layer.bias[:c_out])
            out = layer(x)
            assert out.shape == (2, c_out, 4 * stride, 5 * stride)
            assert torch.equal(out, plain(x))


def test_settled_widths_give_the_plain_transposed_convolution():
    layer = conv_transpose2d(4, 6, 3, 2, bias=False)
    assert type(layer) is nn.ConvTranspose2d and layer.bias is None and layer.weight.shape == (4, 6, 3, 3)
    assert layer(torch.zeros(1, 4, 5, 7)).shape == (1, 6, 10, 14)
    open_in, open_out = (opened((OneOf(4, 6),))[0] for _ in range(2))
    assert type(conv_transpose2d(open_in, 3, 3, 2)) is type(conv_transpose2d(4, open_out, 3, 2)) is ElasticConvTranspose2d


@dataclass(frozen=True)
class Maker:
    narrow: Any
    kernel: Any
    middle: Any
    wide: Any


class Pictures(nn.Module):
    """Down, a block of reflecting convolutions, and up again."""

    def __init__(self, net: Maker) -> None:
        super().__init__()
        self.stem = conv2d(3, net.narrow, 5, padding_mode="reflect")
        self.down = conv2d(net.narrow, net.wide, 3, 2)
        self.spatial = depthwise(net.wide, net.kernel, padding_mode="reflect")
        self.norm = instance_norm(net.wide, affine=True)
        self.mix = conv2d(net.wide, net.middle, net.kernel, padding_mode="reflect", bias=False)
        self.up = conv_transpose2d(net.middle, net.narrow, 3, 2)
        self.up_to = conv_transpose2d(net.narrow, 4, 3, 1, bias=False)
        self.picture = conv2d(4, 3, 3, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.spatial(self.down(torch.relu(self.stem(x)))))
        return self.picture(torch.relu(self.up_to(torch.relu(self.up(self.mix(torch.relu(x)))))))


SPACE = Maker(narrow=OneOf(2, 4), kernel=OneOf(1, 3, 5), middle=OneOf(3, 6), wide=OneOf(4, 5, 8))


def pictures() -> Supernet:
    torch.manual_seed(0)
    net = Supernet(Pictures(opened(SPACE)), SPACE)
    with torch.no_grad():
        for parameter in net.module.parameters():
            parameter.uniform_(-1, 1)
    return net


def test_an_extracted_generator_is_the_active_path_bit_for_bit_and_plain():
    net, x = pictures(), torch.randn(2, 3, 8, 8)
    for arch in enumerate_all(SPACE):
        net.activate(arch)
        network = net.extract(arch, Pictures)
        out = net.module(x)
        assert out.shape == x.shape and torch.equal(network(x), out)
        assert not [m for m in network.modules() if type(m).__module__.startswith("common.supernet")]


def idle(name: str, tensor: Tensor, narrow: int, kernel: int, middle: int, wide: int) -> Tensor:
    """Where a tensor of the shape of a parameter of `Pictures` lies outside a path."""
    filters = {"stem": narrow, "down": wide, "spatial": wide, "norm": wide, "mix": middle, "picture": 3}
    inputs = {"stem": 3, "down": narrow, "spatial": 1, "mix": wide, "picture": 4, "up": middle, "up_to": narrow}
    outputs = {"up": narrow, "up_to": 4}  # of transposed ones, whose inputs are the first dimension
    part, _, kind = name.partition(".")
    mask = torch.ones_like(tensor, dtype=torch.bool)
    if kind == "bias" or part == "norm":
        mask[: {**filters, **outputs}[part]] = False
    elif part in outputs:
        mask[: inputs[part], : outputs[part]] = False
    else:
        edge = (tensor.shape[-1] - kernel) // 2 if part in ("spatial", "mix") else 0
        crop = slice(edge, tensor.shape[-1] - edge)
        mask[: filters[part], : inputs[part], crop, crop] = False
    return mask


OPTIMISERS = [
    lambda ps: torch.optim.SGD(ps, 0.1, momentum=0.9, weight_decay=0.1),
    lambda ps: torch.optim.AdamW(ps, 0.1, weight_decay=0.1),
]


@pytest.mark.parametrize("make_optimizer", OPTIMISERS)
def test_a_step_leaves_what_is_outside_its_path_bit_for_bit(make_optimizer):
    """Momentum and decay act on whole tensors; the optimiser holds momentum for everything before."""
    net = pictures()
    optimizer = make_optimizer(net.module.parameters())

    def step(arch: Arch) -> None:
        optimizer.zero_grad(set_to_none=True)
        net.activate(arch)
        net.module(torch.randn(2, 3, 8, 8)).square().mean().backward()
        with net.idle_protected(optimizer):
            optimizer.step()

    step(Arch({"narrow": 1, "kernel": 2, "middle": 1, "wide": 2}))
    rng = Random(0)
    for arch in [Arch({"narrow": 0, "kernel": 0, "middle": 0, "wide": 0}), *(sample(SPACE, rng) for _ in range(4))]:
        names = {name: decision.options[arch[name]] for name, decision in vars(SPACE).items()}
        before = {n: p.detach().clone() for n, p in net.module.named_parameters()}
        state = {n: {k: v.clone() for k, v in optimizer.state[p].items()} for n, p in net.module.named_parameters()}
        step(arch)
        for name, parameter in net.module.named_parameters():
            outside = idle(name, parameter, **names)
            assert torch.equal(parameter[outside], before[name][outside]), name
            assert (parameter[~outside] != before[name][~outside]).any(), name
            for key, old in state[name].items():
                if old.shape == parameter.shape:
                    assert torch.equal(optimizer.state[parameter][key][outside], old[outside]), (name, key)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_an_elastic_convolution_pads_as_the_plain_one(mode, stride, dilation):
    torch.manual_seed(0)
    width, kernel = opened((OneOf(2, 4), OneOf(1, 3, 5)))
    layer = conv2d(3, width, kernel, stride, dilation=dilation, padding_mode=mode)
    assert isinstance(layer, ElasticConv2d)
    x = torch.randn(2, 3, 9, 8)
    net = Supernet(layer, (OneOf(2, 4), OneOf(1, 3, 5)))
    for i, n in enumerate((2, 4)):
        for j, k in enumerate((1, 3, 5)):
            for c in (1, 3):  # the width of the input is read from it
                net.activate(Arch({"0": i, "1": j}))
                plain = nn.Conv2d(c, n, k, stride, k // 2 * dilation, dilation, padding_mode=mode)
                crop = slice((5 - k) // 2, (5 + k) // 2)
                with torch.no_grad():
                    plain.weight.copy_(layer.weight[:n, :c, crop, crop])
                    assert layer.bias is not None and plain.bias is not None
                    plain.bias.copy_(layer.bias[:n])
                assert torch.equal(layer(x[:, :c]), plain(x[:, :c]))


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 2)])
def test_an_elastic_depthwise_convolution_reflects_as_the_plain_one(stride, dilation):
    torch.manual_seed(0)
    space = (OneOf(2, 4), OneOf(3, 5))
    width, kernel = opened(space)
    layer = depthwise(width, kernel, stride, dilation=dilation, padding_mode="reflect", bias=False)
    assert isinstance(layer, ElasticConv2d)
    with pytest.warns(UserWarning, match="reads decision '0'"):  # the width is that of the input
        net = Supernet(layer, space)
    x = torch.randn(2, 4, 9, 8)
    for n in (2, 4):
        for j, k in enumerate((3, 5)):
            net.activate(Arch({"1": j}))
            padding = k // 2 * dilation
            plain = nn.Conv2d(n, n, k, stride, padding, dilation, n, bias=False, padding_mode="reflect")
            crop = slice((5 - k) // 2, (5 + k) // 2)
            with torch.no_grad():
                plain.weight.copy_(layer.weight[:n, :, crop, crop])
            assert torch.equal(layer(x[:, :n]), plain(x[:, :n]))


def test_settled_convolutions_keep_the_mode_of_their_padding():
    for layer in (conv2d(3, 4, 3, 2, dilation=2, padding_mode="reflect"), depthwise(4, 3, 2, dilation=2, padding_mode="reflect")):
        assert type(layer) is nn.Conv2d
        assert (layer.padding_mode, layer.padding, layer.stride, layer.dilation) == ("reflect", (2, 2), (2, 2), (2, 2))
    assert depthwise(4, 3, padding_mode="reflect").groups == 4
    assert conv2d(3, 4, 3).padding_mode == depthwise(4, 3).padding_mode == "zeros"


def test_a_sampled_width_of_a_transposed_convolution_learns():
    """The output is multiplied by the weight of its width, which is 1: gradients reach the logits through it."""
    net, layer = transposed(3, OneOf(*WIDTHS))
    assert net.sampled == ("0",)
    x = torch.randn(1, 3, 4, 4)
    net.activate(Arch({"0": 1}))
    out = layer(x)
    weights = torch.tensor([0.0, 1.0, 0.0], requires_grad=True)
    net.relax({"0": Mixed(weights, (1,))})
    mixed = layer(x)
    assert torch.equal(mixed, out)
    mixed.sum().backward()
    assert weights.grad is not None
    torch.testing.assert_close(weights.grad, torch.tensor([0.0, float(out.detach().sum()), 0.0]))


def test_a_transposed_convolution_runs_once_in_each_trace(monkeypatch):
    space, runs = {"width": OneOf(*range(1, 41))}, []
    layer = conv_transpose2d(3, opened(space)["width"], 3, 2)
    monkeypatch.setattr(ElasticConvTranspose2d, "note", lambda self, region: runs.append(region))
    price = Price(layer, (torch.zeros(2, 3, 4, 4),), space)
    assert price.price({"width": 7}) == {"params": 8 * (3 * 9 + 1), "macs": 2 * 16 * 3 * 8 * 9}
    assert len(runs) == price.traces


def test_what_follows_a_transposed_convolution_is_priced_by_its_width_alone():
    space = {"before": OneOf(2, 4), "after": OneOf(3, 5)}
    net = opened(space)
    up, last = conv_transpose2d(net["before"], net["after"], 3, 2), conv2d(net["after"], 3, 1)
    price = Price(nn.Sequential(conv2d(3, net["before"], 3), up, last), (torch.zeros(2, 3, 4, 4),), space)
    for arch in enumerate_all(space):
        price.price(arch)
    assert set(price.tables) == {("before",), ("before", "after"), ("after",)}
