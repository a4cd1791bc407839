"""What a build function must not do with an open decision, and what a supernet says of decisions that it was not built for."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from common.errors import UserError
from common.space import ManyOf, OneOf, Repeat
from common.supernet import Supernet, choose, conv2d, conv_transpose2d, depthwise, linear, opened
from common.supernet.open import Open, fmap


@dataclass(frozen=True)
class Net:
    width: Any = OneOf(8, 16)
    act: Any = OneOf("relu", "gelu")
    bias: Any = OneOf(True, False)
    taken: Any = ManyOf((1, 2, 3), 1, 2)


MISTAKES = {
    "test": (lambda net: 1 if net.bias else 2, "bias", "tests whether it is true"),
    "not": (lambda net: not net.bias, "bias", "tests whether it is true"),
    "and": (lambda net: net.bias and 3, "bias", "tests whether it is true"),
    "equal": (lambda net: net.act == "relu", "act", "compares it with 'relu'"),
    "equal, turned": (lambda net: "relu" == net.act, "act", "compares it with 'relu'"),  # noqa: SIM300
    "unequal": (lambda net: net.act != "relu", "act", "compares it with 'relu'"),
    "member": (lambda net: net.act in ("relu", "gelu"), "act", "compares it with 'relu'"),
    "member of it": (lambda net: 2 in net.taken, "taken", "searches it"),
    "match": (lambda net: _matched(net.act), "act", "compares it with 'relu'"),
    "times": (lambda net: 2 * net.width, "width", "computes with it"),
    "half": (lambda net: net.width // 2, "width", "computes with it"),
    "minus": (lambda net: -net.width, "width", "computes with it"),
    "power": (lambda net: 2**net.width, "width", "computes with it"),
    "added to a list": (lambda net: [3, *([4] * net.width)], "width", "computes with it"),
    "range": (lambda net: list(range(net.width)), "width", "takes it for a number"),
    "int": (lambda net: int(net.width), "width", "takes it for a number"),
    "float": (lambda net: float(net.width), "width", "takes it for a number"),
    "round": (lambda net: round(net.width), "width", "takes it for a number"),
    "index of a list": (lambda net: [1, 2, 3][net.width], "width", "takes it for a number"),
    "iterate": (lambda net: list(net.taken), "taken", "iterates over it"),
    "unpack": (lambda net: max(*net.taken), "taken", "iterates over it"),
    "length": (lambda net: len(net.taken), "taken", "asks for its length"),
    "index": (lambda net: net.taken[0], "taken", "indexes it"),
    "less": (lambda net: net.width < 9, "width", "compares it by size"),
    "largest": (lambda net: max(net.width, 9), "width", "compares it by size"),
    "format": (lambda net: f"conv{net.width}", "width", "writes it into a text"),
    "format with digits": (lambda net: f"{net.width:03d}", "width", "writes it into a text"),
    "str": (lambda net: str(net.width), "width", "writes it into a text"),
    "percent": (lambda net: "%s" % net.width, "width", "writes it into a text"),  # noqa: UP031
    "dict": (lambda net: {"relu": nn.ReLU}[net.act], "act", "looks it up"),
    "get": (lambda net: {"relu": nn.ReLU}.get(net.act), "act", "looks it up"),
    "set": (lambda net: {net.width}, "width", "looks it up"),
    "call": (lambda net: net.act(), "act", "calls it"),
    "method": (lambda net: net.act.upper(), "act", "reads its attribute 'upper'"),
    "attribute": (lambda net: net.width.real, "width", "reads its attribute 'real'"),
    "array": (lambda net: np.asarray(net.width), "width", "makes an array of it"),
}


def _matched(value: object) -> int:
    match value:
        case "relu":
            return 1
        case _:
            return 2


@pytest.mark.parametrize("mistake", MISTAKES)
def test_whatever_would_read_one_option_while_the_network_is_built_is_refused(mistake):
    build, name, does = MISTAKES[mistake]
    net = opened(Net())
    with pytest.raises(UserError) as refused:
        build(net)
    said = str(refused.value)
    assert said.startswith(f"decision '{name}' is open, and the build function {does}")
    assert f"fmap(lambda {name}: ..., net.{name})" in said and f"choose(net.{name}, lambda {name}: ...)" in said
    assert "\n" not in said


def test_open_values_are_equal_to_themselves_alone_and_can_be_shown():
    net, other = opened(Net()), opened(Net())
    assert net.width == net.width and net.width != other.width and net.width in (net.act, net.width)
    assert repr(net.width) == "Open('width': 8, 16)"
    both = fmap(lambda width, bias: width + bias, net.width, net.bias)
    assert repr(both) == "Open('width', 'bias': 9, 8, 17, 16)"
    with pytest.raises(UserError, match=r"decision 'width' with 'bias' is open"):
        both + 1
    assert "Open('taken': " in repr(net) and isinstance(net.taken, Open)


def test_options_that_hold_open_values_share_a_module_only_where_they_are_the_same():
    @dataclass(frozen=True)
    class Layer:
        width: Any

    net = opened(OneOf(Layer(OneOf(4, 8)), Layer(4), Layer(OneOf(4, 8))))
    assert len(choose(net, lambda layer: linear(2, layer.width)).options) == 3


@pytest.mark.parametrize("options", [([8, 16],), (range(2),), ({8, 16},), (iter([8]),), (torch.tensor([8, 16]),)])
def test_a_sequence_is_no_option(options):
    with pytest.raises(UserError, match=r"^OneOf\(.*\) has one option, a .*; give its items as options: OneOf\(\*"):
        OneOf(*options)


def test_an_option_is_given_once():
    with pytest.raises(UserError, match=r"OneOf has the option 3 twice"):
        OneOf(3, 5, 3)
    assert len(OneOf(1, True, 1.0)) == 3  # equal in Python, and no mistake: they are of three types
    assert len(OneOf((8, 16))) == 1


@pytest.mark.parametrize("layer", [lambda k: conv2d(3, 4, k), lambda k: depthwise(4, k), lambda k: conv_transpose2d(4, 4, k, 2)])
def test_even_kernels_are_refused(layer):
    with pytest.raises(UserError, match="kernel 4 is even"):
        layer(4)


def test_an_open_kernel_is_refused_for_one_even_option():
    with pytest.raises(UserError, match="kernel 4 is even"):
        conv2d(3, 4, opened({"kernel": OneOf(3, 4)})["kernel"])


SPACE = {"width": OneOf(8, 16), "act": OneOf("relu", "gelu")}


def made(space: Any) -> nn.Module:
    net = opened(space)
    return nn.Sequential(conv2d(3, net["width"], 3), choose(net["act"], lambda act: nn.ReLU() if act == "relu" else nn.GELU()))


def test_a_misspelt_decision_is_not_activated():
    net = Supernet(made(SPACE), SPACE)
    net.activate({"width": 1, "act": 1})
    for arch, says in (
        ({"widht": 1}, "the space has no decision 'widht'; did you mean 'width'"),
        ({"depth": 0}, "the space has no decision 'depth'; it has width, act"),
        ({"act": 0, "width": 2}, "decision 'width' has options 0 to 1, not 2"),
        ({"width": -1}, "decision 'width' has options 0 to 1, not -1"),
    ):
        with pytest.raises(UserError, match=says):
            net.activate(arch)
    assert {path: slot.active for path, slot in net.slots.items()} == {"width": 1, "act": 1}


def test_a_decision_that_no_module_reads_is_told():
    with pytest.warns(UserWarning, match="no module of the supernet reads decision 'size'"):
        net = Supernet(made({**SPACE, "size": OneOf(32, 64)}), {**SPACE, "size": OneOf(32, 64)})
    net.activate({"size": 1})
    for unread, shown in ((4, r"'c', 'd': its options"), (5, r"'c', 'd' \.\.\.: its options")):
        with pytest.warns(UserWarning, match=shown):
            Supernet(nn.Identity(), {name: OneOf(1, 2) for name in "abcdef"[:unread]})


def test_supernets_without_decisions_are_told():
    """The space has none; or the module was built of a fixed description, and reads none."""
    with pytest.raises(UserError, match="the space has no decision: open one, for instance"):
        Supernet(linear(3, 4), {"width": 4})
    with pytest.raises(UserError, match="the module reads decision 'width', which the space does not have; it has none"):
        Supernet(linear(3, opened(SPACE)["width"]), {"width": 4})
    with pytest.warns(UserWarning, match=r"reads decision 'width', 'act': .*; it reads none at all: build it of opened"):
        Supernet(linear(3, 4), SPACE)


def test_a_repeat_within_a_choice_can_be_copied():
    """Modules hold their descriptions, and prices copy modules; slots stay shared within a copy."""
    (first, *_), second = copy.deepcopy((opened(OneOf(Repeat(OneOf(1, 2), OneOf(1, 3)), 0)).meanings, opened(OneOf(1, 2))))
    assert len(first) == 3 and first.active.meanings == (1, 3) and [item.meanings for item in first] == [(1, 2)] * 3
    both = opened((Repeat(OneOf(1, 2), OneOf(1, 3)),))
    twin = copy.deepcopy([both[0], both[0].active])
    assert twin[0].active is twin[1] and twin[1].slots[0] is not both[0].active.slots[0]
    assert isinstance(second, Open)


def test_a_copied_supernet_says_what_its_decisions_are():
    space = {"taken": ManyOf((1, 3), 1, 2)}
    net = Supernet(choose(opened(space)["taken"], lambda sizes: nn.Identity()), space)
    for supernet in (net, copy.deepcopy(net)):
        assert supernet.slots["taken"].many


def test_slots_that_activate_cannot_reach_are_refused():
    with pytest.raises(UserError, match="the module reads decision 'act', which the space does not have; it has width"):
        Supernet(made(SPACE), {"width": OneOf(8, 16)})
    with pytest.raises(UserError, match=r"reads decision 'width' through two slots.*; call opened\(space\) once"):
        Supernet(nn.Sequential(made(SPACE), made(SPACE)), SPACE)


def test_a_right_build_function_is_taken():
    net = opened(SPACE)
    hidden = fmap(lambda width: 2 * width, net["width"])
    module = nn.Sequential(conv2d(3, net["width"], 3), conv2d(net["width"], hidden, 1), choose(net["act"], lambda _: nn.ReLU()))
    supernet = Supernet(module, SPACE)
    for option, width in enumerate((16, 32)):
        supernet.activate({"width": option, "act": 0})
        assert module(torch.zeros(1, 3, 4, 4)).shape == (1, width, 4, 4)
