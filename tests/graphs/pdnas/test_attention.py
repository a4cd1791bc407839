"""Attention kinds against n x n matrices with a softmax over each row."""

import pytest
import torch

from graphs.pdnas.attention import attention
from graphs.pdnas.edges import edges_of
from graphs.pdnas.propagation import Once
from graphs.pdnas.space import ATTENTIONS, Message
from tests.graphs.pdnas.dense import ALONE, DIRECTED, EDGE_INDEX, HEARD, NODES, close, edges, features, matrices, randomised

WIDTH = 8
SOFTMAX = [kind for kind in ATTENTIONS if kind not in ("const", "gcn")]
PLACES = pytest.mark.parametrize("heads", [1, 2])


def spread(weights: torch.Tensor, heads: int) -> torch.Tensor:
    """Weights of edges (e, h) or (e, 1) as matrices (h, n, n)."""
    found = edges()
    dense = torch.zeros(heads, NODES, NODES, dtype=torch.float64)
    dense[:, found.target, found.source] = weights.detach().double().t().expand(heads, -1)
    return dense


def test_every_node_has_one_loop():
    found = edges()
    pairs = list(zip(found.source.tolist(), found.target.tolist(), strict=True))
    assert sorted(pairs) == sorted([*map(tuple, EDGE_INDEX.t().tolist()), *((i, i) for i in range(NODES))])
    assert found.nodes == NODES and found.symmetric.shape == (len(pairs), 1)
    lonely = edges_of(torch.empty(2, 0, dtype=torch.int64), 3)
    assert lonely.source.tolist() == lonely.target.tolist() == [0, 1, 2] and lonely.symmetric.flatten().tolist() == [1, 1, 1]


@PLACES
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("kind", ATTENTIONS)
def test_kinds_are_their_formulas(kind, dtype, tolerance, heads):
    module = randomised(attention(kind, WIDTH, heads)).to(dtype)
    z = features(heads, WIDTH // heads, dtype=dtype)
    weights = module(z, edges())
    assert weights.shape == (len(EDGE_INDEX.t()) + NODES, 1 if kind in ("const", "gcn") else heads)
    tolerance = 1e-6 if kind == "gcn" else tolerance  # degrees are in single precision, whatever the features are
    assert close(spread(weights, heads), matrices(kind, z, module), tolerance)


@PLACES
@pytest.mark.parametrize("kind", SOFTMAX)
def test_weights_into_a_node_sum_to_one(kind, heads):
    weights = spread(randomised(attention(kind, WIDTH, heads))(features(heads, WIDTH // heads), edges()), heads)
    assert close(weights.sum(2), torch.ones(heads, NODES))
    assert (weights[:, ALONE, ALONE] == 1).all()
    assert weights[:, HEARD].std() > 0.05  # the softmax is not of equal scores


def test_const_and_gcn_are_not_normalised():
    z = features(1, WIDTH)
    assert spread(attention("const", WIDTH, 1)(z, edges()), 1)[0].sum(1).tolist() == HEARD.sum(1).tolist() == [3, 3, 3, 2, 1]
    gcn = spread(attention("gcn", WIDTH, 1)(z, edges()), 1)[0]
    source, target = DIRECTED
    assert gcn[target, source] == pytest.approx((2 * 3) ** -0.5) and gcn[source, target] == 0
    assert gcn[target].sum() == pytest.approx(6**-0.5 + 1 / 2) and gcn[0].sum() == pytest.approx(1)


def test_gcn_summed_is_the_symmetric_normalisation():
    """D^-1/2 (A + I) D^-1/2 X W, with A and D written down."""
    a = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]).double()
    d = torch.diag(torch.tensor([3, 3, 3, 2, 1]).double() ** -0.5)
    x, w = features(6), torch.randn(6, WIDTH, generator=torch.Generator().manual_seed(3))
    z = x @ w
    found = Once(Message("gcn", "sum"), WIDTH, 1, 0.0)(z.unsqueeze(1), edges()).squeeze(1)
    assert close(found, d @ a @ d @ x.double() @ w.double())


def test_heads_do_not_hear_each_other():
    """Each is the attention of its own half of the features and of the vectors."""
    for kind in SOFTMAX:
        both = randomised(attention(kind, WIDTH, 2))
        z = features(2, WIDTH // 2)
        moved = z.clone()
        moved[:, 1] += 1
        before, after = both(z, edges()), both(moved, edges())
        assert torch.equal(before[:, 0], after[:, 0]) and not torch.allclose(before[:, 1], after[:, 1])


@PLACES
@pytest.mark.parametrize("kind", [kind for kind in SOFTMAX if kind != "linear"])  # its scores are at most 1
def test_large_scores_do_not_overflow(kind, heads):
    module = randomised(attention(kind, WIDTH, heads))
    if kind == "gene-linear":  # its scores are as large as its own vector
        module.general.weight.data.mul_(1e4)
    z = (1e4 * features(heads, WIDTH // heads)).requires_grad_()
    weights = module(z, edges())
    dense = spread(weights, heads)
    assert dense.isfinite().all() and close(dense.sum(2), torch.ones(heads, NODES))
    reference = matrices(kind, z.detach(), module)
    assert (dense.argmax(2) == reference.argmax(2)).all()
    weights.square().sum().backward()
    assert z.grad is not None and z.grad.isfinite().all()


def test_vectors_begin_within_glorots_bound():
    for heads in (1, 4):
        bound = (6 / (heads + 32 // heads)) ** 0.5
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            made = attention("gat", 32, heads)
        largest = torch.cat([made.left.weight, made.right.weight]).abs().max()
        assert 0.8 * bound < largest <= bound
