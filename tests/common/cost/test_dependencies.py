"""Which decisions the terms of a trace depend on."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.cost.conditions import conditions_of
from common.cost.conventions import contractions
from common.cost.count import on_meta
from common.cost.dependencies import Dependencies
from common.cost.shapes import tensors_in
from common.errors import UserError
from common.space import ManyOf, OneOf
from common.supernet import choose, choose_many, conv2d, opened
from common.trace import slots_of

IMAGE = torch.zeros(1, 3, 2, 2)
Terms = dict[tuple[str, ...], list[int]]


def tracer(space: Any, make: Callable[[Any], nn.Module]) -> Dependencies:
    return Dependencies(on_meta(make(opened(space))), contractions, conditions_of(space))


def traced(dependencies: Dependencies, options: Mapping[str, int]) -> Terms:
    """The terms of a trace with the active `options`, option 0 elsewhere; terms of cost 0 are left out."""
    for path, slot in slots_of(dependencies.module).items():
        slot.active = options.get(path, 0)
    dependencies.trace((IMAGE,), None)
    return {tuple(sorted(paths)): cost for paths, cost in dependencies.terms.items() if any(cost)}


def test_the_example_of_the_module():
    space = {"width": OneOf(4, 8), "kernel": OneOf(1, 3)}

    def two(net: Any) -> nn.Sequential:
        return nn.Sequential(conv2d(3, net["width"], 1, bias=False), conv2d(net["width"], 5, net["kernel"], bias=False))

    found = tracer(space, two)
    for _ in range(2):  # a trace forgets the one before
        assert traced(found, {"width": 1, "kernel": 1}) == {("width",): [24, 96], ("kernel", "width"): [360, 1440]}
        assert traced(found, {"width": 0, "kernel": 0}) == {("width",): [12, 48], ("kernel", "width"): [20, 80]}
    three = traced(tracer(space, lambda net: two(net).append(nn.Conv2d(5, 2, 1, bias=False))), {"width": 1, "kernel": 1})
    assert three == {("width",): [24, 96], ("kernel", "width"): [360, 1440], (): [10, 40]}


def test_what_runs_after_a_choice_depends_on_it_only_where_the_shape_does():
    space = {"kernel": OneOf(1, 3), "pool": OneOf(1, 2)}

    def make(net: Any) -> nn.Module:
        same = choose(net["kernel"], lambda k: nn.Conv2d(3, 3, k, padding=k // 2, bias=False))
        return nn.Sequential(same, choose(net["pool"], nn.AvgPool2d), nn.Conv2d(3, 1, 1, bias=False))

    found = tracer(space, make)
    # the last layer's parameters are always there, its multiply-adds depend on the size that the pool leaves
    assert traced(found, {"kernel": 1}) == {("kernel",): [81, 324], (): [3, 0], ("pool",): [0, 12]}
    assert traced(found, {"pool": 1}) == {("kernel",): [9, 36], (): [3, 0], ("pool",): [0, 3]}


def test_the_output_of_a_convolution_does_not_depend_on_the_width_of_its_input():
    def make(net: Any) -> nn.Module:
        first = choose(net["wide"], lambda c: nn.Conv2d(3, c, 1, bias=False))
        return nn.Sequential(first, nn.Conv2d(4, 2, 1, bias=False), nn.Conv2d(2, 2, 1, bias=False))

    assert traced(tracer({"wide": OneOf(4, 8)}, make), {}) == {("wide",): [12, 48 + 32], (): [8 + 4, 16]}


class Late(nn.Module):
    """Runs its last layer only on a large map, which it knows by a number."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.pool = choose(net["pool"], nn.AvgPool2d)
        self.late = nn.Conv2d(3, 3, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.pool(x)
        return self.late(x) if y.shape[-1] > 1 else y


def test_what_runs_after_a_shape_was_read_depends_on_the_shape():
    found = tracer({"pool": OneOf(1, 2)}, Late)
    assert traced(found, {}) == {(): [9, 0], ("pool",): [0, 36]}, "although the layer's input is the image"
    assert traced(found, {"pool": 1}) == {(): [9, 0]}
    assert found.terms[frozenset({"pool"})] == [0, 0], "the table learns that the other option may cost more"


class Side(nn.Module):
    """The side of a map, in one of several forms."""

    def __init__(self, form: Callable[[int], Any]) -> None:
        super().__init__()
        self.form = form

    def forward(self, x: Tensor) -> Any:
        return self.form(x.shape[-1])


@pytest.mark.parametrize("form", [int, lambda side: {"side": side}, lambda side: [(side,)]], ids=["number", "dict", "list"])
def test_what_runs_after_a_module_has_told_a_number_depends_on_what_the_number_does(form):
    class Asked(Late):
        def __init__(self, net: Any) -> None:
            super().__init__(net)
            self.side = Side(form)

        def forward(self, x: Tensor) -> Tensor:
            y = self.pool(x)
            return self.late(x) if self.side(y) == form(2) else y

    found = tracer({"pool": OneOf(1, 2)}, Asked)
    assert traced(found, {}) == {(): [9, 0], ("pool",): [0, 36]}
    assert traced(found, {"pool": 1}) == {(): [9, 0]} and found.terms[frozenset({"pool"})] == [0, 0]


class Resized(nn.Module):
    """Makes one map as large as another, whose size it reads as numbers."""

    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(x, size=like.shape[-2:])


class After(nn.Module):
    """A layer after `Resized`, which itself reads no shape."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.pool, self.resized = choose(net["pool"], nn.AvgPool2d), Resized()
        self.late = nn.Conv2d(3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.late(self.resized(x, self.pool(x)))


def test_a_tensor_of_a_size_that_was_read_depends_on_what_the_size_does():
    found = tracer({"pool": OneOf(1, 2)}, After)
    assert traced(found, {}) == {(): [3, 0], ("pool",): [0, 12]}
    assert traced(found, {"pool": 1}) == {(): [3, 0], ("pool",): [0, 3]}


class Times(nn.Module):
    """Its input, and how many layers shall follow."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def forward(self, x: Tensor) -> tuple[Tensor, int]:
        return x, self.times


class Repeated(nn.Module):
    def __init__(self, net: Any) -> None:
        super().__init__()
        self.choice, self.layer = choose(net["times"], Times), nn.Conv2d(3, 3, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x, times = self.choice(x)
        for _ in range(times):
            x = self.layer(x)
        return x


def test_options_that_differ_in_a_number_alone():
    found = tracer({"times": OneOf(1, 3)}, Repeated)
    assert traced(found, {}) == {(): [9, 0], ("times",): [0, 36]}
    assert traced(found, {"times": 1}) == {(): [9, 0], ("times",): [0, 3 * 36]}


class Square(nn.Module):
    """The product of all entries of an item with each other, whatever the number of dimensions."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return x.mT @ x


def test_options_whose_results_have_different_numbers_of_dimensions():
    def make(net: Any) -> nn.Module:
        shaped = choose(net["flat"], lambda flat: nn.Flatten() if flat else nn.Identity())
        return nn.Sequential(conv2d(3, net["width"], 1, bias=False), shaped, Square())

    found = tracer({"width": OneOf(2, 4), "flat": OneOf(False, True)}, make)
    for flat in (0, 1):
        assert traced(found, {"flat": flat}) == {("width",): [6, 24], ("flat", "width"): [0, 64]}
        assert traced(found, {"flat": flat, "width": 1}) == {("width",): [12, 48], ("flat", "width"): [0, 256]}


def member(value: Any) -> nn.Module:
    return choose(value, lambda k: nn.Conv2d(3, 3, k, padding=k // 2, bias=False))


def test_the_cost_of_a_member_depends_on_its_own_decision_and_not_on_the_subset():
    space = {"many": ManyOf((OneOf(1, 3), OneOf(1, 3)), 1, 2)}
    found = tracer(space, lambda net: choose_many(net["many"], member))
    first, second = (path for path in conditions_of(space) if "[" in path)
    assert traced(found, {"many": 2, first: 1}) == {(first,): [81, 324], (second,): [9, 36]}
    assert traced(found, {"many": 1}) == {(second,): [9, 36]}
    plain = tracer({"many": ManyOf((1, 3), 1, 2)}, lambda net: choose_many(net["many"], member))
    assert traced(plain, {"many": 2}) == {("many",): [90, 360]}, "no decision of its own says that the member is taken"


def test_an_idle_option_that_cannot_take_the_input_is_no_error_and_an_active_one_is():
    space = {"wide": OneOf(3, 4), "then": OneOf(3, 4)}

    def make(net: Any) -> nn.Module:
        first = choose(net["wide"], lambda c: nn.Conv2d(3, c, 1, bias=False))
        then = choose(net["then"], lambda c: nn.Conv2d(c, 2, 1, bias=False))
        return nn.Sequential(first, then, nn.Conv2d(2, 1, 1, bias=False))

    found = tracer(space, make)
    terms = traced(found, {"wide": 1, "then": 1})
    # of the layer after it nothing is known: whether it runs at all may depend on both
    assert terms == {("wide",): [12, 48], ("then", "wide"): [0, 32 + 8], ("then",): [8, 0], (): [2, 0]}
    with pytest.raises(RuntimeError):
        traced(found, {"wide": 1, "then": 0})
    assert traced(found, {"wide": 1, "then": 1}) == terms, "the failed trace leaves nothing behind"
    assert {path: slot.active for path, slot in slots_of(found.module).items()} == {"wide": 1, "then": 1}


def test_an_active_elastic_layer_that_never_runs():
    space = {"width": OneOf(4, 8)}
    found = tracer(space, lambda net: nn.ModuleList([nn.Identity(), conv2d(3, net["width"], 1)]))
    with pytest.raises(UserError, match="an elastic ElasticConv2d is on the path but the forward pass given never runs it"):
        found.trace((IMAGE,), lambda net, x: net[0](x))


def test_tensors_in_nested_values():
    a, b, c = torch.zeros(3, 1).unbind()
    assert [id(t) for t in tensors_in((a, [3, {"x": b, "y": (None, c)}], "t"))] == [id(a), id(b), id(c)]
    assert tensors_in(a)[0] is a and tensors_in(7) == []
