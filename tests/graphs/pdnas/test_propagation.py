"""How messages travel, against n x n matrices and APPNP of PyTorch Geometric."""

import pytest
import torch
from torch_geometric.nn import APPNP

from graphs.pdnas.edges import edges_of
from graphs.pdnas.propagation import HOPS, TELEPORT, Once, Silence, TenHops, messages
from graphs.pdnas.space import AGGREGATIONS, ATTENTIONS, Message, Personalised
from tests.graphs.pdnas.dense import ALONE, EDGE_INDEX, NODES, aggregated, close, edges, features, matrices, randomised

WIDTH = 8
COPIES = 4000
"""Of the graph, side by side: as many independent draws of dropout in one pass."""


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("kind", ATTENTIONS)
def test_one_hop(kind, aggregation, heads):
    once = randomised(Once(Message(kind, aggregation), WIDTH, heads, 0.6))
    z = features(heads, WIDTH // heads)
    found = once(z, edges())
    assert close(found, aggregated(aggregation, matrices(kind, z, once.attention), z))


def test_one_hop_of_ones():
    """The node alone hears itself; the others count their neighbours, themselves among them."""
    z = torch.ones(NODES, 1, 1)
    found = {kind: Once(Message("const", kind), 1, 1, 0.0)(z, edges()).flatten().tolist() for kind in AGGREGATIONS}
    assert found == {"sum": [3, 3, 3, 2, 1], "mean": [1] * NODES, "max": [1] * NODES}
    below = Once(Message("const", "max"), 1, 1, 0.0)(-z, edges())
    assert (below == -1).all()  # 0 is not among what is compared


@pytest.mark.parametrize("heads", [1, 2])
def test_ten_hops_with_gcn_are_appnp(heads):
    z = features(heads, WIDTH // heads)
    found = TenHops(Personalised("gcn"), WIDTH, heads, 0.6).eval()(z, edges())
    reference = APPNP(K=10, alpha=0.1).eval()(z.flatten(1), EDGE_INDEX)
    assert close(found.flatten(1), reference)
    assert not torch.allclose(reference, APPNP(K=9, alpha=0.1).eval()(z.flatten(1), EDGE_INDEX), atol=1e-4)


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("kind", ATTENTIONS[1:])
def test_ten_hops(kind, heads):
    """The weights are those of the features that set out, at every hop."""
    hops = randomised(TenHops(Personalised(kind), WIDTH, heads, 0.6))
    z = features(heads, WIDTH // heads)
    weights, reached = matrices(kind, z, hops.attention), z.double()
    for _ in range(10):
        reached = 0.9 * aggregated("sum", weights, reached) + 0.1 * z.double()
    found = hops(z, edges())
    assert close(found, reached)
    assert (HOPS, TELEPORT) == (10, 0.1)
    if kind != "gcn":
        assert close(found[ALONE], z[ALONE])  # softmax: all of what it hears is its own


def test_silence_gives_back_its_input():
    z = features(2, 4)
    assert Silence()(z, edges()) is z


def test_what_a_description_stands_for():
    made = (messages(message, WIDTH, 2, 0.5) for message in (None, Message("gat", "max"), Personalised("cos")))
    assert [type(part) for part in made] == [Silence, Once, TenHops]
    once = messages(Message("gcn", "sum"), WIDTH, 1, 0.25)
    assert isinstance(once, Once) and once.dropout == 0.25


def crowd() -> tuple:
    """Features of ones and the edges of many copies of the graph; with gcn attention all copies compute the same."""
    shift = NODES * torch.arange(COPIES)
    index = (EDGE_INDEX[:, None, :] + shift[None, :, None]).reshape(2, -1)
    return torch.ones(COPIES * NODES, 1, 1), edges_of(index, COPIES * NODES)


@pytest.mark.parametrize("description", [Message("gcn", "sum"), Personalised("gcn")], ids=["once", "ten hops"])
def test_neighbours_are_dropped_in_training_only(description):
    """Dropout is anew at every hop: the mean over draws is then what comes without it, which one draw for all would not give."""
    part = messages(description, 1, 1, 0.3)
    z, many = crowd()
    exact = messages(description, 1, 1, 0.0).train()(z, many)
    assert torch.equal(part.eval()(z, many), exact)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        drawn = part.train()(z, many).view(COPIES, NODES)
        assert not torch.equal(part(z, many).view(COPIES, NODES), drawn)
    error = drawn.std(0) / COPIES**0.5
    assert (error > 0.001).all()
    assert ((drawn.mean(0) - exact.view(COPIES, NODES)[0]).abs() < 4 * error).all()


def test_what_is_kept_of_a_hop_is_scaled_up():
    """The node alone hears itself or nothing."""
    z, many = crowd()
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        drawn = Once(Message("gcn", "sum"), 1, 1, 0.75).train()(z, many).view(COPIES, NODES)[:, ALONE]
    assert drawn.unique().tolist() == [0, 4]
    assert float((drawn > 0).float().mean()) == pytest.approx(0.25, abs=0.03)
