import pytest
import torch
from torch_geometric.data import Data

from common.errors import UserError
from graphs.data import NodeData
from graphs.data.check import check, check_graph
from tests.graphs.data.makers import node_data, ring, span


def changed(**values) -> Data:
    graph = ring()
    for key, value in values.items():
        graph[key] = value
    return graph


def at(tensor, place, value):
    tensor = tensor.clone()
    tensor[place] = value
    return tensor


GOOD = ring()
WRONG = [
    ({"x": None}, "x is missing: must be a tensor"),
    ({"x": [1.0]}, "x is list: must be a tensor"),
    ({"x": GOOD.x.double()}, "x is torch.float64: must be torch.float32"),
    ({"x": GOOD.x[0]}, "x has shape (3,): must be (nodes, features)"),
    ({"x": GOOD.x[:, :0]}, "x has shape (8, 0): must be (nodes, features), at least one of each"),
    ({"x": GOOD.x.to_sparse()}, "x is sparse (torch.sparse_coo): must be dense; convert it with .to_dense()"),
    ({"x": at(GOOD.x, (5, 1), float("nan"))}, "feature 1 of node 5 is nan: features must be finite; replace it (1 such values)"),
    ({"x": at(GOOD.x, (2, 0), -float("inf"))}, "feature 0 of node 2 is -inf"),
    ({"edge_index": None}, "edge_index is missing"),
    ({"edge_index": GOOD.edge_index.int()}, "edge_index is torch.int32: must be torch.int64"),
    ({"edge_index": GOOD.edge_index.T}, "edge_index has shape (16, 2): must be (2, edges)"),
    ({"edge_index": at(GOOD.edge_index, (1, 4), 8)}, "edge 4 (column 4 of edge_index) joins nodes 4 and 8, yet x has 8 nodes"),
    ({"edge_index": at(GOOD.edge_index, (0, 0), -1)}, "edge 0 (column 0 of edge_index) joins nodes -1 and 1"),
    ({"y": None}, "y is missing"),
    ({"y": GOOD.y.float()}, "y is torch.float32: must be torch.int64"),
    ({"y": GOOD.y[:1]}, "y has shape (1,): must be (8,), a label per node (this is no classification of whole graphs)"),
    ({"y": at(GOOD.y, 3, 2)}, "node 3 has label 2, yet there are 2 classes (labels 0 to 1)"),
    ({"y": at(GOOD.y, 7, -1)}, "node 7 has label -1"),
    ({"mask": torch.ones(8)}, "mask is torch.float32: must be torch.bool"),
    ({"mask": span(0, 4, nodes=7)}, "mask has shape (7,): must be (8,), one value per node"),
]


@pytest.mark.parametrize(("values", "rule"), WRONG)
def test_unusable_graphs_are_refused(values, rule):
    with pytest.raises(UserError) as raised:
        check_graph(changed(**values), "toy", 2)
    assert str(raised.value).startswith("toy: ") and rule in str(raised.value)
    assert "\n" not in str(raised.value)


def test_multilabel_graphs():
    y = torch.stack([GOOD.y, 1 - GOOD.y], dim=1).float()
    assert check_graph(changed(y=y), "toy", 2, multilabel=True)[1] == ()
    with pytest.raises(UserError, match=r"class 1 of node 6 is 0\.5: must be 0 or 1"):
        check_graph(changed(y=at(y, (6, 1), 0.5)), "toy", 2, multilabel=True)
    with pytest.raises(UserError, match=r"y has shape \(8, 2\): must be \(8, 3\), a column per class"):
        check_graph(changed(y=y), "toy", 3, multilabel=True)


def test_good_graphs_stay_as_they_are():
    graph, notes = check_graph(ring(mask=span(0, 4)), "toy", 2)
    assert notes == ()
    assert torch.equal(graph.x, GOOD.x) and torch.equal(graph.y, GOOD.y) and torch.equal(graph.mask, span(0, 4))
    assert set(map(tuple, graph.edge_index.T.tolist())) == set(map(tuple, GOOD.edge_index.T.tolist()))


def test_self_loops_and_duplicates_are_taken_out():
    extra = torch.tensor([[0, 3, 3, 4, 4], [0, 3, 3, 5, 5]])
    graph, notes = check_graph(changed(edge_index=torch.cat([extra, GOOD.edge_index], dim=1)), "toy", 2)
    assert torch.equal(graph.edge_index, check_graph(ring(), "toy", 2)[0].edge_index)
    assert notes == (
        "toy: 3 self loops were removed (models add their own)",
        "toy: 2 of 18 entries of edge_index repeat another and were removed",
    )


def test_directed_graphs_and_isolated_nodes_are_noted():
    graph, notes = check_graph(changed(edge_index=torch.tensor([[0, 1], [1, 2]])), "toy", 2)
    assert graph.edge_index.tolist() == [[0, 1], [1, 2]]
    assert "the graph is directed" in notes[0]
    assert "5 of 8 nodes have no edge" in notes[1]
    _, notes = check_graph(changed(edge_index=torch.empty(2, 0, dtype=torch.int64)), "toy", 2)
    assert notes == ("toy: 8 of 8 nodes have no edge: only their own features say what they are",)


@pytest.mark.parametrize(
    ("masks", "rule"),
    [
        ((span(0, 0), span(4, 6), span(6, 8)), "train has no node"),
        ((span(0, 4), span(4, 4), span(6, 8)), "val has no node"),
        ((span(0, 4), span(4, 6), span(8, 8)), "test has no node"),
        ((span(0, 5), span(4, 6), span(6, 8)), "1 nodes are in train and in val, the first is node 4"),
        ((span(0, 4), span(4, 6), span(2, 8)), "2 nodes are in train and in test, the first is node 2"),
        ((span(0, 1), span(4, 6), span(6, 8)), "no training node has class '1': it can never be predicted"),
    ],
)
def test_unusable_splits_are_refused(masks, rule):
    with pytest.raises(UserError) as raised:
        check(node_data(masks=masks))
    assert str(raised.value).startswith("toy: ") and rule in str(raised.value) and ";" in str(raised.value)


def test_val_and_test_may_overlap():
    assert check(node_data(masks=(span(0, 4), span(4, 7), span(6, 8)))).notes == (
        "toy: 1 nodes are in val and in test: figures on them are too good",
    )


def test_one_graph_is_shared():
    data = check(node_data())
    assert data.transductive
    for key in ("x", "edge_index", "y"):
        assert data.train[0][key] is data.val[0][key] is data.test[0][key]
    graph = ring()
    copies = NodeData(
        name="toy",
        classes=("0", "1"),
        train=(ring(mask=span(0, 4)),),
        val=(ring(mask=span(4, 6)),),
        test=(Data(x=graph.x, edge_index=graph.edge_index, y=graph.y, mask=span(6, 8)),),
        multilabel=False,
    )
    assert copies.transductive
    assert check(copies).val[0].x is check(copies).val[0].x


def several(train, val, test) -> NodeData:
    return NodeData(name="toy", classes=("0", "1"), train=train, val=val, test=test, multilabel=False)


def test_graphs_of_every_split():
    loop = torch.tensor([[0], [0]])
    members = [ring(nodes, mask=span(0, nodes, nodes)) for nodes in (6, 7, 8, 9)]
    for graph in members[:2]:
        graph.edge_index = torch.cat([graph.edge_index, loop], dim=1)
    data = check(several(tuple(members[:2]), (members[2],), (members[3],)))
    assert not data.transductive
    assert data.notes == (
        "toy, train, graph 0: 1 self loops were removed (models add their own) (1 more graphs of this split have such notes)",
    )
    facts = data.describe()
    assert facts["graphs"] == {"train": 2, "val": 1, "test": 1}
    assert (facts["nodes"], facts["edges"]) == (30, 30)
    assert facts["labelled"] == {"train": 13, "val": 8, "test": 9}
    assert facts["homophily"] == pytest.approx(2 / 30, abs=1e-6)  # where odd rings close


def test_graphs_must_be_alike():
    one, other = ring(6, mask=span(0, 6, 6)), ring(7, mask=span(0, 7, 7))
    other.x = other.x[:, :2]
    with pytest.raises(UserError, match="toy: graph 0 of test has 2 features, the first of train has 3"):
        check(several((one,), (one,), (other,)))
    with pytest.raises(UserError, match="toy: val has no graph"):
        check(several((one,), (), (one,)))
    with pytest.raises(UserError, match="toy, val, graph 0: mask is missing"):
        check(several((one,), (ring(7),), (one,)))


def test_classes_without_training_nodes_are_noted_for_several_labels():
    y = torch.stack([GOOD.y, torch.zeros_like(GOOD.y)], dim=1).float()
    data = check(node_data(changed(y=y), multilabel=True))
    assert data.notes == ("toy: no training node has class '1'",)
    assert data.describe()["homophily"] is None
