import pytest
import torch
from torch import nn

from common.cost.count import count
from common.cost.extremes import check_budget
from common.cost.liveness import DEAD, assignments, liveness
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
    cheapest = price.cheapest("macs")
    assert cheapest.value == count(build(decode(chain_space(3), cheapest.arch)), (IMAGE,)).macs
    check_budget(price, "macs", cheapest.value)
    with pytest.raises(UserError) as refused:
        check_budget(price, "macs", cheapest.value - 1)
    assert f"the cheapest architecture costs {cheapest.value:,} macs; raise the budget" in str(refused.value)


def ruled(length: int) -> Where:
    return Where(chain_space(length), lambda chain: sum(k == 0 for k in chain.kernels) <= 1, "at most one 1x1")


def build_ruled(chain: Chain) -> nn.Module:
    return build(chain)


def test_a_rule_that_forbids_the_cheapest_is_kept_by_enumeration():
    space = ruled(3)
    low = price_of(space).cheapest("params")
    assert low.exact and sum(k == 0 for k in decode(space, low.arch).kernels) <= 1


def test_a_rule_over_a_space_too_large_says_that_nothing_is_proven():
    space = ruled(12)
    low = price_of(space).cheapest("params")
    assert not low.exact
    decode(space, low.arch)
    with pytest.raises(UserError, match="cheapest architecture found costs"):
        check_budget(price_of(space), "params", 1)


def test_liveness():
    space = {"a": OneOf(1, {"b": OneOf(1, 2)}), "m": ManyOf((OneOf(1, 2), 3), 1, 1), "r": Repeat(OneOf(1, 2), OneOf(1, 2))}
    alive = liveness(space)
    assert alive["a"] is None and alive["r.count"] is None and alive["r.0"] is None
    assert alive["r.1"] == ("r.count", frozenset({1}))
    inner = next(path for path in alive if path.endswith(".b"))
    assert alive[inner] == ("a", frozenset({1}))
    found = [tuple(taken.values()) for taken in assignments([inner], dict.fromkeys(alive, 2), alive)]
    assert found == [(0, DEAD), (1, 0), (1, 1)]
