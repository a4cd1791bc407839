"""Costs of the architectures of a run: from tables or counted, the same numbers; the least as far as it is known."""

import pytest
import torch

from common.cost.bounds import Least, cheapest, refuse_below
from common.cost.costs import Counted, Entry, Tabulated, tabulated
from common.cost.count import count
from common.errors import UserError
from common.space import decode, enumerate_all
from common.supernet import opened
from tests.toy.model import build
from tests.toy.system import MyNet

IMAGE = (torch.empty(1, 3, 8, 8),)
TABLES = tabulated(lambda: build(opened(MyNet())), MyNet(), IMAGE)


def counted() -> Counted:
    space = MyNet()
    return Counted(lambda arch: build(decode(space, arch)), lambda: IMAGE, lambda: cheapest(TABLES.price("macs")[0], "macs").arch)


def test_tables_and_counts_agree_with_the_network():
    for arch in enumerate_all(MyNet()):
        with torch.device("meta"):
            truth = count(build(decode(MyNet(), arch)), IMAGE)
        assert TABLES.of(arch) == counted().of(arch) == {"params": truth.params, "macs": truth.macs}


def test_the_least_is_that_of_the_cheapest():
    values = [TABLES.of(arch)["macs"] for arch in enumerate_all(MyNet())]
    assert TABLES.least("macs") == counted().least("macs") == Least(min(values), "exact")


def test_a_network_is_counted_once(monkeypatch):
    costs, calls = counted(), []
    real = costs._build
    costs._build = lambda arch: calls.append(arch) or real(arch)
    arch = next(iter(enumerate_all(MyNet())))
    assert costs.of(arch) is costs.of(arch) and calls == [arch]


def test_a_table_of_another_space_is_read_through_its_own_architecture():
    price, _ = TABLES.price("macs")
    smallest = cheapest(price, "macs").arch
    fixed = Tabulated(lambda: {"small": Entry(price, "macs", lambda arch: smallest)})
    assert {fixed.of(arch)["small"] for arch in enumerate_all(MyNet())} == {price.value(smallest, "macs")}


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ("exact", "the cheapest architecture costs 1,200 macs; raise the budget"),
        ("found", "the cheapest architecture found costs 1,200 macs; raise the budget"),
        ("bound", "no architecture costs less than 1,200; raise the budget"),
    ],
)
def test_a_budget_below_the_least_is_refused_in_words_that_say_what_is_known(known, said):
    with pytest.raises(UserError, match=f"budget macs=1000 is impossible: {said}"):
        refuse_below(Least(1200, known), "macs", 1000.0)
    refuse_below(Least(1200, known), "macs", 1200.0)
