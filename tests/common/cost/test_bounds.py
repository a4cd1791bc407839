import pytest
import torch
from torch import nn

from common.cost.bounds import cheapest, check_budget
from common.cost.conditions import ABSENT, assignments, conditions_of
from common.cost.count import count
from common.cost.price import Price
from common.errors import UserError
from common.space import ManyOf, OneOf, Repeat, Where, decode
from common.supernet import opened
from tests.common.cost.chains import Chain, build, chain_space

IMAGE = torch.zeros(1, 3, 16, 16)


def price_of(space) -> Price:
    return Price(build(opened(space)), (IMAGE,), space)


def test_budget():
    price = price_of(chain_space(3))
    least = cheapest(price, "macs")
    assert least.value == count(build(decode(chain_space(3), least.arch)), (IMAGE,)).macs
    check_budget(price, "macs", least.value)
    with pytest.raises(UserError) as refused:
        check_budget(price, "macs", least.value - 1)
    assert f"the cheapest architecture costs {least.value:,} macs; raise the budget" in str(refused.value)


def ruled(length: int) -> Where:
    return Where(chain_space(length), lambda chain: sum(k == 0 for k in chain.kernels) <= 1, "at most one 1x1")


def build_ruled(chain: Chain) -> nn.Module:
    return build(chain)


def test_a_rule_that_forbids_the_cheapest_is_kept_by_enumeration():
    space = ruled(3)
    low = cheapest(price_of(space), "params")
    assert low.exact and sum(k == 0 for k in decode(space, low.arch).kernels) <= 1


def test_a_rule_over_a_space_too_large_says_that_nothing_is_proven():
    space = ruled(12)
    low = cheapest(price_of(space), "params")
    assert not low.exact
    decode(space, low.arch)
    with pytest.raises(UserError, match="cheapest architecture found costs"):
        check_budget(price_of(space), "params", 1)


def test_liveness():
    space = {"a": OneOf(1, {"b": OneOf(1, 2)}), "m": ManyOf((OneOf(1, 2), 3), 1, 1), "r": Repeat(OneOf(1, 2), OneOf(1, 2))}
    conditions = conditions_of(space)
    assert conditions["a"] is None and conditions["r.count"] is None and conditions["r.0"] is None
    assert conditions["r.1"] == ("r.count", frozenset({1}))
    inner = next(path for path in conditions if path.endswith(".b"))
    assert conditions[inner] == ("a", frozenset({1}))
    found = [tuple(taken.values()) for taken in assignments([inner], dict.fromkeys(conditions, 2), conditions)]
    assert found == [(0, ABSENT), (1, 0), (1, 1)]
