"""No operation counts 0 silently: what a convention does not count is named, and nothing else is."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from common.cost.conventions import contractions, conv_linear, nothing
from common.cost.costs import tabulated
from common.cost.count import UncountedWarning, count
from common.cost.price import Price
from common.describe import describe
from common.space import OneOf, enumerate_all
from common.supernet import check, choose, linear, opened
from tests.toy.system import SYSTEM as TOY

X = torch.empty(2, 5, 8, device="meta")


class Weighted(nn.Module):
    """A call on a parameter and an input."""

    def __init__(self, call: Callable[[Any, Tensor], Any], *shape: int) -> None:
        super().__init__()
        self.call = call
        self.weight = nn.Parameter(torch.empty(shape or (4, 8), device="meta"))

    def forward(self, x: Tensor) -> Any:
        return self.call(self.weight, x)


@pytest.mark.parametrize(
    "name",
    ["resnet50", "vit_b_16", "mobilenet_v3_large", "efficientnet_b0", "swin_t", "swin_v2_t", "convnext_tiny", "densenet121"],
)
def test_nothing_is_said_of_the_networks_of_torchvision(name):
    with torch.device("meta"):
        network = torchvision.models.get_model(name).eval()
    assert count(network, (torch.empty(1, 3, 224, 224, device="meta"),)).uncounted == ()


FREE: dict[str, Callable[[Any, Tensor], Any]] = {
    "a bias": lambda w, x: x + w[0],
    "a scaling": lambda w, x: (x * w[0]).mul_(2).div(w[:1]),
    "a product of every entry": lambda w, x: torch.outer(w[0], w[1]),
    "shapes and copies": lambda w, x: (
        w.shape,
        w.size(0),
        w.view(-1),
        w.reshape(2, 16),
        w.t().contiguous(),
        w.detach().to(x.dtype),
    ),
    "pieces": lambda w, x: (
        w[:2, ::2],
        w.chunk(2),
        w.split([1, 3]),
        w.unbind(),
        torch.cat([w, w]),
        torch.stack([w, w]),
        w.flip(0),
    ),
    "tokens": lambda w, x: torch.cat([w[:1].expand(2, 1, -1), x], 1) + F.pad(w, (0, 0, 0, 2)),
    "a standardised weight": lambda w, x: F.linear(x, (w - w.mean(1, keepdim=True)) / w.std(1, keepdim=True)),
    "a cosine": lambda w, x: F.linear(F.normalize(x, dim=-1), F.normalize(w)) * F.cosine_similarity(w[:1], w[1:2]),
    "norms": lambda w, x: (F.layer_norm(x, (8,), w[0], w[1]), F.group_norm(x.mT, 2, w[0]), F.rms_norm(x, (8,), w[0])),
    "batch norms": lambda w, x: (F.batch_norm(x.mT, w[0], w[1], w[2]), F.instance_norm(x.mT, weight=w[0])),
    "activations": lambda w, x: (F.prelu(x.mT, w[0]), F.softmax(w, 0), w.sigmoid(), w.clamp(0, 1), w.exp(), F.glu(w), F.gelu(w)),
    "lookups": lambda w, x: (
        F.embedding(x.long(), w),
        F.embedding_bag(x[0].long(), w),
        w.gather(1, w.long()),
        w[x[0, :, 0].long()],
    ),
    "positions": lambda w, x: F.interpolate(w[None, None], size=(7, 7), mode="bicubic"),
    "samples": lambda w, x: F.grid_sample(w[None, None], torch.empty(1, 2, 2, 2), align_corners=False),
    "patches": lambda w, x: F.pixel_shuffle(F.unfold(w[None, None], 2).reshape(1, 4, 3, 7), 2),
    "reductions": lambda w, x: (
        w.sum(),
        w.amax(1),
        w.var(),
        w.norm(),
        w.logsumexp(0),
        w.cumsum(0),
        w.topk(2),
        w.sort(),
        w.argmax(),
    ),
}


@pytest.mark.parametrize("name", FREE)
def test_nothing_is_said_of_parameters_that_are_not_contracted(name):
    assert count(Weighted(FREE[name]), (X,)).uncounted == ()


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_nothing_is_said_of_parametrised_weights(wrap):
    assert count(wrap(nn.Linear(8, 4)), (torch.zeros(2, 8),)).uncounted == ()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda w, x: torch.fft.fft2(x), "torch.fft.fft2"),
        (lambda w, x: torch.cdist(x, w), "torch.functional.cdist"),
        (lambda w, x: torch.linalg.inv(w[:, :4]), "torch.linalg.inv"),
        (lambda w, x: torch.ops.torchvision.deform_conv2d(*deformed(w)), "torchvision.deform_conv2d"),
    ],
)
def test_what_the_default_does_not_count_is_named(call, name):
    with pytest.warns(UncountedWarning, match=rf"^contractions does not count {name}; give a convention with rules for them"):
        cost = count(Weighted(call), (X,))
    assert cost.uncounted == (name,)


def deformed(weight: Tensor) -> list[Any]:
    weight = weight.view(8, 1, 2, 2)
    x, offset, mask = torch.empty(1, 1, 5, 5), torch.empty(1, 8, 4, 4), torch.empty(1, 0, 4, 4)
    return [x, weight, offset, mask, torch.empty(8), 1, 1, 0, 0, 1, 1, 1, 1, False]


def test_a_kernel_of_another_library_is_named_where_it_takes_weights():
    library = torch.library.Library("tasknas_test", "DEF")
    library.define("mix(Tensor x, Tensor w) -> Tensor")
    library.impl("mix", lambda x, w: torch.empty_like(x), "Meta")
    mix = torch.ops.tasknas_test.mix
    for call in (lambda w, x: mix(x, w), lambda w, x: mix(x, w[:2].t())):
        with pytest.warns(UncountedWarning, match=r"tasknas_test\.mix"):
            assert count(Weighted(call), (X,)).uncounted == ("tasknas_test.mix",)
    assert count(Weighted(lambda w, x: mix(x, x)), (X,)).uncounted == ()
    counting = contractions.extended("mixing", {mix: lambda args, kwargs, out: 7})
    assert count(Weighted(lambda w, x: mix(x, w)), (X,), convention=counting).macs == 7


def attention(weight: Tensor, x: Tensor) -> Tensor:
    for _ in range(3):
        x = F.scaled_dot_product_attention(x, x, x) + (x @ x.mT) @ F.linear(x, weight)
    return x


def test_a_papers_convention_names_each_operation_once():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cost = count(Weighted(attention, 8, 8), (X,), convention=conv_linear)
    names = ("torch.nn.functional.scaled_dot_product_attention", "torch.Tensor.matmul")
    assert (cost.macs, cost.uncounted) == (3 * 2 * 5 * 8 * 8, names)
    assert [str(warning.message) for warning in caught] == [
        f"conv_linear does not count {', '.join(names)}; the default convention, contractions, counts matrix products, attention "
        "and recurrent layers"
    ]
    assert caught[0].filename == __file__


def test_what_a_convention_leaves_out_on_purpose_is_not_named():
    without = conv_linear.extended(
        "without_products", {F.scaled_dot_product_attention: nothing, torch.Tensor.matmul: nothing, torch.matmul: nothing}
    )
    assert count(Weighted(attention, 8, 8), (X,), convention=without).uncounted == ()


@dataclass(frozen=True)
class Net:
    width: Any = OneOf(4, 8)
    mixing: Any = OneOf("none", "fourier", "product")


class Mixing(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        match self.kind:
            case "fourier":
                return torch.fft.fft(x).real
            case "product":
                return x @ x.mT @ x
        return x


def build(net: Net) -> nn.Module:
    return nn.Sequential(linear(8, net.width), choose(net.mixing, Mixing), linear(net.width, 3))


def test_prices_name_an_operation_of_some_option_once_whatever_the_number_of_traces():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tables = tabulated(lambda: build(opened(Net())), Net(), (X,)).price("macs")[0]
        for arch in enumerate_all(Net()):
            tables.price(arch)
    assert [str(warning.message).partition(";")[0] for warning in caught] == ["contractions does not count torch.fft.fft"]
    assert tables.uncounted == ("torch.fft.fft",)
    with pytest.warns(UncountedWarning) as each:
        price = Price(build(opened(Net())), (X,), Net(), convention=conv_linear)
    assert sorted(price.uncounted) == ["torch.Tensor.matmul", "torch.fft.fft"] and 1 <= len(each) <= 2


def test_check_names_an_operation_once():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UncountedWarning)
        check(build, Net(), [torch.ones(2, 5, 8)], archs=6)
    assert [str(warning.message).partition(";")[0] for warning in caught] == ["contractions does not count torch.fft.fft"]


def test_describe_has_the_convention_and_what_it_does_not_count():
    found = describe(TOY, next(iter(TOY.published())))
    assert (found["convention"], found["uncounted"]) == ("contractions", [])
