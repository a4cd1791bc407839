"""What a network is made of: shortcuts, dropout, how its weights begin, what is refused, and the network of a supernet."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from common.errors import UserError
from common.space import decode, sample
from common.streams import stream
from common.supernet import Supernet, opened
from graphs.pdnas.edges import edges_of
from graphs.pdnas.model import build, dropped
from graphs.pdnas.space import Block, Message, Network, Personalised, by_hand, pdnas_space
from tests.graphs.pdnas.dense import EDGE_INDEX, NODES, close, features, randomised

MESSAGE = Message("gcn", "sum")
F_IN, CLASSES = 6, 3


def net(*shortcuts: tuple[bool, ...], width: int = F_IN) -> nn.Module:
    """As many blocks as there are tuples of gates."""
    blocks = tuple(
        Block(CLASSES if k == len(shortcuts) - 1 else width, 1, MESSAGE, "tanh", gates) for k, gates in enumerate(shortcuts)
    )
    return randomised(build(Network(F_IN, CLASSES, blocks)))


def test_a_shortcut_of_equal_widths_adds_as_it_is():
    with_gates, without = net((), (True,), (True, True)), net((), (False,), (False, False))
    without.load_state_dict(with_gates.state_dict(), strict=True)  # gates have no weights
    x, edges = features(F_IN), edges_of(EDGE_INDEX, NODES)
    first, second, third = without.blocks
    a = first([x], edges)
    b = second([x, a + x], edges)
    assert torch.equal(third([x, a, b + x + a], edges), with_gates(x, EDGE_INDEX))
    assert not torch.allclose(without(x, EDGE_INDEX), with_gates(x, EDGE_INDEX), atol=1e-3)


def test_a_shortcut_of_other_widths_is_projected():
    with_gate, without = net((), (True,), width=4), net((), (False,), width=4)
    state = with_gate.state_dict()
    projection = state.pop("blocks.1.shortcuts.0.project.weight")
    assert projection.shape == (4, F_IN)
    without.load_state_dict(state, strict=True)
    x, edges = features(F_IN), edges_of(EDGE_INDEX, NODES)
    first, second = without.blocks
    assert close(second([x, first([x], edges) + x @ projection.t()], edges), with_gate(x, EDGE_INDEX))


def test_a_closed_gate_adds_nothing():
    made, edges = net((), (False,), (False, True)), edges_of(EDGE_INDEX, NODES)
    x, a, b = features(F_IN), features(F_IN, seed=3), features(F_IN, seed=4)
    found = made.blocks[2]([x, a, b], edges)
    assert torch.equal(made.blocks[2]([100 * x, a, b], edges), found)
    assert not torch.equal(made.blocks[2]([x, a + 1, b], edges), found)


def test_the_heads_of_the_last_block_are_averaged():
    """With the same weights in each, they say what one says."""
    one, four = (randomised(build(by_hand("GAT", F_IN, CLASSES, last_heads=heads))) for heads in (1, 4))
    state = {name: value for name, value in one.state_dict().items() if not name.startswith("blocks.1.bias")}
    shapes = four.state_dict()
    repeated = {name: torch.cat([value] * (len(shapes[name]) // len(value))) for name, value in state.items()}
    four.load_state_dict({**repeated, "blocks.1.bias.bias": one.blocks[1].bias.bias})
    x = features(F_IN)
    assert four.blocks[1].linear.weight.shape == (4 * CLASSES, 64)
    assert close(four(x, EDGE_INDEX), one(x, EDGE_INDEX))


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_dropout_of_sparse_features_keeps_zeros():
    x = features(400) * (features(400, seed=5) > 0.5)
    sparse = x.to_sparse_csr()
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        out = dropped(sparse, 0.75, True)
    assert out.layout is torch.sparse_csr and torch.equal(out.col_indices(), sparse.col_indices())
    kept = out.to_dense() != 0
    assert not kept[x == 0].any()
    assert torch.equal(out.to_dense()[kept], 4 * x[kept])
    assert float(kept[x != 0].float().mean()) == pytest.approx(0.25, abs=0.06)
    for given in (x, sparse):
        assert dropped(given, 0.75, False) is given and dropped(given, 0.0, True) is given


@pytest.mark.parametrize("rates", [(0.5, 0.0), (0.0, 0.5), (0.0, 0.0)])
def test_dropout_is_for_training(rates):
    made = build(replace(by_hand("GAT", F_IN, CLASSES), dropout=rates[0], attention_dropout=rates[1]))
    x = features(F_IN)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        one, other = (made.train()(x, EDGE_INDEX) for _ in range(2))
    assert torch.equal(one, other) == (rates == (0.0, 0.0))
    assert torch.equal(made.eval()(x, EDGE_INDEX), made(x, EDGE_INDEX))


@pytest.mark.parametrize("name", ["GAT", "ARMA"])
def test_weights_are_a_function_of_the_seed(name):
    before = torch.get_rng_state()
    first, again, other = (build(by_hand(name, F_IN, CLASSES), seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    for key, value in first.items():
        assert torch.equal(value, again[key])
        if key.endswith("bias"):
            assert (value == 0).all()
        else:
            assert not torch.equal(value, other[key])
        if value.dim() == 2:
            bound = (6 / sum(value.shape)) ** 0.5
            assert 0.7 * bound < value.abs().max() <= bound


def test_a_deep_supernet_extracts_exactly():
    space = pdnas_space(F_IN, CLASSES, 8, widths=(4, 8), heads=(1, 2))
    shared = Supernet(randomised(build(opened(space))), space)
    x, rng = features(F_IN), stream(0, "deep")
    outputs = []
    for arch in (sample(space, rng) for _ in range(3)):
        alone = shared.extract(arch, build)
        shared.activate(arch)
        with torch.no_grad():
            outputs.append(shared.module(x, EDGE_INDEX))
            assert torch.equal(outputs[-1], alone(x, EDGE_INDEX))
        assert any(gate for block in decode(space, arch).blocks for gate in block.shortcuts)
        assert alone.state_dict().keys() == build(decode(space, arch)).state_dict().keys()
    assert not torch.allclose(outputs[0], outputs[1], atol=1e-3)


GOOD = Block(8, 2, MESSAGE, "relu")
LAST = Block(CLASSES, 1, MESSAGE, "none", (False,))
BAD = {
    "attention": ({"message": Message("dot", "sum")}, "block 0: attention 'dot' does not exist; choose one of const, gcn, gat"),
    "aggregation": ({"message": Message("gcn", "median")}, "aggregation 'median' does not exist; choose one of sum, mean, max"),
    "activation": ({"activation": "gelu"}, "block 0: activation 'gelu' does not exist; choose one of none, sigmoid"),
    "heads": ({"heads": 3}, "block 0: 3 heads do not divide the width 8; give numbers that do"),
    "no heads": ({"heads": 0}, "block 0: 0 heads or features: give 1 or more"),
    "no width": ({"width": 0}, "block 0: 0 heads or features: give 1 or more"),
    "shortcuts": ({"shortcuts": (True,)}, "block 0 has 1 shortcuts: it has 0 outputs before its own input"),
    "far const": ({"message": Personalised("const")}, "attention 'const' does not exist; choose one of gcn, gat"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_blocks(fault):
    change, message = BAD[fault]
    build(Network(F_IN, CLASSES, (GOOD, LAST)))
    with pytest.raises(UserError) as refused:
        build(Network(F_IN, CLASSES, (replace(GOOD, **change), LAST)))
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dropout": 1.0}, "^dropout=1.0: give a probability from 0 to below 1"),
        ({"dropout": -0.1}, "^dropout=-0.1: give"),
        ({"attention_dropout": 1.5}, "^attention_dropout=1.5: give"),
        ({"attention_dropout": float("nan")}, "^attention_dropout=nan: give"),
        ({"blocks": ()}, "^0 blocks, 6 features, 3 classes: give at least 1 of each"),
        ({"features": 0}, "^2 blocks, 0 features, 3 classes"),
        ({"classes": 0}, "^2 blocks, 6 features, 0 classes"),
        ({"blocks": (GOOD, replace(LAST, shortcuts=()))}, "^block 1 has 0 shortcuts: it has 1 outputs"),
        ({"blocks": (GOOD, replace(LAST, heads=0))}, "^block 1: 0 heads or features"),
        ({"blocks": (GOOD, replace(LAST, width=7))}, "^block 1 is the last, of width 7: give that of the 3 classes"),
        ({"blocks": (GOOD, replace(LAST, activation="swish"))}, "^block 1: activation 'swish'"),
    ],
)
def test_bad_networks(change, message):
    with pytest.raises(UserError, match=message):
        build(replace(Network(F_IN, CLASSES, (GOOD, LAST)), **change))


def test_open_networks_are_checked_as_well():
    with pytest.raises(UserError, match="block 0: 8 heads do not divide the width 12"):
        build(opened(pdnas_space(F_IN, CLASSES, 2, widths=(16, 12), heads=(4, 8))))
