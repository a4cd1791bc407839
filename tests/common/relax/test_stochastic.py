"""Dirichlet weights and ReinMax against closed forms."""

import pytest
import torch
from torch import Tensor

from common.errors import UserError
from common.relax.stochastic import DirichletWeights, ReinMax
from tests.common.relax.closed_forms import LOGITS, P, close, leaf, rng


def test_dirichlet_weights_have_the_mean_and_variance_of_their_concentrations():
    c = torch.where(LOGITS > 0, LOGITS + 1, LOGITS.exp())  # elu + 1
    drawn = torch.stack([DirichletWeights().weigh(LOGITS, rng(step), 0.0).weights for step in range(4000)])
    mean = c / c.sum()
    assert torch.allclose(drawn.sum(1), torch.ones(4000, dtype=torch.float64))
    assert torch.allclose(drawn.mean(0), mean, atol=0.015)
    assert torch.allclose(drawn.var(0), mean * (1 - mean) / (c.sum() + 1), atol=0.01)
    assert close(DirichletWeights().probabilities(LOGITS), mean)


def test_dirichlet_gradients_are_those_of_the_mean_in_expectation():
    costs = torch.tensor([3.0, 1.0, 4.0, 1.0, 5.0], dtype=torch.float64)
    logits = leaf()
    exact = torch.autograd.grad((DirichletWeights().probabilities(logits) * costs).sum(), logits)[0]
    found = torch.zeros(5, dtype=torch.float64)
    for step in range(2000):
        found += torch.autograd.grad((DirichletWeights().weigh(logits, rng(step), 0.0).weights * costs).sum(), logits)[0] / 2000
    assert torch.allclose(found, exact, atol=0.03)


def expected(weighting: ReinMax | None, loss, logits: Tensor) -> Tensor:
    """Mean of the estimator over the draws of two options, each by its probability; straight-through where it is None."""
    total = torch.zeros(2, dtype=torch.float64)
    p = logits.detach().softmax(0)
    for taken in (0, 1):
        step = next(s for s in range(99) if int(ReinMax().weigh_frozen(logits.detach(), rng(s), 0.0).weights.argmax()) == taken)
        own = logits.clone().requires_grad_()
        if weighting is None:
            soft = own.softmax(0)
            hard = torch.nn.functional.one_hot(torch.tensor(taken), 2).double()
            weights = hard + soft - soft.detach()
        else:
            weights = weighting.weigh(own, rng(step), 0.0).weights
        total += float(p[taken]) * torch.autograd.grad(loss(weights), own)[0]
    return total


def test_reinmax_is_exact_for_quadratic_losses_of_two_options():
    logits = torch.tensor([0.4, -0.9], dtype=torch.float64)
    a = torch.tensor([1.3, -0.7], dtype=torch.float64)

    def loss(weights: Tensor) -> Tensor:
        return ((weights * a).sum() - 0.2) ** 2

    own = logits.clone().requires_grad_()
    values = torch.stack([(a[i] - 0.2) ** 2 for i in (0, 1)])
    exact = torch.autograd.grad((own.softmax(0) * values).sum(), own)[0]
    assert close(expected(ReinMax(), loss, logits), exact)
    assert not torch.allclose(expected(None, loss, logits), exact, atol=0.05), "straight-through is not"


def test_reinmax_draws_by_the_softmax_and_computes_one_when_frozen():
    taken = torch.zeros(5, dtype=torch.float64)
    for step in range(2000):
        frozen = ReinMax().weigh_frozen(LOGITS, rng(step), 0.0)
        learnt = ReinMax().weigh(LOGITS, rng(step), 0.0)
        assert torch.equal(frozen.weights, learnt.weights) and learnt.live is None
        assert frozen.live == (int(frozen.weights.argmax()),)
        taken += frozen.weights
    assert torch.allclose(taken / 2000, P, atol=0.04)
    assert close(ReinMax().probabilities(LOGITS), P)


def test_a_temperature_below_one_is_refused():
    with pytest.raises(UserError, match=r"temperature=0\.5: ReinMax takes 1 or more"):
        ReinMax(temperature=0.5)
