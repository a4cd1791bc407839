"""Networks made by hand, against PyTorch Geometric's layers and n x n matrices."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.nn import APPNP, GATConv, GCNConv

from graphs.pdnas.model import build
from graphs.pdnas.space import OPERATORS, Block, Message, Network, by_hand
from tests.graphs.pdnas.dense import EDGE_INDEX, HEARD, close, features, normalised, randomised

F_IN, CLASSES = 6, 3


def made(name: str, blocks: int = 2, **change) -> nn.Module:
    return randomised(build(by_hand(name, F_IN, CLASSES, blocks, **change)))


def parts(net: nn.Module) -> list[tuple[Tensor, Tensor, Tensor | None]]:
    """Of each block: its matrix (in, out), its bias, and its root weights (in, out), in double precision."""
    state = {name: value.double() for name, value in net.state_dict().items()}
    named = range(len(net.blocks))
    roots = [state.get(f"blocks.{k}.root.weight.weight") for k in named]
    return [
        (state[f"blocks.{k}.linear.weight"].t(), state[f"blocks.{k}.bias.bias"], None if roots[k] is None else roots[k].t())
        for k in named
    ]


@pytest.mark.parametrize("blocks", [2, 3])
def test_gcn(blocks):
    net, x = made("GCN", blocks), features(F_IN)
    hidden = x
    for k, block in enumerate(net.blocks):
        layer = GCNConv(*block.linear.weight.shape[::-1])
        layer.load_state_dict({"bias": block.bias.bias, "lin.weight": block.linear.weight})
        hidden = layer(hidden, EDGE_INDEX)
        hidden = hidden.relu() if k < blocks - 1 else hidden
    assert close(net(x, EDGE_INDEX), hidden, 1e-5)


@pytest.mark.parametrize("last_heads", [1, 8])
def test_gat(last_heads):
    """Eight heads of eight; those of the last block, as wide as there are classes, are averaged."""
    net, x = made("GAT", last_heads=last_heads), features(F_IN)
    hidden = x
    for block, layer in zip(
        net.blocks,
        (GATConv(F_IN, 8, heads=8), GATConv(64, CLASSES, heads=last_heads, concat=False)),
        strict=True,
    ):
        attention = block.message.attention
        vectors = {"att_dst": attention.left.weight, "att_src": attention.right.weight}
        state = {name: value.view(layer.att_src.shape) for name, value in vectors.items()}
        layer.load_state_dict({**state, "bias": block.bias.bias, "lin.weight": block.linear.weight})
        hidden = layer(hidden, EDGE_INDEX)
        hidden = F.elu(hidden) if block is net.blocks[0] else hidden
    assert close(net(x, EDGE_INDEX), hidden, 1e-5)


def test_sage():
    net, x = made("SAGE"), features(F_IN)
    mean = HEARD.double() / HEARD.double().sum(1, keepdim=True)
    (w0, b0, _), (w1, b1, _) = parts(net)
    hidden = (mean @ x.double() @ w0 + b0).relu()
    assert close(net(x, EDGE_INDEX), mean @ hidden @ w1 + b1, 1e-5)


def test_arma():
    net, x = made("ARMA"), features(F_IN)
    a = normalised()
    (w0, b0, v0), (w1, b1, v1) = parts(net)
    hidden = (a @ x.double() @ w0 + x.double() @ v0 + b0).relu()
    assert close(net(x, EDGE_INDEX), a @ hidden @ w1 + hidden @ v1 + b1, 1e-5)


def test_root_weights_of_several_heads():
    """Each head of the last block has root weights of its own, averaged with the rest."""
    block = Block(CLASSES, 2, Message("gcn", "sum"), "none", root=True)
    net, x = randomised(build(Network(F_IN, CLASSES, (block,)))), features(F_IN)
    ((w, b, v),) = parts(net)
    both = normalised() @ x.double() @ w + x.double() @ v
    assert close(net(x, EDGE_INDEX), (both[:, :CLASSES] + both[:, CLASSES:]) / 2 + b, 1e-5)


def test_root_weights_see_what_shortcuts_add():
    message = Message("gcn", "sum")
    blocks = (Block(F_IN, 1, message, "tanh"), Block(CLASSES, 1, message, "none", (True,), root=True))
    net, x = randomised(build(Network(F_IN, CLASSES, blocks))), features(F_IN)
    (w0, b0, _), (w1, b1, v1) = parts(net)
    hidden = (normalised() @ x.double() @ w0 + b0).tanh() + x
    assert close(net(x, EDGE_INDEX), normalised() @ hidden @ w1 + hidden @ v1 + b1, 1e-5)


def test_appnp():
    net, x = made("APPNP"), features(F_IN)
    (w0, b0, _), (w1, b1, _) = parts(net)
    scores = (x.double() @ w0 + b0).relu() @ w1
    assert close(net(x, EDGE_INDEX), APPNP(K=10, alpha=0.1).eval()(scores, EDGE_INDEX) + b1, 1e-5)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
@pytest.mark.parametrize("name", OPERATORS)
def test_sparse_features_give_the_same(name):
    net = made(name).double()
    x = features(F_IN, dtype=torch.float64) * (features(F_IN, seed=5) > 0.5)
    assert 0 < int((x != 0).sum()) < x.numel() // 2
    found = {}
    for kind, given in {"dense": x, "sparse": x.to_sparse_csr()}.items():
        net.zero_grad()
        out = net(given, EDGE_INDEX)
        out.square().sum().backward()
        found[kind] = out, {key: p.grad for key, p in net.named_parameters()}
    assert close(found["sparse"][0], found["dense"][0], 1e-12)
    assert found["dense"][1]["blocks.0.linear.weight"].abs().max() > 0.01
    for key, gradient in found["dense"][1].items():
        assert close(found["sparse"][1][key], gradient, 1e-12), key


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
@pytest.mark.parametrize("width", [F_IN, 4], ids=["equal", "projected"])
def test_sparse_features_pass_shortcuts(width):
    message = Message("gcn", "sum")
    blocks = (Block(width, 1, message, "tanh"), Block(CLASSES, 1, message, "none", (True,)))
    net = randomised(build(Network(F_IN, CLASSES, blocks)))
    x = features(F_IN) * (features(F_IN, seed=5) > 0.5)
    assert close(net(x.to_sparse_csr(), EDGE_INDEX), net(x, EDGE_INDEX))


def test_activations():
    """Each is torch's of its name, after the bias."""
    x = 10 * features(F_IN)
    references = {
        "none": lambda z: z, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "softplus": F.softplus,
        "relu": torch.relu, "leaky-relu": F.leaky_relu, "relu6": F.relu6, "elu": F.elu,
    }  # fmt: skip
    for name, reference in references.items():
        net = randomised(build(Network(F_IN, CLASSES, (Block(CLASSES, 1, Message("gcn", "sum"), name),))))
        ((w, b, _),) = parts(net)
        z = normalised() @ x.double() @ w + b
        assert z.min() < -6 and z.max() > 6 and close(net(x, EDGE_INDEX), reference(z), 1e-5), name
