"""Open decisions and the modules that read them, one piece at a time; whole networks: see `test_net`."""

import copy
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from common.errors import UserError
from common.layers import EmptySum, Inputs, Sum
from common.space import ManyOf, OneOf, Repeat, Where, decisions, decode, enumerate_all
from common.supernet.choice import Choice, Deciding, Depth, InputSubset, Subset, choose, choose_inputs, choose_many, repeat
from common.supernet.open import Mixed, Open, OpenMany, OpenRepeat, Slot, fmap, largest, opened


@dataclass(frozen=True)
class Stage:
    width: Any
    kernel: Any = 3


class Times(nn.Module):
    """Multiplies by a parameter that begins at `factor`."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(float(factor)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


ONE = torch.ones(())
SPACE = {
    "stage": Stage(OneOf(8, 16), Where(OneOf(3, 5), lambda k: k > 0, "positive")),
    "list": [OneOf("a", Stage(OneOf(1, 2, 3)))],
    "many": ManyOf((OneOf(1, 2), 7), 0, 2),
    "deep": Repeat(OneOf(4, 6), OneOf(1, 3)),
    "fixed": Repeat(OneOf(4, 6), 2),
    "plain": "x",
}


def resolved(value: Any) -> Any:
    """What an opened description means with the active options."""
    if isinstance(value, OpenRepeat):
        return tuple(resolved(part) for part in value[: resolved(value.active)])
    if isinstance(value, Open):
        return resolved(value.value())
    if isinstance(value, Stage):
        return Stage(resolved(value.width), resolved(value.kernel))
    if isinstance(value, dict):
        return {key: resolved(part) for key, part in value.items()}
    return tuple(resolved(part) for part in value) if isinstance(value, tuple) else value


def test_an_opened_description_has_one_slot_for_each_decision_and_means_what_the_space_does():
    slots: dict[str, Slot] = {}
    net = opened(SPACE, slots=slots)
    assert set(slots) == set(decisions(SPACE)) and {path for path, slot in slots.items() if slot.many} == {"many"}
    assert len(net["deep"]) == 3 and net["fixed"].active == 2 and net["plain"] == "x"
    for arch in enumerate_all(SPACE):
        for path, slot in slots.items():  # the only ones: what reads another does not follow
            slot.active = arch.get(path, 0)
        assert resolved(net) == decode(SPACE, arch)
    again = opened(SPACE["many"], "many", slots)
    assert again.slots == (slots["many"],) and opened(SPACE["many"]).slots[0] is not slots["many"]


def test_fmap_combines_decisions_once_each():
    a, b, c = opened((OneOf(1, 2), OneOf(10, 20, 30), OneOf(5, 6)))
    assert fmap(lambda x, y: x + y, 1, 2) == 3
    double = fmap(lambda x: 2 * x, a)
    mixed = fmap(lambda x, y, z, n: (x, y, z, n), double, b, a, "n")
    assert mixed.paths == ("0", "1") and mixed.sizes == (2, 3) and len(mixed.meanings) == 6
    for i, j in product(range(2), range(3)):
        a.slots[0].active, b.slots[0].active = i, j
        assert mixed.value() == (2 * (i + 1), 10 * (j + 1), i + 1, "n") and mixed.meanings[mixed.index()] == mixed.value()
    nested = fmap(lambda pair, z: (*pair, z), fmap(lambda y, x: (y, x), b, a), c)
    assert nested.paths == ("1", "0", "2") and nested.value() == (30, 2, 5)
    many = opened((ManyOf((1, 2, 3), 1, 3),))[0]
    assert type(fmap(sum, many)) is Open and fmap(sum, many).meanings == (1, 2, 3, 3, 4, 5, 6)
    assert (largest(b), largest(7)) == (30, 7)


def test_every_part_of_a_module_that_says_nothing_else_runs():
    module = Deciding()
    module.part = nn.ReLU()
    assert list(module.branches()) == [("part", module.part, True)]


def test_a_choice_runs_the_active_option_and_shares_modules_of_equal_meaning():
    (kernel,) = opened((OneOf(3, 5, 7, 9),))
    made: list[int] = []
    choice = choose(fmap(lambda k: k // 6, kernel), lambda n: made.append(n) or Times(n + 2))
    assert isinstance(choice, Choice) and made == [0, 1] and choice.table == [0, 0, 1, 1] and choice.mixable() == 4
    for option in range(4):
        kernel.slots[0].active = option
        assert choice(ONE).item() == 2 + option // 2 and choice.plain() is choice.options[option // 2]
        assert [(name, active) for name, _, active in choice.branches()] == [("options.0", option < 2), ("options.1", option > 1)]
    assert type(choose(3, Times)) is Times
    for options in ((1, True), ({"a": 1}, {"a": 1})):  # equal but of two types; not hashable
        apart = choose(opened((OneOf(*options),))[0], lambda _: nn.Identity())
        assert isinstance(apart, Choice) and len(apart.options) == 2


def test_a_relaxed_choice_weighs_live_options_and_sums_the_weights_of_shared_ones():
    (factor,) = opened((OneOf(2, 3, 5),))
    choice, shared = choose(factor, Times), choose(fmap(lambda f: f > 2, factor), lambda big: Times(7 if big else 1))
    weights = torch.tensor([0.5, 0.25, 4.0], requires_grad=True)
    factor.slots[0].mixed = Mixed(weights)
    assert choice(ONE).item() == 1 + 0.75 + 20 and shared(ONE).item() == 0.5 + 4.25 * 7
    factor.slots[0].mixed = Mixed(weights, live=(2, 0))
    assert [i for i, _ in Mixed(weights, live=(2, 0)).terms()] == [0, 2] and choice(ONE).item() == 21
    assert isinstance(choice, Choice) and [active for _, _, active in choice.branches()] == [True, False, True]
    shared(ONE).backward()
    assert weights.grad is not None and weights.grad.tolist() == [1.0, 0.0, 7.0]
    twin = copy.deepcopy(choice)
    assert isinstance(twin, Choice)
    slot = twin.decisions[0].slots[0]
    assert slot is not factor.slots[0] and slot.mixed is factor.slots[0].mixed and slot.path == "0"
    both = choose(fmap(lambda a, b: a * b, *opened((OneOf(1, 2), OneOf(1, 3)))), Times)
    assert isinstance(both, Choice) and both.mixable() is None and len(both.options) == 4


def test_a_subset_sums_its_members_and_an_empty_one_is_an_error():
    space = (ManyOf((2, 3, 5), 0, 3),)
    (value,) = opened(space)
    subset, slot = choose_many(value, Times), value.slots[0]
    assert isinstance(subset, Subset) and isinstance(value, OpenMany) and subset.mixable() == 3
    for rank in range(1, 8):
        slot.active = rank
        taken = space[0].subset(rank)
        assert value.taken() == taken and [active for _, _, active in subset.branches()] == [i in taken for i in range(3)]
        plain = subset.plain()
        assert isinstance(plain, Sum)
        assert subset(ONE).item() == plain(ONE).item() == sum((2, 3, 5)[i] for i in taken)
        assert list(plain.members) == [subset.members[i] for i in taken]
    slot.active = 0
    with pytest.raises(EmptySum, match="decision '0' takes no member"):
        subset(ONE)
    with pytest.raises(EmptySum, match="decision '0' takes no member"):
        subset.plain()
    slot.mixed = Mixed(torch.tensor([1.0, 10.0, 100.0]), live=(0, 2))
    assert subset(ONE).item() == 502 and [active for _, _, active in subset.branches()] == [True, False, True]
    assert choose_many((2, 3), Times)(ONE).item() == 5
    with pytest.raises(EmptySum):
        choose_many((), Times)
    with pytest.raises(UserError, match="choose_many reads 0 through a function or with others; give it the ManyOf itself"):
        choose_many(fmap(len, value), Times)


def test_chosen_inputs():
    (value,) = opened((ManyOf((0, 2), 1, 2),))
    tensors = [torch.full((1, 1), factor) for factor in (2.0, 3.0, 5.0)]
    summed, joined = choose_inputs(value), choose_inputs(value, "concat")
    found = []
    for value.slots[0].active in range(3):
        found.append((summed(tensors).item(), joined(tensors).tolist()))
    assert found == [(2.0, [[2.0]]), (5.0, [[5.0]]), (7.0, [[2.0, 5.0]])]
    assert isinstance(summed, InputSubset) and summed.mixable() == 2 and not list(summed.parameters())
    assert isinstance(joined, Choice) and joined.mixable() is None
    value.slots[0].active, value.slots[0].mixed = 2, Mixed(torch.tensor([1.0, 10.0]))
    assert summed(tensors).item() == 52 and [active for _, _, active in summed.branches()] == [False, False, True]
    assert isinstance(choose_inputs((0, 1)), Inputs) and choose_inputs((0, 1))(tensors).item() == 5
    with pytest.raises(UserError, match="'mean'"):
        choose_inputs((0, 1), "mean")


def test_repeat_runs_the_first_layers():
    net = opened(Repeat(OneOf(2, 3), OneOf(0, 2, 3)))
    numbers: list[int] = []
    chain = repeat(net, lambda i, factor: numbers.append(i) or choose(factor, Times))
    assert isinstance(chain, Depth) and numbers == [0, 1, 2]
    net[0].slots[0].active = 1
    for option, (depth, out) in enumerate([(0, 1), (2, 6), (3, 12)]):
        net.active.slots[0].active = option
        assert chain(ONE).item() == out and [active for _, _, active in chain.branches()] == [i < depth for i in range(3)]
        assert type(chain.plain()) is nn.Sequential and list(chain.plain().children()) == list(chain.children())[:depth]
    for items in ((2, 3), opened(Repeat(2, 2))):
        assert type(repeat(items, lambda _, factor: Times(factor))) is nn.Sequential
    assert repeat((2, 3), lambda i, factor: Times(factor + i))(ONE).item() == 8
