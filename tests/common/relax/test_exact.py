"""Implicit terms from second derivatives, exact, against central differences and double backward."""

from dataclasses import replace

import torch

from common.relax.hypergradient import AMENDED, SECOND_ORDER, Inner, arch_gradient
from tests.common.relax.test_hypergradient import F64, Counted, Mixture, Quadratic


def test_second_derivatives_may_be_exact():
    """At DARTS' radius a central difference is far from a curved loss's product; differentiating twice is the product."""
    q, xi = Quadratic(), 0.3
    for rule, inner in ((SECOND_ORDER, Inner(rate=xi)), (AMENDED, None)):
        exact = replace(rule, exact=True)
        torch.testing.assert_close(q.gradient(exact, inner), q.gradient(rule, inner), rtol=1e-9, atol=1e-9)
    m = Mixture()
    weights = [*m.weights, m.unused]
    v = torch.autograd.grad(m.val(), m.weights)
    slopes = torch.autograd.grad(m.train(), m.weights, create_graph=True)
    hv = torch.autograd.grad(sum((s * d).sum() for s, d in zip(slopes, v, strict=True)), m.weights, retain_graph=True)
    (mixed,) = torch.autograd.grad(sum((s * d).sum() for s, d in zip(slopes, hv, strict=True)), m.logits)
    (explicit,) = torch.autograd.grad(m.val(), m.logits)
    before = [w.detach().clone() for w in weights]
    rule = replace(AMENDED, exact=True)
    torch.testing.assert_close(m.gradient(rule), explicit - 0.1 * mixed, rtol=1e-12, atol=1e-12)
    assert all(torch.equal(w, old) for w, old in zip(weights, before, strict=True))
    train = Counted(m.train)
    arch_gradient(rule, train, m.val, weights, m.logits)
    assert train.runs == 2, "one for each of the two products"
    nothing = lambda: torch.zeros((), dtype=F64, requires_grad=True) * 1.0  # noqa: E731
    found = arch_gradient(rule, nothing, m.val, weights, m.logits).gradients[0]
    torch.testing.assert_close(found, explicit, rtol=0, atol=0)
