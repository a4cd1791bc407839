"""What is derived keeps to what is allowed: dropped, forbidden and capped options, and the budget, all at once."""

import pytest
import torch
from torch import nn

from common.arch import labels
from common.differentiable.deriving import derive_arch, discounted
from common.differentiable.dropping import keep_strongest
from common.engines import Gradient
from common.errors import UserError
from common.relax.relaxation import Relaxation
from common.relax.weightings import Softmax
from common.space import OneOf
from common.supernet import Supernet, choose, opened

OPTIONS = ("skip_connect", "conv", "pool", "none")


class Edges(nn.Module):
    def __init__(self, space):
        super().__init__()
        self.a, self.b = (choose(space["normal"][name], lambda kind: nn.Linear(4, 4)) for name in "ab")

    def forward(self, x):
        return self.b(self.a(x))


def edges(*values: list[float], options: tuple[str, ...] = OPTIONS) -> Relaxation:
    """Two edges of a normal cell with these logits."""
    space = {"normal": {"a": OneOf(*options), "b": OneOf(*options)}}
    relaxation = Relaxation(supernet=Supernet(Edges(opened(space)), space), options=Softmax())
    with torch.no_grad():
        for logits, value in zip(relaxation.logits.values.values(), values, strict=True):
            logits.copy_(torch.tensor(value))
    return relaxation


def found(settings: Gradient, relaxation: Relaxation, feasible=None) -> list[str]:
    """The operations of both edges."""
    return list(labels(relaxation.supernet.space, derive_arch(settings, relaxation, feasible).arch).values())


def test_an_option_that_was_dropped_is_not_derived_in_the_place_of_a_skip():
    """Both have no strength: conv was dropped, and the skip is given up. What is left is pool."""
    relaxation = edges([3.0, 2.0, -50.0, 0.0], [0.0, 1.0, 5.0, 0.0])
    relaxation.drop("normal.a", (1,))
    assert found(Gradient(cap=0, forbidden=("none",)), relaxation) == ["pool", "pool"]


def test_dropped_options_are_not_derived_where_all_others_are_weak():
    relaxation = edges([-200.0, -200.0, -200.0, 200.0], [0.0, 1.0, 5.0, 0.0])
    relaxation.drop("normal.a", (0, 1))
    assert found(Gradient(forbidden=("none",)), relaxation) == ["pool", "pool"]


def test_a_forbidden_option_does_not_stand_in_for_a_skip():
    """With skips and none alone the second edge has nothing; before, the search of it went on for ever."""
    relaxation = edges([3.0, 2.0, 1.0, 0.0], [9.0, 1.0, 2.0, 3.0])
    relaxation.drop("normal.b", (1, 2))
    with pytest.raises(UserError, match=r"search\.engine\.cap=0: normal\.b has no other operation left; raise it"):
        found(Gradient(cap=0, forbidden=("none",)), relaxation)


@pytest.mark.parametrize(("cap", "wanted"), [(None, ["skip_connect", "skip_connect"]), (1, ["conv", "skip_connect"])])
def test_a_budget_and_a_cap_hold_together(cap, wanted):
    """The budget takes no pools, the cap one skip."""
    relaxation = edges([3.0, 1.0, 2.0, 0.0], [9.0, 1.0, 2.0, 3.0])
    space = relaxation.supernet.space

    def feasible(arch):
        return "pool" not in labels(space, arch).values()

    assert found(Gradient(cap=cap, forbidden=("none",)), relaxation, feasible) == wanted


def test_one_option_that_can_be_derived_is_always_left():
    """The two strongest are forbidden: the weaker of them makes room."""
    relaxation = edges([3.0, 0.0, 1.0, 2.0], [3.0, 2.0, 1.0, 0.0])
    kept = keep_strongest(relaxation, 2, ("none", "skip_connect"))
    assert kept == {"normal.a": ["skip_connect", "pool"], "normal.b": ["skip_connect", "conv"]}
    assert found(Gradient(forbidden=("none", "skip_connect")), relaxation) == ["pool", "conv"]


def test_the_strength_of_none_is_divided_before_an_architecture_is_derived():
    """none has e times the strength of conv on the first edge, and e^2 times on the second: 3 is between them."""
    logits = ([-9.0, 0.0, -9.0, 1.0], [-9.0, 0.0, -9.0, 2.0])
    assert found(Gradient(), edges(*logits)) == ["none", "none"]
    relaxation = edges(*logits)
    relaxation.settled = {"normal.a": torch.tensor([0.0, 0.0, 0.0, 0.9])}  # of the relaxation itself: it must not change
    for _ in range(2):
        assert discounted(relaxation, 3.0)["normal.a"][3].item() == pytest.approx(0.3)
    assert found(Gradient(discount=3.0), edges(*logits)) == ["conv", "none"]
