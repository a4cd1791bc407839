import pytest
import torch
from torch import nn

from common.cost.bounds import _is_small, cheapest, check_budget
from common.cost.count import count
from common.cost.price import Price
from common.errors import UserError
from common.space import OneOf, Where, decode
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


def test_up_to_4096_architectures_are_all_tried():
    assert _is_small((OneOf(*range(64)), OneOf(*range(64)))) and not _is_small((OneOf(*range(17)), OneOf(*range(241))))


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
