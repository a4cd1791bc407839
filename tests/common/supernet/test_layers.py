"""Every elastic layer in a network of its own: extraction, price, idle weights, the widest form, and what is refused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from common.cost.count import count
from common.cost.price import Price
from common.space import Arch, OneOf, decode, enumerate_all
from common.supernet import (
    Mixed,
    Supernet,
    attention,
    batch_norm,
    check,
    conv1d,
    conv2d,
    conv3d,
    embedding,
    fmap,
    group_norm,
    layer_norm,
    linear,
    opened,
    parameter,
)

Net = dict[str, Any]


def sequence(*makers: Callable[[Net], nn.Module]) -> Callable[[Net], nn.Module]:
    return lambda net: nn.Sequential(*(make(net) for make in makers))


class Tied(nn.Module):
    """A language model whose embedding is the weight of its head as well."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.tokens = embedding(7, net["width"])
        self.head: Any = linear(net["width"], 7, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.tokens(x))


class Vision(nn.Module):
    """Patches, a class token, positions, a block with attention, and prompts of their own number."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        width = net["width"]
        self.patches = conv2d(3, width, 1)
        self.token = parameter((1, 1, width), init=nn.init.normal_)
        self.position = parameter([1, 5, width], init=lambda table: table.uniform_(-1, 1))
        self.prompts = parameter((net["prompts"], width), init=nn.init.normal_)
        self.norm = layer_norm(width, eps=1e-6)
        self.attention = attention(width, net["heads"], head_dim=4)
        self.hidden = linear(width, fmap(lambda width, ratio: width * ratio, width, net["ratio"]))
        self.out = linear(fmap(lambda width, ratio: width * ratio, width, net["ratio"]), width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.token().expand(len(x), -1, -1), x), 1) + self.position()
        x = torch.cat((x, self.prompts().expand(len(x), -1, -1)), 1)
        x = x + self.attention(self.norm(x))
        return x + self.out(nn.functional.gelu(self.hidden(x)))


class Cross(nn.Module):
    """Attention of one sequence to another one, and of itself under a mask."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.tokens, self.others = linear(5, net["width"]), linear(4, net["other"])
        self.attention = attention(net["width"], net["heads"], 3, context=net["other"], bias=False)
        self.masked = attention(net["width"], 2, 3)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        x = self.tokens(x)
        x = x + self.attention(x, self.others(context))
        causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()
        return self.masked(x, mask=causal)


@dataclass(frozen=True)
class Case:
    """A build function, its space and the shapes of its inputs."""

    build: Callable[[Net], nn.Module]
    space: Net
    shapes: tuple[tuple[int, ...], ...]
    rows: int = 0  # of the table that whole numbers of the input look up

    def inputs(self) -> list[Tensor]:
        g = torch.Generator().manual_seed(1)
        return [torch.randint(self.rows, s, generator=g) if self.rows else torch.randn(s, generator=g) for s in self.shapes]


WIDTH, KERNEL = OneOf(4, 8, 12), OneOf(1, 3, 5)
SEQUENCE, IMAGE, VOLUME = ((2, 3, 7),), ((2, 3, 6, 5),), ((2, 3, 4, 5, 6),)


def wide_conv(net: Net) -> nn.Module:
    return conv2d(3, net["width"], 1)


CASES = {
    "layer_norm": Case(
        sequence(lambda net: linear(3, net["width"]), lambda net: layer_norm(net["width"])),
        {"width": OneOf(3, 5, 8)},
        ((2, 6, 3),),
    ),
    "group_norm, groups": Case(sequence(wide_conv, lambda net: group_norm(4, net["width"])), {"width": WIDTH}, IMAGE),
    "group_norm, channels": Case(
        sequence(wide_conv, lambda net: group_norm(fmap(lambda width: width // 4, net["width"]), net["width"])),
        {"width": WIDTH},
        IMAGE,
    ),
    "group_norm, both open": Case(
        sequence(wide_conv, lambda net: group_norm(net["groups"], net["width"])),
        {"width": WIDTH, "groups": OneOf(1, 2, 4)},
        IMAGE,
    ),
    "conv1d": Case(
        sequence(
            lambda net: conv1d(3, net["width"], net["kernel"]),
            lambda net: batch_norm(net["width"], dims=1),
            lambda net: conv1d(net["width"], 4, net["kernel"], 2, dilation=2, bias=False, padding_mode="circular"),
        ),
        {"width": WIDTH, "kernel": KERNEL},
        ((2, 3, 9),),
    ),
    "conv3d": Case(
        sequence(
            lambda net: conv3d(3, net["width"], net["kernel"], 2),
            lambda net: batch_norm(net["width"], 3),
            lambda net: conv3d(net["width"], net["width"], 3, groups=2, padding_mode="replicate"),
        ),
        {"width": OneOf(4, 6), "kernel": OneOf(1, 3)},
        VOLUME,
    ),
    "groups, fixed": Case(
        sequence(wide_conv, lambda net: conv2d(net["width"], net["out"], net["kernel"], groups=4, padding_mode="reflect")),
        {"width": WIDTH, "out": OneOf(4, 8), "kernel": KERNEL},
        IMAGE,
    ),
    "groups, before others": Case(
        sequence(
            wide_conv,
            lambda net: conv2d(net["width"], net["out"], 3, groups=4),
            lambda net: group_norm(2, net["out"]),
            lambda net: conv2d(net["out"], 3, 1),
        ),
        {"width": WIDTH, "out": OneOf(4, 8)},
        IMAGE,
    ),
    "groups of fixed width": Case(
        sequence(
            wide_conv,
            lambda net: conv2d(
                net["width"], net["width"], net["kernel"], 2, groups=fmap(lambda width: width // 4, net["width"]), bias=False
            ),
        ),
        {"width": WIDTH, "kernel": KERNEL},
        IMAGE,
    ),
    "groups alone": Case(
        sequence(lambda net: conv2d(3, 8, 1), lambda net: conv2d(8, 12, 3, groups=net["groups"])),
        {"groups": OneOf(4, 1, 2)},
        IMAGE,
    ),
    "groups, one a channel": Case(
        sequence(lambda net: conv1d(3, net["width"], 1), lambda net: conv1d(net["width"], net["width"], 3, groups=net["width"])),
        {"width": WIDTH},
        SEQUENCE,
    ),
    "batch_norm of vectors": Case(
        sequence(lambda net: linear(3, net["width"]), lambda net: batch_norm(net["width"], dims=1)), {"width": WIDTH}, ((4, 3),)
    ),
    "embedding": Case(
        sequence(lambda net: embedding(7, net["width"]), lambda net: linear(net["width"], 2)), {"width": WIDTH}, ((2, 6),), rows=7
    ),
    "embedding of single numbers": Case(
        sequence(lambda net: embedding(7, net["width"]), lambda net: layer_norm(net["width"])), {"width": WIDTH}, ((6,),), rows=7
    ),
    "tied embedding": Case(Tied, {"width": WIDTH}, ((2, 6),), rows=7),
    "vision": Case(
        Vision,
        {"width": OneOf(8, 12), "heads": OneOf(1, 2, 3), "ratio": OneOf(1, 2), "prompts": OneOf(1, 3)},
        ((2, 3, 2, 2),),
    ),
    "cross-attention": Case(Cross, {"width": OneOf(4, 6), "heads": OneOf(1, 2), "other": OneOf(3, 5)}, ((2, 6, 5), (2, 3, 4))),
}


def supernet(case: Case) -> Supernet:
    """With weights that are nowhere 0 or 1, in evaluation mode."""
    torch.manual_seed(0)
    net = Supernet(case.build(opened(case.space)), case.space)
    with torch.no_grad():
        for tensor in [*net.module.parameters(), *(b for b in net.module.buffers() if b.is_floating_point())]:
            tensor.uniform_(0.2, 1)
    net.module.eval()
    return net


@pytest.mark.parametrize("name", CASES)
def test_extracted_networks_are_their_paths_and_prices_are_counts(name):
    case = CASES[name]
    net, inputs = supernet(case), case.inputs()
    price = Price(net.module, inputs, case.space)
    for arch in enumerate_all(case.space):
        net.activate(arch)
        network = net.extract(arch, case.build)
        assert not [part for part in network.modules() if type(part).__module__.startswith("common.supernet")]
        with torch.no_grad():
            assert torch.equal(net.module(*inputs), network(*inputs))
        counted = count(network, inputs)
        assert price.price(arch) == {"params": counted.params, "macs": counted.macs}
        assert counted.params == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", CASES)
def test_check_passes(name):
    case = CASES[name]
    assert check(case.build, case.space, case.inputs(), archs=4).archs <= 4


OPTIMISERS = [
    lambda ps: torch.optim.SGD(ps, 0.05, momentum=0.9, weight_decay=0.1),
    lambda ps: torch.optim.AdamW(ps, 0.05, weight_decay=0.1),
]


@pytest.mark.parametrize("make_optimizer", OPTIMISERS)
@pytest.mark.parametrize("name", CASES)
def test_a_step_leaves_what_is_outside_its_path_bit_for_bit(name, make_optimizer):
    """What a path uses of a parameter are the leading entries of each dimension, and of kernels the centre."""
    case = CASES[name]
    net, inputs = supernet(case), case.inputs()
    net.module.train()
    optimizer = make_optimizer(net.module.parameters())
    archs = list(enumerate_all(case.space))

    def step(arch: Arch) -> None:
        optimizer.zero_grad(set_to_none=True)
        net.activate(arch)
        torch.log1p(net.module(*inputs).square()).mean().backward()
        with net.idle_protected(optimizer):
            optimizer.step()

    for arch in archs:
        step(arch)
    for arch in archs[:: max(1, len(archs) // 6)]:
        shapes = {n: p.shape for n, p in case.build(decode(case.space, arch)).named_parameters()}
        before = {n: p.detach().clone() for n, p in net.module.named_parameters()}
        state = {n: {k: v.clone() for k, v in optimizer.state[p].items()} for n, p in net.module.named_parameters()}
        step(arch)
        for n, p in net.module.named_parameters():
            convolution = isinstance(net.module.get_submodule(n.rpartition(".")[0]), nn.modules.conv._ConvNd)
            starts = [(p.shape[i] - own) // 2 if convolution and i > 1 else 0 for i, own in enumerate(shapes[n])]
            inside = torch.zeros_like(p, dtype=torch.bool)
            inside[tuple(slice(start, start + own) for start, own in zip(starts, shapes[n], strict=True))] = True
            assert torch.equal(p[~inside], before[n][~inside]), n
            assert (p[inside] != before[n][inside]).any(), n
            for key, old in state[n].items():
                if old.shape == p.shape:
                    assert torch.equal(optimizer.state[p][key][~inside], old[~inside]), (n, key)


WIDTHS = {
    "conv1d": (lambda width: conv1d(3, width, 3), ((2, 3, 5),)),
    "conv3d": (lambda width: conv3d(3, width, 1), ((2, 3, 2, 2, 2),)),
    "groups": (lambda width: conv2d(4, width, 3, groups=4), ((2, 4, 3, 3),)),
    "embedding": (lambda width: embedding(7, width), ((2, 3),)),
    "parameter": (lambda width: parameter((2, width), init=nn.init.normal_), ()),
    "parameter, twice": (lambda width: parameter((width, width), init=nn.init.normal_), ()),
    "heads": (lambda width: attention(5, width, 2), ((2, 3, 5),)),
    "width of attention": (lambda width: attention(width, 2, 3), ((2, 3, 8),)),
}


@pytest.mark.parametrize("name", WIDTHS)
def test_a_sampled_width_learns_through_the_output(name):
    """At weight 1 the output is that of the path; its derivative is that of the output times the weight, taken numerically."""
    make, shapes = WIDTHS[name]
    case = Case(lambda net: make(net["width"]), {"width": WIDTH}, shapes, rows=7 if name == "embedding" else 0)
    net, inputs = supernet(case), [x.double() if x.is_floating_point() else x for x in case.inputs()]
    net.module.double()
    assert net.sampled == ("width",) and net.relaxable == ()
    net.activate(Arch({"width": 1}))
    path = net.module(*inputs)

    def total(weight: float) -> Tensor:
        weights = torch.tensor([0.0, weight, 0.0], dtype=torch.float64, requires_grad=True)
        net.activate(Arch({"width": 0}))
        net.relax({"width": Mixed(weights, (1,))})
        out = net.module(*inputs)
        if weight == 1:
            assert torch.equal(out, path)
            (grad,) = torch.autograd.grad(out.sum(), weights)
            return grad
        return out.sum().detach()

    slope = (total(1 + 1e-5) - total(1 - 1e-5)) / 2e-5
    assert slope.abs() > 0.1
    torch.testing.assert_close(total(1), torch.tensor([0.0, float(slope), 0.0], dtype=torch.float64), rtol=1e-6, atol=1e-6)
    if name not in ("heads", "width of attention"):  # one product alone, not one for each size or use
        torch.testing.assert_close(slope, path.sum().detach())
