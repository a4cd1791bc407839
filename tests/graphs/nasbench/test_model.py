"""How networks are wired, checked against a few lines of numpy; their parameters, checked against the table."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from common.tables.load import data_folder
from common.tables.nasbench_graph import FILE, LINKS, OPS, Network
from graphs.nasbench.model import Net, build
from graphs.nasbench.settings import HYPER
from graphs.nasbench.sparse import Raw

FEATURES, CLASSES, NODES = 5, 3, 8
HYPER_SMALL = replace(HYPER["cora"], width=4)
EDGES = torch.tensor([[0, 1, 1, 2, 2, 3, 4, 5], [1, 0, 2, 1, 3, 2, 5, 4]])
REAL = data_folder() / "nasbench/nasbench_graph" / FILE
SHAPES = {
    "cora": (1433, 7),
    "citeseer": (3703, 6),
    "pubmed": (500, 3),
    "cs": (6805, 15),
    "photo": (745, 8),
    "computers": (767, 10),
    "arxiv": (128, 40),
    "proteins": (8, 112),
}


@pytest.fixture
def x():
    return torch.rand(NODES, FEATURES, generator=torch.Generator().manual_seed(0))


def with_norms_that_matter(net: Net) -> Net:
    """Evaluated with statistics, scales and shifts that differ between nodes."""
    for norm in net.norms:
        assert isinstance(norm, nn.BatchNorm1d) and norm.running_mean is not None and norm.running_var is not None
        for tensor in (norm.running_mean, norm.weight.data, norm.bias.data):
            nn.init.normal_(tensor)
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
    return net.eval()


def by_hand(net: Net, network: Network, x: np.ndarray) -> np.ndarray:
    """The same for fully connected and skipped nodes, from the link pattern and the parameters by their names."""
    value = {name: tensor.numpy().astype(float) for name, tensor in net.state_dict().items()}
    linear = lambda name, y: y @ value[f"{name}.weight"].T + value[f"{name}.bias"]  # noqa: E731
    outputs, untouched = {0: x}, {0: True}
    for node, (digit, op) in enumerate(zip(network.link, network.ops), start=1):
        taken, name = outputs[int(digit)], f"norms.{node - 1}"
        if not untouched[int(digit)]:
            scale = value[f"{name}.weight"] / np.sqrt(value[f"{name}.running_var"] + 1e-5)
            taken = np.maximum((taken - value[f"{name}.running_mean"]) * scale + value[f"{name}.bias"], 0)
        outputs[node] = taken if op == "skip" else linear(f"nodes.{node - 1}", taken)
        untouched[node] = untouched[int(digit)] and op == "skip"
    leaves = [outputs[node] for node in range(1, 5) if str(node) not in network.link]
    return linear("post", linear("join", np.maximum(np.concatenate(leaves, axis=1), 0)))


@pytest.mark.parametrize(
    "network",
    [Network(link, ("fc",) * 4) for link in LINKS]
    + [
        Network("0123", ("skip", "fc", "fc", "fc")),
        Network("0123", ("skip", "skip", "skip", "fc")),
        Network("0111", ("skip", "fc", "fc", "fc")),
        Network("0011", ("fc", "fc", "fc", "skip")),
    ],
)
def test_wiring(network, x):
    torch.manual_seed(0)
    net = with_norms_that_matter(build(network, FEATURES, CLASSES, HYPER_SMALL))
    with torch.no_grad():
        scores = net(x, EDGES)
        sparse = net(Raw.of(x), EDGES)
        some = net(x, EDGES, torch.tensor([6, 2]))
    np.testing.assert_allclose(scores.numpy(), by_hand(net, network, x.numpy()), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(sparse, scores)
    torch.testing.assert_close(some, scores[[6, 2]])


@pytest.mark.parametrize("link", LINKS)
def test_how_far_a_node_sees_is_its_depth(link):
    """On a path, k graph convolutions in a row and no more reach k nodes away."""
    depth = [0]
    for digit in link:
        depth.append(depth[int(digit)] + 1)
    nodes = 8
    path = torch.tensor([[*range(nodes - 1), *range(1, nodes)], [*range(1, nodes), *range(nodes - 1)]])
    x = torch.rand(nodes, FEATURES, requires_grad=True)
    wide = replace(HYPER_SMALL, width=32)  # some unit of every node is above zero
    scores = build(Network(link, ("gcn",) * 4), FEATURES, CLASSES, wide).eval()(x, path)
    (gradient,) = torch.autograd.grad(scores[0].abs().sum(), x)
    assert gradient.abs().sum(dim=1).nonzero().flatten().tolist() == list(range(max(depth) + 1))


@pytest.mark.parametrize("op", OPS[:-1])
@pytest.mark.parametrize("dataset", ["cora", "pubmed", "computers"])
def test_every_operation_trains_a_step(op, dataset, x):
    net = build(Network("0012", (op, "skip", op, op)), FEATURES, CLASSES, replace(HYPER[dataset], width=4))
    before = {name: parameter.clone() for name, parameter in net.named_parameters()}
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net(Raw.of(x), EDGES).logsumexp(dim=1).sum().backward()
    optimizer.step()
    changed = {name.split(".")[0] for name, parameter in net.named_parameters() if not torch.equal(parameter, before[name])}
    assert {"nodes", "join"} <= changed


def test_training_drops_and_evaluation_does_not(x):
    net = build(Network("0123", ("gcn",) * 4), FEATURES, CLASSES, HYPER_SMALL)
    assert not torch.equal(net(x, EDGES), net(x, EDGES))
    net.eval()
    assert torch.equal(net(x, EDGES), net(x, EDGES))


def test_seed_alone_decides_the_weights_and_the_global_generator_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    nets = [build(Network("0011", ("gat", "gin", "cheb", "arma")), FEATURES, CLASSES, HYPER_SMALL, seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.rand(1), expected)
    first, same, other = (torch.cat([p.flatten() for p in net.parameters()]) for net in nets)
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_isomorphic_networks_are_one(x):
    pair = Network("0012", ("gcn", "fc", "gin", "sage")), Network("0012", ("fc", "gcn", "sage", "gin"))
    scores = [build(network, FEATURES, CLASSES, HYPER_SMALL).eval()(x, EDGES) for network in pair]
    assert torch.equal(*scores)


@pytest.mark.skipif(not REAL.is_file(), reason=f"no {REAL.name}")
@pytest.mark.parametrize("dataset", SHAPES)
def test_parameters_are_those_of_the_table(dataset):
    with np.load(REAL) as arrays:
        keys = arrays["proteins_hash" if dataset == "proteins" else "hash"].astype(int)
        rows = range(0, len(keys), 20 if dataset in ("cora", "proteins") else 400)
        codes = keys[rows, None] // 10 ** np.arange(4, -1, -1) % 10
        published = arrays[dataset][rows, 3]
    features, classes = SHAPES[dataset]
    for (link, *ops), millions in zip(codes.tolist(), published):
        network = Network(LINKS[link], tuple(OPS[op] for op in ops))
        with torch.device("meta"):
            net = Net(network, features, classes, HYPER[dataset])
        assert sum(p.numel() for p in net.parameters()) == round(1e6 * float(millions)), network
