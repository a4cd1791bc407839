"""What the tests of weightings compare with: noise, gradients and probabilities, written without the code under test."""

from collections.abc import Callable

import torch
from torch import Tensor

from common.relax.gates import OneGate, OneHot, TwoGates
from common.relax.sampled import AnnealedGumbel, HardGumbel
from common.relax.stochastic import DirichletWeights, ReinMax
from common.relax.weightings import GumbelSoftmax, Sigmoid, Softmax, Temperature, Weighting
from common.streams import torch_stream
from common.supernet.open import Mixed

LOGITS = torch.tensor([0.3, -1.1, 0.8, 0.0, 1.7], dtype=torch.float64)
WARM = Temperature(start=0.7, end=0.7)
ALL: list[Weighting] = [
    Softmax(),
    Softmax(keep=0.5),
    Softmax(keep=0.5, drawn="proportional"),
    Sigmoid(),
    GumbelSoftmax(),
    HardGumbel(),
    AnnealedGumbel(),
    OneGate(),
    TwoGates(),
    OneHot(),
    OneHot(keep=2),
    DirichletWeights(),
    ReinMax(),
]


def rng(step: int = 0) -> torch.Generator:
    return torch_stream(0, "relax", step)


def noise(n: int, step: int = 0) -> Tensor:
    """The Gumbel noise that the first draw of `rng(step)` gives."""
    return -(-torch.rand(n, generator=rng(step), dtype=torch.float64).log()).log()


def leaf(values: Tensor = LOGITS) -> Tensor:
    return values.clone().requires_grad_()


def pulled(mixed: Mixed, logits: Tensor, g: Tensor) -> Tensor:
    """dL/dlogits for dL/dweights = g on the options that are computed; nothing comes back from the others."""
    computed = torch.ones_like(g, dtype=torch.bool)
    if mixed.live is not None:
        computed = torch.zeros_like(computed)
        computed[list(mixed.live)] = True
    return torch.autograd.grad((mixed.weights[computed] * g[computed]).sum(), logits)[0]


def softmax_pull(p: Tensor, g: Tensor) -> Tensor:
    """sum_j g_j p_j (1{i=j} - p_i)."""
    return p * (g - (p * g).sum())


G = torch.tensor([0.5, -2.0, 1.5, 3.0, -0.7], dtype=torch.float64)
P = LOGITS.exp() / LOGITS.exp().sum()


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> bool:
    return bool(torch.allclose(a, b.to(a), rtol=0, atol=tolerance))


def first_of_pair_probabilities(p: list[float]) -> list[float]:
    """P(i is among two drawn one after the other without return)."""
    n = len(p)
    return [p[i] + sum(p[j] * p[i] / (1 - p[j]) for j in range(n) if j != i) for i in range(n)]


def counts(draws: Callable[[torch.Generator], tuple[int, ...]], times: int) -> list[int]:
    generator, seen = rng(1), [0] * 5
    for _ in range(times):
        for i in draws(generator):
            seen[i] += 1
    return seen
