"""Training on the nodes of a split: which graphs a step sees, and what it lowers."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.stages.settings import PhaseSettings
from common.train.optim import OptimSettings
from common.train.step import Step
from graphs.phases import Nodes, loss_of, right, scored
from tests.graphs.data.makers import Inductive, ring, span

GRAPHS = 5


def graph(nodes: int = 6, classes: int = 2, first: int = 0):
    made = ring(nodes, classes)
    return made.x + first, made.edge_index, made.y, span(0, nodes // 2, nodes)


def nodes(graphs, batch: int = 1, name: str = "train") -> Nodes:
    optim = OptimSettings(name="adam", lr=0.01, weight_decay=0.0, schedule="constant")
    return Nodes(name=name, settings=PhaseSettings(steps=10, batch=batch, optim=optim), graphs=graphs)


def several(batch: int, name: str = "train") -> Nodes:
    return nodes([graph(first=100 * i) for i in range(GRAPHS)], batch, name)


def drawn(phase: Nodes, steps, seed: int = 0) -> list[list[int]]:
    """The numbers of the graphs of each step."""
    return [[int(x[0, 0]) // 100 for x, *_ in phase.batch_at(step, seed)] for step in steps]


class Sums(nn.Module):
    """Scores that tell the graphs and nodes apart: each is a feature's, and the number of edges."""

    def forward(self, x, edge_index):
        return x + edge_index.shape[1]


@pytest.mark.parametrize("batch", [1, 4])
def test_the_only_graph_is_every_batch(batch):
    phase = nodes([graph()], batch)
    for step in (0, 1, 7):
        (only,) = phase.batch_at(step, seed=step)
        assert only is phase.graphs[0]


@pytest.mark.parametrize("batch", [1, 2, 3, 5])
def test_epochs_hold_every_graph_once(batch):
    """Also where an epoch ends within a step."""
    epochs = 6
    order = [i for step in drawn(several(batch), range(epochs * GRAPHS // batch)) for i in step]
    parts = [order[k : k + GRAPHS] for k in range(0, len(order), GRAPHS)]
    whole = [tuple(part) for part in parts if len(part) == GRAPHS]
    assert len(whole) >= epochs - 1 and all(sorted(part) == list(range(GRAPHS)) for part in whole)
    assert len(set(whole)) > 1  # shuffled anew


def test_a_batch_is_at_most_all_graphs():
    assert sorted(drawn(several(batch=9), [3])[0]) == list(range(GRAPHS))


def test_batches_are_a_function_of_seed_and_step():
    phase, steps = several(2), range(20)
    expected = drawn(phase, steps)
    assert [drawn(several(2), [step])[0] for step in reversed(steps)] == expected[::-1]
    torch.manual_seed(7)
    assert drawn(phase, steps) == expected
    assert drawn(phase, steps, seed=1) != expected
    assert drawn(several(2, "architecture"), steps) != expected


def test_scores_are_of_the_nodes_that_count():
    one, other = graph(6), graph(8, first=100)
    scores, labels = scored(Sums(), [one, other])
    expected = torch.cat([one[0][:3] + 12, other[0][:4] + 16])
    assert torch.equal(scores, expected) and labels.tolist() == [0, 1, 0, 0, 1, 0, 1]


def test_the_loss_of_one_class_a_node():
    x = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 5.0], [9.0, 9.0, -9.0]])
    given = x, torch.empty(2, 0, dtype=torch.int64), torch.tensor([0, 1, 2]), torch.tensor([True, True, False])
    phase = nodes([given])
    found = phase.loss(Sums(), phase.batch_at(0, 0), Step())
    exact = -(x[:2].softmax(1)[[0, 1], [0, 1]]).log().mean()
    assert float(found["class_loss"]) == pytest.approx(float(exact)) and float(found["accuracy"]) == 0.5
    assert set(found) == {"class_loss", "accuracy"}


def test_the_loss_of_several_classes_a_node():
    x = torch.tensor([[2.0, -1.0, 0.5], [-3.0, 1.0, 0.5], [9.0, 9.0, -9.0]])
    y = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    given = x, torch.empty(2, 0, dtype=torch.int64), y, torch.tensor([True, True, False])
    found = nodes([given]).loss(Sums(), (given,), Step())
    p = x[:2].sigmoid()
    exact = -(y[:2] * p.log() + (1 - y[:2]) * (1 - p).log()).mean()
    assert float(found["class_loss"]) == pytest.approx(float(exact))
    assert float(found["accuracy"]) == pytest.approx(4 / 6)


def test_nodes_weigh_alike_whatever_their_graph():
    """The mean is over the nodes of all graphs of a step, not over graphs."""
    batch = graph(6), graph(4)  # labels 0 1 0, and 0 1
    found = nodes(batch, batch=2).loss(Sums(), batch, Step())["class_loss"]
    zero, one = (float(F.cross_entropy(torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([label]))) for label in (0, 1))
    assert float(found) == pytest.approx((3 * zero + 2 * one) / 5)


def test_right():
    scores = torch.tensor([[0.25, 2.0], [3.0, 0.0], [-0.25, -2.0]])
    assert right(scores, torch.tensor([1, 1, 0])).tolist() == [True, False, True]
    several_each = torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.0, 1.0]])
    assert right(scores, several_each).tolist() == [[True, True], [False, True], [True, False]]
    assert float(loss_of(torch.zeros(3, 2), several_each)) == pytest.approx(0.6931472)


def test_several_graphs_of_a_class(tmp_path):
    """As PyTorch Geometric keeps them: features, edges and labels of three graphs with three labels for each node."""
    made = [(g.x, g.edge_index, g.y, torch.ones(len(g.x), dtype=torch.bool)) for g in Inductive(str(tmp_path))]
    phase = nodes(made, batch=3)
    assert sorted(len(x) for x, *_ in phase.batch_at(0, 0)) == [6, 7, 8]
    found = phase.loss(Sums(), phase.batch_at(0, 0), Step())
    assert float(found["accuracy"]) == pytest.approx(float(torch.cat([y for *_, y, _ in made]).mean()))  # all scores are above 0
