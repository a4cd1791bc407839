"""Node classification as a task: which nodes learn what, what a network costs, what is measured, and that networks learn."""

from dataclasses import replace
from math import prod

import pytest
import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn

from common.cost.count import count
from common.engines import Gradient, Halving
from common.engines.gradient import DeriveSettings
from common.errors import UserError
from common.evaluate.settings import ScratchSettings
from common.search.pnas import by_decisions
from common.space import decisions, decode, sample
from common.stages.settings import SearchSettings
from common.streams import stream
from common.train.phase import train_phase
from common.train.step import Step
from graphs.data import NodeData, stochastic_blocks
from graphs.data.karate import karate
from graphs.data.library import library
from graphs.geometric import Data
from graphs.pdnas.space import SpaceSettings, by_hand, cheapest
from graphs.sparse import SPARSE
from graphs.task import GraphTask
from tests.graphs.data.makers import node_data, span
from tests.graphs.micro import blocks, task_of, tiny

WIDE = {"widths": (16, 64), "heads": (1, 8)}


@pytest.fixture(scope="module")
def task() -> GraphTask:
    return task_of(tiny())


@pytest.fixture(scope="module")
def inductive(tmp_path_factory) -> GraphTask:
    """Three graphs to learn from, two to validate on, one for the test; several labels a node."""
    s = tiny()
    data = library("tests.graphs.data.makers:Inductive", tmp_path_factory.mktemp("inductive"))
    return task_of(replace(s, train=replace(s.train, batch=2), weights=replace(s.weights, batch=2)), data)


class Says(nn.Module):
    """Scores of nodes by their first feature, which numbers them."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores = nn.Parameter(scores)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.scores[x[:, 0].long() // 3]


def test_weights_and_architecture_learn_from_different_nodes_of_one_graph(task):
    weights, architecture = task.phases("relaxed")
    (alone,) = task.phases("standalone")
    assert (weights.name, architecture.name, alone.settings) == ("weights", "architecture", task.settings.train)
    (train,), (val,), (again,) = (phase.batch_at(3, 0) for phase in (weights, architecture, alone))
    assert train[0] is val[0] is again[0] and train[1] is val[1]
    for split, graph in (("train", train), ("val", val), ("train", again), ("test", task.graphs["test"][0])):
        assert torch.equal(graph[3], task.data.splits[split][0]["mask"])


def test_a_supernet_of_paths_learns_from_all_training_nodes(task):
    (phase,) = task.phases("supernet")
    (graph,) = phase.batch_at(0, 0)
    assert (phase.name, phase.settings) == ("weights", task.settings.weights)
    assert torch.equal(graph[3], task.data.train[0]["mask"])


@pytest.mark.parametrize(
    "space", [SpaceSettings(), SpaceSettings(extended=True, blocks=4), SpaceSettings(widths=tuple(range(16, 176, 16)))]
)
def test_progressive_search_opens_the_blocks_in_turn(space):
    task = task_of(tiny(space=space))
    known, groups = decisions(task.space), task.networks.order
    assert [path for group in groups for path in group] == list(known)
    for group in groups:
        assert len({path.split(".")[1] for path in group}) == 1, "of one block"
        assert len(group) <= 3 and prod(len(known[path].options) for path in group) <= 300
    assert len(groups) <= 6 * space.blocks
    levels = by_decisions(task.space, groups, task.baseline)
    for level in range(1, levels.count + 1):
        assert len({task.baseline, *levels.expand(task.baseline, level)}) > 1 or len(groups[level - 1]) == 1


def test_steps_on_several_graphs(inductive):
    (phase,) = inductive.phases("standalone")
    sizes = [len(x) for step in range(3) for x, *_ in phase.batch_at(step, 0)]
    assert sorted(sizes) == [6, 6, 7, 7, 8, 8], "two epochs of two graphs a step"
    assert [len(phase.batch_at(0, 0)), *map(len, inductive.graphs.values())] == [2, 3, 2, 1]


def test_the_costs_are_those_of_the_network_alone():
    task = task_of(tiny(space=SpaceSettings(widths=(16, 64), heads=(1, 2))))
    graph, rng = task.data.test[0], stream(0, "costs")
    for arch in (task.baseline, *(sample(task.space, rng) for _ in range(4))):
        network = task.network(arch, 0)
        counted = count(network, (graph["x"], graph["edge_index"]))
        params = sum(parameter.numel() for parameter in network.parameters())
        assert task.costs(arch) == {"params": params, "macs": counted.macs}
    assert task.costs(task.baseline) == {"params": 8 * 16 + 16 + 16 * 3 + 3, "macs": 60 * (8 * 16 + 16 * 3)}


@pytest.mark.parametrize("metric", ["params", "macs"])
def test_a_budget_below_the_cheapest_network_is_refused(metric):
    task = task_of(tiny(space=SpaceSettings(widths=(16, 24), heads=(1, 2), extended=True)))
    rng = stream(0, "cheap")
    least = task.costs(cheapest(task.space))[metric]
    assert all(task.costs(sample(task.space, rng))[metric] >= least for _ in range(150))
    task.check_budget(metric, least)
    with pytest.raises(UserError, match=rf"budget {metric}={least - 1} is impossible: the cheapest architecture costs"):
        task.check_budget(metric, least - 1)


def test_multiply_adds_are_counted_for_the_first_test_graph(inductive):
    first, *_ = graphs = inductive.data.train[::-1]
    task = task_of(inductive.settings, replace(inductive.data, test=graphs))
    assert len({len(graph["x"]) for graph in graphs}) == 3, "of other sizes"
    counted = count(task.network(task.baseline, 0), (first["x"], first["edge_index"]))
    assert task.costs(task.baseline)["macs"] == counted.macs == len(first["x"]) * (3 * 16 + 16 * 3)
    assert task.data.describe()["counted_nodes"] == len(first["x"])


def test_metrics_of_one_class_a_node():
    scores = torch.tensor([[0.0, 3.0]] * 8)  # every node is said to have class 1; every second one has
    scores[4] = torch.tensor([5.0, 0.0])
    task = task_of(tiny(), node_data(masks=(span(0, 3), span(3, 7), span(7, 8))))
    assert [objective.name for objective in task.objectives] == ["accuracy", "params"]
    wrong, right, sure = (float(torch.tensor(v).exp().log1p()) for v in (3.0, -3.0, -5.0))
    found = task.metrics(Says(scores), "val")  # nodes 3 to 6, of which 6 is wrong
    assert found == {"accuracy": 0.75, "loss": pytest.approx((2 * right + sure + wrong) / 4)}
    assert task.metrics(Says(scores), "test") == {"accuracy": 1.0, "loss": pytest.approx(right)}


def test_metrics_of_several_classes_a_node(inductive):
    assert inductive.objectives[0].name == "f1"
    network = Says(torch.randn(9, 3, generator=torch.Generator().manual_seed(0)))
    graphs = inductive.data.val
    with torch.no_grad():
        said = torch.cat([network(graph["x"], graph["edge_index"]) for graph in graphs])
    true = torch.cat([graph["y"] for graph in graphs])
    hits, misses = float(((said > 0) & (true > 0)).sum()), float(((said > 0) != (true > 0)).sum())
    found = inductive.metrics(network, "val")
    assert found["f1"] == pytest.approx(2 * hits / (2 * hits + misses))  # micro: over all entries of all graphs together
    assert found["f1"] == pytest.approx(f1_score(true.numpy(), (said > 0).numpy(), average="micro"))
    assert found["accuracy"] == pytest.approx(1 - misses / true.numel())
    p = said.double().sigmoid()
    assert found["loss"] == pytest.approx(float(-(true * p.log() + (1 - true) * (1 - p).log()).mean()), rel=1e-5)
    first = f1_score(true[:6].numpy(), (said[:6] > 0).numpy(), average="micro")
    assert inductive.metrics(network, "val", 1)["f1"] == pytest.approx(first) and first != found["f1"]


def test_networks_of_several_classes_learn_and_are_drawn(inductive, tmp_path):
    network = inductive.network(inductive.baseline, 0)
    before = inductive.metrics(network.eval(), "train")["loss"]
    (phase,) = inductive.phases("standalone")
    assert phase.loss(network, phase.batch_at(0, 0), Step())["class_loss"].isfinite()
    train_phase(network.train(), phase, seed=0)
    assert inductive.metrics(network.eval(), "train")["loss"] < before
    assert [row["file"] for row in inductive.pictures(network, tmp_path, 1)] == ["degrees.png"]


@pytest.mark.parametrize(
    ("space", "names"),
    [
        (SpaceSettings(extended=True, **WIDE), ["GAT", "SAGE", "ARMA", "APPNP"]),
        (SpaceSettings(extended=True, blocks=3, **WIDE), ["GAT", "SAGE", "ARMA", "APPNP"]),
        (SpaceSettings(**WIDE), ["GAT", "SAGE"]),
        (SpaceSettings(shortcuts=False, widths=(16, 64), heads=(1,)), ["SAGE"]),
        (SpaceSettings(widths=(16,), heads=(1,)), []),
    ],
)
def test_networks_made_by_hand_are_there_where_the_space_has_them(space, names):
    task = task_of(tiny(space=space))
    found = {"GCN": task.baseline, **task.networks.hand_made}
    assert list(found) == ["GCN", *names]
    for name, arch in found.items():
        assert decode(task.space, arch).blocks == by_hand(name, 8, 3, space.blocks).blocks


def test_a_tuned_task_shares_the_graphs_and_has_other_settings(task):
    other = task.variant(["network.dropout=0.1", "train.optim.lr=0.03"])
    assert (other.settings.network.dropout, other.settings.train.optim.lr) == (0.1, 0.03)
    assert other.graphs is task.graphs and other.data is task.data
    assert (task.settings.network.dropout, task.settings.train.optim.lr) == (0.4, 0.05)
    assert other.network(task.baseline, 0).blocks[0].rate == 0.1
    assert other.phases("standalone")[0].settings.optim.lr == 0.03


@pytest.mark.parametrize(("word", "part"), [("network.drop=0.1", "no field 'drop'"), ("network.dropout=1.0", "below 1")])
def test_what_cannot_be_tuned_is_refused(task, word, part):
    with pytest.raises(UserError, match=part):
        task.variant([word])


def replaced(graph: Data, x: Tensor) -> Data:
    return Data(x=x, edge_index=graph["edge_index"], y=graph["y"], mask=graph["mask"])


@pytest.mark.parametrize("share", [SPARSE / 2, 3 * SPARSE])
def test_features_are_kept_sparse_when_few_are_not_zero(share):
    x = (torch.rand(60, 40, generator=torch.Generator().manual_seed(0)) < share).float()
    source = blocks()
    data = replace(source, **{split: (replaced(graph, x),) for split, (graph,) in source.splits.items()})
    task = task_of(tiny(), data)
    kept = [graph[0] for (graph,) in task.graphs.values()]
    assert kept[0] is kept[1] is kept[2], "one matrix for all splits"
    assert (kept[0].layout is torch.sparse_csr) == (share < SPARSE)
    assert torch.equal(kept[0].to_dense() if share < SPARSE else kept[0], x)
    other = task.variant(["network.dropout=0.1"]).variant(cut=1).variant(cut=2)
    assert all(graph[0] is kept[0] for (graph,) in other.graphs.values()), "features are converted once"
    network = task.network(task.networks.hand_made["ARMA"], 0).eval()
    with torch.no_grad():
        dense = network(x, data.val[0]["edge_index"])
        assert torch.allclose(network(kept[1], data.val[0]["edge_index"]), dense, atol=1e-6)
    assert task.costs(task.baseline)["macs"] == 60 * (40 * 16 + 16 * 3), "as if they were dense"


def test_graphs_of_other_sizes_that_share_memory_keep_their_own_features():
    """Training on the first nodes of a larger graph."""
    whole = node_data().train[0]
    part = Data(x=whole["x"][:4], edge_index=torch.tensor([[0, 1], [1, 0]]), y=whole["y"][:4], mask=span(0, 4, 4))
    data = NodeData(name="toy", classes=("0", "1"), train=(part,), val=(whole,), test=(whole,), multilabel=False)
    assert [len(graph[0]) for (graph,) in task_of(tiny(), data).graphs.values()] == [4, 8, 8]


def test_pictures_are_drawn_where_they_are_asked_for(task, tmp_path):
    network = task.network(task.baseline, 0).eval()
    rows = task.pictures(network, tmp_path / "samples", 2)
    assert rows and all((tmp_path / "samples" / row["file"]).read_bytes().startswith(b"\x89PNG") for row in rows)
    assert task.pictures(network, tmp_path / "none", 0) == []
    assert list((tmp_path / "none").iterdir()) == [], "samples.json goes there"


@pytest.mark.parametrize(("make", "steps", "least"), [(stochastic_blocks, 40, 0.85), (karate, 60, 0.55)])
def test_a_gcn_learns_from_the_whole_graph_and_beats_chance(make, steps, least):
    """A quarter is right by chance, with a standard error of 0.024 on 320 test nodes of blocks and 0.11 on 15 of the club."""
    s = tiny()
    task = task_of(replace(s, train=replace(s.train, steps=steps, stop=None)), make())
    (phase,) = task.phases("standalone")
    network, seen = task.network(task.baseline, 0), []
    train_phase(network, phase, seed=0, observe=lambda _, values: seen.append(values["loss"]))
    assert len(seen) == steps and sum(seen[-5:]) < 0.5 * sum(seen[:5])
    assert task.metrics(network.eval(), "test")["accuracy"] > least


def test_another_cut_has_the_same_test_nodes_and_as_many_to_learn_from_of_every_class(task):
    cut, same, other = (task.variant(cut=number) for number in (1, 1, 2))
    own, masks = ({split: part[0][3] for split, part in t.graphs.items()} for t in (task, cut))
    labels = task.data.train[0]["y"]
    assert torch.equal(masks["test"], own["test"]) and not (masks["train"] & masks["val"]).any()
    assert torch.equal(masks["train"] | masks["val"], own["train"] | own["val"])
    assert labels[masks["train"]].bincount().tolist() == labels[own["train"]].bincount().tolist()
    assert not torch.equal(masks["train"], own["train"])
    assert torch.equal(same.graphs["train"][0][3], masks["train"])
    assert not torch.equal(other.graphs["train"][0][3], masks["train"])
    assert all(cut.graphs[split][0][0] is task.graphs[split][0][0] for split in own), "features are shared"


def test_graphs_of_one_split_each_are_not_cut_anew(inductive):
    several = ScratchSettings(cuts=2)
    derived = SearchSettings(engine=Gradient(derive=DeriveSettings(evaluation=several)))
    names = r"search\.evaluation\.cuts=1, search\.engine\.derive\.evaluation\.cuts=1 and tune\.cuts=1"
    for changes in (
        {"search": derived},
        {"search": SearchSettings(engine=Halving(), evaluation=several)},
        {"tune": replace(tiny().tune, cuts=2)},
    ):
        with pytest.raises(UserError, match=rf"cuts: the splits of .* are graphs of their own, .*; give {names}"):
            task_of(replace(inductive.settings, **changes), inductive.data)
    with pytest.raises(UserError, match=names):
        inductive.variant(cut=1)


def test_a_space_without_gcn_is_refused():
    with pytest.raises(UserError, match=r"no GCN, .* \(blocks\.0\.width is 16, .* not offer: 24\); open its values"):
        task_of(tiny(space=SpaceSettings(widths=(24,), heads=(1, 2))))
