"""Every operation, on dense features by PyTorch Geometric's own code and on the same features without their zeros."""

import pytest
import torch
from torch import nn

from common.tables.nasbench_graph import OPS
from graphs.nasbench.layers import LAYERS, apply
from graphs.nasbench.sparse import Raw

NODES, FEATURES, WIDTH = 12, 7, 6


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(NODES, FEATURES, generator=generator) * (torch.rand(NODES, FEATURES, generator=generator) < 0.4)


@pytest.fixture
def edges():
    """A ring with two chords, in both directions; node 11 has no neighbour."""
    one_way = [(i, (i + 1) % 11) for i in range(11)] + [(0, 5), (2, 8)]
    return torch.tensor(one_way + [(b, a) for a, b in one_way]).t()


def randomised(layer: nn.Module) -> nn.Module:
    """With biases other than zero, which a mistake could hide behind."""
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    return layer


@pytest.mark.parametrize("op", OPS)
def test_every_operation_runs_and_is_the_same_on_sparse_features(op, features, edges):
    torch.manual_seed(0)
    layer = randomised(LAYERS[op](FEATURES, WIDTH))
    ours = apply(layer, Raw.of(features), edges)
    expected = apply(layer, features, edges)
    if op == "skip":
        assert isinstance(ours, Raw) and expected is features
        return
    assert expected.shape == (NODES, WIDTH)
    torch.testing.assert_close(ours, expected)
    weights = torch.randn(NODES, WIDTH)
    trained = list(layer.parameters())
    pairs = zip(
        torch.autograd.grad((ours * weights).sum(), trained, allow_unused=True),
        torch.autograd.grad((expected * weights).sum(), trained, allow_unused=True),
        strict=True,
    )
    for gradient, reference in pairs:
        assert (gradient is None) == (reference is None)  # a single layer of ARMA never uses one of its weights
        if gradient is not None:
            torch.testing.assert_close(gradient, reference)


@pytest.mark.parametrize("op", [op for op in OPS if op != "skip"])
def test_who_sees_neighbours(op, features, edges):
    torch.manual_seed(0)
    layer = randomised(LAYERS[op](FEATURES, WIDTH))
    before = apply(layer, features, edges)
    changed = features.clone()
    changed[0] += 1.0
    moved = (apply(layer, changed, edges) != before).any(dim=1).nonzero().flatten().tolist()
    assert set(moved) <= ({0} if op == "fc" else {0, 1, 5, 10})
    assert 0 in moved and (op == "fc" or len(moved) > 1)
