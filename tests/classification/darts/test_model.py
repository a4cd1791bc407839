"""What cells and networks compute, against closed forms."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from classification.cells.cell import Edge, RealParts
from classification.cells.genotypes import published
from classification.cells.network import set_drop_path
from classification.cells.operations import MAKERS, FactorizedReduce, Skip
from classification.cells.space import WITHOUT_NONE, darts_space, standalone
from classification.cells.space import Edge as EdgeDescription
from classification.darts.model import build
from common.errors import UserError
from common.layers import Partial
from common.space import ManyOf, decisions, sample
from common.streams import stream
from common.supernet import Mixed, Supernet, opened
from common.supernet.together import Together


def small(**change):
    return replace(standalone(published()["DARTS_V2"]), cells=3, **{"width": 4} | change)


def image(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("edge", [8, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", list(MAKERS))
def test_operations_keep_the_width_and_divide_the_edge(name, stride, edge):
    x = image(2, 4, edge, edge)
    out = MAKERS[name](4, stride, darts_space())(x)
    assert out.shape == (2, 4, -(-edge // stride), -(-edge // stride))
    assert (out == 0).all() == (name == "none")


def test_pools_in_a_search_are_normalised_without_weights():
    for name in ("max_pool_3x3", "avg_pool_3x3"):
        pool = MAKERS[name](3, 1, darts_space())
        out = pool(image(8, 3, 6, 6))
        assert torch.allclose(out.mean((0, 2, 3)), torch.zeros(3), atol=1e-6)
        assert not list(pool.parameters())
    average = MAKERS["avg_pool_3x3"](3, 1, small())
    assert torch.allclose(average(torch.ones(1, 3, 4, 4)), torch.ones(1, 3, 4, 4))  # borders are not averaged with padding


def test_factorized_reduce_reads_both_diagonals():
    layer = FactorizedReduce(1, 2, affine=True).eval()
    for conv in (layer.conv_1, layer.conv_2):
        nn.init.ones_(conv.weight)
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    out = layer(x) * (1 + layer.norm.eps) ** 0.5
    assert torch.allclose(out[0, 0], x[0, 0, ::2, ::2]) and torch.allclose(out[0, 1], x[0, 0, 1::2, 1::2])


def test_partial_channels_pass_by_and_are_shuffled():
    x = image(2, 8, 6, 6)
    out = Partial(nn.Identity(), 4, 1)(x)  # with the identity: a permutation, the groups interleaved
    assert torch.equal(out, x[:, [0, 2, 4, 6, 1, 3, 5, 7]])
    halved = Partial(MAKERS["none"](2, 2, darts_space()), 4, 2)(x)
    pooled = F.max_pool2d(x, 2)
    assert torch.equal(halved[:, [1, 2, 3, 5, 6, 7]], pooled[:, [2, 4, 6, 3, 5, 7]])
    assert not halved[:, [0, 4]].any()


def test_a_mixed_operation_is_shuffled_once():
    """The choice is inside the partial channels: a mixture of identities is one permutation, whatever their weights."""
    space = darts_space(nodes=1, operations=WITHOUT_NONE, width=8, cells=3, partial=4)
    net = Supernet(build(opened(space)), space)
    skips = torch.zeros(7)
    skips[2] = 1
    net.relax({path: Mixed(weights=skips if path.endswith(".op") else torch.tensor([0.25, 0.75])) for path in net.relaxable})
    cell = net.module.get_submodule("cells.0")
    before, last = image(2, 24, 4, 4), image(2, 24, 4, 4) + 1
    x = 0.25 * cell.preprocess_0(before) + 0.75 * cell.preprocess_1(last)
    torch.testing.assert_close(cell(before, last), x[:, [0, 2, 4, 6, 1, 3, 5, 7]])


def test_an_edge_of_partial_channels_is_the_operation_wrapped():
    """A settled node of PC-DARTS is the sum of `Partial` operations, in normal cells and in reduction cells."""
    for i, stride in ((0, 1), (1, 2)):
        network = build(small(partial=4, width=8))
        cell = network.get_submodule(f"cells.{i}").eval()
        before, last = image(2, 24, 8, 8), image(2, (24, 32)[i], 8, 8)
        states = [cell.preprocess_0(before), cell.preprocess_1(last)]
        for node in cell.nodes.values():
            edges = [(edge.source, Partial(edge.op, 4, stride if edge.source < 2 else 1)) for edge in node.members]
            states.append(sum(op(states[source]) for source, op in edges))
        torch.testing.assert_close(cell(before, last), torch.cat([states[n] for n in cell.concat], 1))


def test_cells_are_wired_as_they_say():
    network = build(small()).eval()
    cell = network.get_submodule("cells.0")
    before, last = image(2, 12, 8, 8), image(2, 12, 8, 8)
    states = [cell.preprocess_0(before), cell.preprocess_1(last)]
    for number, node in cell.nodes.items():
        first, second = node.members
        assert {first.source, second.source} <= set(range(int(number)))
        states.append(first.op(states[first.source]) + second.op(states[second.source]))
    assert torch.equal(cell(before, last), torch.cat(states[2:], 1))


def test_only_inputs_of_reduction_cells_are_read_at_stride_2():
    network = build(opened(darts_space(nodes=3, width=4, cells=6)))
    strides = {}
    for i in range(6):
        for edge in (m for m in network.get_submodule(f"cells.{i}").modules() if isinstance(m, Edge)):
            strides.setdefault((i in (2, 4), edge.source < 2), set()).add(edge.op.options[0].stride)
    assert strides == {(False, True): {1}, (False, False): {1}, (True, True): {2}, (True, False): {1}}


@pytest.mark.parametrize(("skeleton", "edge"), [("cifar", 32), ("imagenet", 224)])
def test_the_auxiliary_classifier_is_for_training(skeleton, edge):
    network = build(small(skeleton=skeleton, auxiliary=True))
    x = image(2, 3, edge, edge)
    scores, beside = network(x)
    assert scores.shape == beside.shape == (2, 10)
    alone = build(small(skeleton=skeleton)).eval()
    network.eval()
    alone.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("auxiliary")})
    assert torch.equal(network(x), alone(x))


def test_dropped_paths():
    class Double(nn.Module):
        def forward(self, x):
            return 2 * x

    edge = Edge(EdgeDescription(source=0, op="skip_connect"), 4, False, small(), RealParts())
    set_drop_path(edge, 0.25)
    x = torch.ones(4000, 4, 1, 1)
    states = {0: Together(x, ())}
    assert torch.equal(edge(states), x)  # identities are never dropped
    edge.op = Double()
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        out = edge(states)
        torch.manual_seed(0)
        assert torch.equal(out, edge(states))
    kept = out[:, 0, 0, 0] > 0
    assert torch.equal(out, 2 * x * kept.view(-1, 1, 1, 1) / 0.75)  # whole samples, scaled
    assert kept.float().mean() == pytest.approx(0.75, abs=0.03)
    assert torch.equal(edge.eval()(states), 2 * x)
    for rate in (1.0, -0.1):
        with pytest.raises(UserError, match=r"drop-path rate .* in \[0, 1\)"):
            set_drop_path(edge, rate)


def test_drop_path_reaches_every_edge():
    network = build(small())
    set_drop_path(network, 0.5)
    edges = [part for part in network.modules() if isinstance(part, Edge)]
    assert len(edges) == 3 * 8 and {edge.drop_path for edge in edges} == {0.5}
    x = image(4, 3, 16, 16)
    assert not torch.equal(network(x), network(x))
    set_drop_path(network, 0.0)
    assert torch.equal(network(x), network(x))


def test_weights_are_a_function_of_the_seed():
    state = torch.random.get_rng_state()
    one, same, other = (build(small(), seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["classifier.weight"], other["classifier.weight"])


def test_one_hot_mixtures_are_the_architecture():
    """A relaxed supernet whose weights pick one architecture gives that architecture's scores."""
    space = darts_space(nodes=2, width=4, cells=3)
    net, known = Supernet(build(opened(space)), space), decisions(space)
    net.module.eval()
    assert net.relaxable == tuple(known)
    arch, x = sample(space, stream(3, "arch")), image(2, 3, 16, 16)
    net.activate(arch)
    expected = net.module(x)
    mixtures = {}
    for path, decision in known.items():
        weights = torch.zeros(len(decision.options))
        if path in arch:  # operations of edges that are not taken do not matter
            weights[list(decision.subset(arch[path])) if isinstance(decision, ManyOf) else arch[path]] = 1
        mixtures[path] = Mixed(weights=weights)
    net.relax(mixtures)
    assert torch.allclose(net.module(x), expected, atol=1e-5)


def test_a_relaxed_node_is_the_weighted_sum_of_its_edges_mixtures():
    """Equation 2 of DARTS on each edge, and PC-DARTS's edge weights around it; cells of a kind share both."""
    space = darts_space(nodes=1, width=4, cells=4)
    net = Supernet(build(opened(space)), space)
    rng = torch.Generator().manual_seed(0)
    weights = {path: torch.rand(len(d.options), generator=rng) for path, d in decisions(space).items()}
    net.relax({path: Mixed(weights=values) for path, values in weights.items()})
    normal = [values for path, values in weights.items() if path.startswith("normal.")]
    for i, width in ((0, 4), (3, 16)):
        node = net.module.get_submodule(f"cells.{i}.nodes.2").eval()
        states = {0: image(2, width, 8, 8), 1: image(2, width, 8, 8) + 1}
        wanted = torch.zeros(2, width, 8, 8)
        for edge, beta, alphas in zip(node.members, normal[0], normal[1:], strict=True):
            for alpha, op in zip(alphas, edge.op.options, strict=True):
                wanted = wanted + beta * alpha * op(states[edge.source])
        read = {source: Together(x, [edge.op for edge in node.members if edge.source == source]) for source, x in states.items()}
        assert torch.allclose(node(read), wanted, atol=1e-6)


def test_skips_that_drop_entries_are_not_alike():
    """Each drops its own; those that drop none are computed once."""
    skip = Skip()
    assert skip.alike == "skip"
    skip.dropout = 0.5
    assert skip.alike is None and skip.eval().alike == "skip"
