"""Terms of the architecture's loss in closed form, and that gates do not compete (FairDARTS, 1911.12126)."""

from types import SimpleNamespace

import pytest
import torch

from common.differentiable.strategies import Penalties, penalty_of, zero_one
from common.engines import Gradient
from common.engines.weighting import WeightingSettings
from common.relax.weightings import Sigmoid, Softmax
from common.space import ManyOf, OneOf, decisions
from tests.common.differentiable.toy import RelaxedToy


def test_the_zero_one_loss_is_lowest_where_gates_are_decided():
    assert float(zero_one(torch.tensor([0.0, 1.0, 1.0]))) == -0.25
    assert float(zero_one(torch.full((5,), 0.5))) == 0.0
    assert -0.25 <= float(zero_one(torch.rand(100))) <= 0


def test_its_gradient():
    """-2 (s - 1/2) s (1 - s) / N with respect to a logit; 0 at a logit of 0, where the other loss breaks the tie."""
    logits = torch.tensor([0.0, 1.3, -0.4, 2.0, -3.0, 0.7, 0.1], dtype=torch.float64, requires_grad=True)
    terms = Penalties(entropy=0.0, zero_one=10.0, budgets=[])({"a": logits[:3].sigmoid(), "b": logits[3:].sigmoid()}, 0.0)
    (found,) = torch.autograd.grad(terms["zero_one_penalty"], logits)
    s = logits.detach().sigmoid()
    torch.testing.assert_close(found, 10 * -2 * (s - 0.5) * s * (1 - s) / 7)
    assert found[0] == 0


@pytest.mark.parametrize(("weighting", "compete"), [(Sigmoid(), False), (Softmax(), True)])
def test_options_of_equal_use_get_equal_updates_whatever_the_others_are_worth_unless_they_compete(weighting, compete):
    logits = torch.tensor([0.0, 1.0, 0.0], requires_grad=True)

    def gradient(worth: list[float]) -> torch.Tensor:
        weights = weighting.weigh(logits, torch.Generator(), 0.0).weights
        return torch.autograd.grad(-(weights * torch.tensor(worth)).sum(), logits)[0]

    both, alone = gradient([1.0, 0.0, 1.0]), gradient([1.0, 0.0, 0.0])
    assert both[0] == both[2] < 0
    assert (both[1] == 0) == (not compete)
    assert (alone[0] == both[0]) == (not compete)


def test_the_entropy_of_gates_is_that_of_open_and_closed():
    """A gate of 1/4 has 0.5623 nats; three options of one choice have log 3 if they are alike. Their mean, half way."""
    penalties = Penalties(entropy=2.0, zero_one=0.0, budgets=[], gates=frozenset({"gates"}))
    terms = penalties({"gates": torch.tensor([0.25, 0.75]), "one": torch.full((3,), 1 / 3)}, 0.5)
    assert float(terms["entropy_penalty"]) == pytest.approx(2.0 * 0.5 * (2 * 0.562335 + 1.098612) / 2, rel=1e-5)
    decided = penalties({"gates": torch.tensor([0.0, 1.0])}, 1.0)
    assert float(decided["entropy_penalty"]) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("options", "members", "kinds"), [("sigmoid", "softmax", OneOf), ("softmax", "one-hot", ManyOf)])
def test_gates_are_the_decisions_whose_weighting_does_not_compete(options, members, kinds):
    task = RelaxedToy()
    weightings = {"options": WeightingSettings(kind=options), "members": WeightingSettings(kind=members)}
    context = SimpleNamespace(task=task, constraints=[])
    found = penalty_of(Gradient(entropy=0.1, **weightings), context)
    known = decisions(task.space)
    assert found.gates == {path for path, decision in known.items() if isinstance(decision, kinds)} != set()
    assert penalty_of(Gradient(**weightings), context) is None


def test_the_reward_of_diversity_falls_to_one_e_th():
    """Two options alike have log 2 nats, a decided one none: their mean is log 2 / 2 (BNAS, 2002.06963, equation 3)."""
    penalties = Penalties(entropy=0.0, diversity=2.0, fall=0.2, zero_one=0.0, budgets=[])
    alike = {"a": torch.full((2,), 0.5, requires_grad=True), "b": torch.tensor([1.0, 0.0])}
    begin, later = (penalties(alike, progress)["diversity_penalty"] for progress in (0.0, 0.2))
    assert begin.item() == pytest.approx(-2.0 * 0.693147 / 2, rel=1e-5)
    assert later.item() == pytest.approx(begin.item() / 2.718282, rel=1e-5)
    assert set(penalties(alike, 0.0)) == {"diversity_penalty"}


def test_diversity_pulls_strengths_together():
    logits = torch.tensor([1.0, 0.0, -1.0], requires_grad=True)
    term = Penalties(entropy=0.0, diversity=1.0, zero_one=0.0, budgets=[])({"a": logits.softmax(0)}, 0.0)["diversity_penalty"]
    (gradient,) = torch.autograd.grad(term, logits)
    assert gradient[0] > 0 > gradient[2]  # a step against it lowers the strongest and raises the weakest
    assert penalty_of(Gradient(diversity=1.0), SimpleNamespace(task=RelaxedToy(), constraints=[])).fall == 0.154
