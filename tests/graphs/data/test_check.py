from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from common.errors import UserError
from graphs.data import NodeData
from graphs.data import check as checks
from graphs.data.arrays import Arrays
from graphs.data.check import numbered
from tests.graphs.data.makers import node_data, ring, span

EVERY = torch.ones(8, dtype=torch.bool)


def arrays(graph: Data) -> Arrays:
    return Arrays(**{key: graph[key].numpy() for key in ("x", "edge_index", "y", "mask")})


def changed(**values) -> Data:
    graph = ring(mask=EVERY)
    for key, value in values.items():
        graph[key] = value
    return graph


def check_graph(graph: Data, name: str, classes: int, *, multilabel: bool = False):
    """Of tensors; the notes as well."""
    return checks.check_graph(arrays(graph), name, classes, multilabel=multilabel)


def check(data: NodeData) -> NodeData:
    return NodeData.of(checks.check(data.arrays))


def at(tensor, place, value):
    tensor = tensor.clone()
    tensor[place] = value
    return tensor


GOOD = ring()
WRONG = [
    ({"x": GOOD.x.double()}, "x is float64: must be float32"),
    ({"x": GOOD.x[0]}, "x has shape (3,): must be (nodes, features)"),
    ({"x": GOOD.x[:, :0]}, "x has shape (8, 0): must be (nodes, features), at least one of each"),
    ({"x": at(GOOD.x, (5, 1), float("nan"))}, "feature 1 of node 5 is nan: features must be finite; replace it (1 such values)"),
    ({"x": at(GOOD.x, (2, 0), -float("inf"))}, "feature 0 of node 2 is -inf"),
    ({"edge_index": GOOD.edge_index.int()}, "edge_index is int32: must be int64"),
    ({"edge_index": GOOD.edge_index.T}, "edge_index has shape (16, 2): must be (2, edges)"),
    ({"edge_index": at(GOOD.edge_index, (1, 4), 8)}, "edge 4 (column 4 of edge_index) joins nodes 4 and 8, yet x has 8 nodes"),
    ({"edge_index": at(GOOD.edge_index, (0, 0), -1)}, "edge 0 (column 0 of edge_index) joins nodes -1 and 1"),
    ({"y": GOOD.y.float()}, "y is float32: must be int64"),
    ({"y": GOOD.y[:1]}, "y has shape (1,): must be (8,), a label per node (this is no classification of whole graphs)"),
    (
        {"y": at(GOOD.y, 3, 2)},
        "node 3 has label 2; labels must be 0 to 1. Unlabelled nodes belong in no mask: remove node 3 from",
    ),
    ({"y": at(GOOD.y, 7, -1)}, "node 7 has label -1; labels must be 0 to 1. Unlabelled nodes belong in no mask"),
    ({"mask": torch.ones(8)}, "mask is float32: must be bool"),
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
    outside = check_graph(changed(y=at(y, (6, 1), float("nan")), mask=span(0, 6)), "toy", 2, multilabel=True)[0]
    assert outside.y[6].tolist() == [0, 0], "outside the masks nothing is read"
    with pytest.raises(UserError, match=r"class 1 of node 6 is 0\.5: must be 0 or 1"):
        check_graph(changed(y=at(y, (6, 1), 0.5)), "toy", 2, multilabel=True)
    with pytest.raises(UserError, match=r"y has shape \(8, 2\): must be \(8, 3\), a column per class"):
        check_graph(changed(y=y), "toy", 3, multilabel=True)


def test_good_graphs_stay_as_they_are():
    graph, notes = check_graph(ring(mask=span(0, 4)), "toy", 2)
    assert notes == ()
    assert all(np.array_equal(getattr(graph, key), getattr(ring(mask=span(0, 4)), key)) for key in ("x", "y", "mask"))
    assert set(map(tuple, graph.edge_index.T.tolist())) == set(map(tuple, GOOD.edge_index.T.tolist()))


def test_self_loops_and_duplicates_are_taken_out():
    extra = torch.tensor([[0, 3, 3, 4, 4], [0, 3, 3, 5, 5]])
    graph, notes = check_graph(changed(edge_index=torch.cat([extra, GOOD.edge_index], dim=1)), "toy", 2)
    assert np.array_equal(graph.edge_index, check_graph(changed(), "toy", 2)[0].edge_index)
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
    shared = check(copies)
    assert shared.val[0].x is shared.train[0].x


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


def test_classes_without_training_nodes_are_noted_for_several_labels():
    y = torch.stack([GOOD.y, torch.zeros_like(GOOD.y)], dim=1).float()
    data = check(node_data(changed(y=y), multilabel=True))
    assert data.notes == ("toy: no training node has class '1'",), "and no word of one class per node: some have none"
    assert data.describe()["homophily"] is None


def test_labels_count_only_inside_masks():
    """Unlabelled nodes, and labels of nodes in no mask, whatever they are."""
    y = at(at(GOOD.y, 7, -1), 6, 99)
    data = check(node_data(changed(y=y), masks=(span(0, 3), span(3, 4), span(4, 6))))
    assert data.train[0].y.tolist() == [0, 1, 0, 1, 0, 1, -1, -1]
    assert data.notes == ("toy: 2 of 8 nodes have no label: only their features and edges are used",)
    assert data.describe()["homophily"] == 0.0, "of edges between labelled nodes"
    assert check(data.recut(1)).describe()["labelled"] == {"train": 3, "val": 1, "test": 2}
    with pytest.raises(UserError, match=r"node 7 has label -1.*remove node 7 from test_mask, or correct y$"):
        check(node_data(changed(y=y), masks=(span(0, 3), span(3, 4), span(7, 8))))


def test_classes_that_no_mask_has_are_left_out():
    y, counts = np.array([4, 2, 4, 7, 2, -1, 2]), np.array([1, 1, 1, 0, 1, 0, 0], dtype=bool)
    classes, (found,), notes = numbered([(y, counts)], "toy")
    assert (classes, found.tolist()) == (("2", "4"), [1, 0, 1, -1, 0, -1, 0])
    assert notes == ["toy: no node in a mask has class '7': left out"]
    classes, (found,), notes = numbered([(y, counts)], "toy", list("abcde"))
    assert (classes, found.tolist()) == (("c", "e"), [1, 0, 1, -1, 0, -1, 0])
    assert notes == ["toy: no node in a mask has class 'a', 'b', 'd': left out"]
    with pytest.raises(UserError, match=r"node 0 has label 4, yet there are 3 classes \(labels 0 to 2\)"):
        numbered([(y, counts)], "toy", list("abc"))
    assert numbered([(np.where(counts, -1, y), counts)], "toy")[1][0][0] == -1, "stays for the check to refuse"


def test_one_hot_labels_are_said_to_make_several_classes():
    y = torch.stack([GOOD.y, 1 - GOOD.y], dim=1).float()
    (note,) = check(node_data(changed(y=y), multilabel=True)).notes
    assert "every node in a mask has exactly one" in note and "y.argmax(1)" in note


def test_the_digest_is_of_what_networks_read():
    data = check(node_data()).arrays
    (train,) = data.train
    assert data.digest() == check(node_data()).describe()["digest"] == replace(data, name="elsewhere", notes=("x",)).digest()
    other = check(node_data(changed(x=at(GOOD.x, (0, 0), 5.0)))).arrays
    unseen = check(node_data(changed(y=at(GOOD.y, 7, -1)), masks=(span(0, 4), span(4, 6), span(6, 7)))).arrays
    labels = check(node_data(changed(y=at(GOOD.y, 7, 0)), masks=(span(0, 4), span(4, 6), span(6, 7)))).arrays
    masks = replace(data, train=(replace(train, mask=span(0, 3).numpy()),))
    edges = check(node_data(changed(edge_index=GOOD.edge_index[:, 1:]))).arrays
    assert len({data.digest(), other.digest(), masks.digest(), edges.digest(), unseen.digest()}) == 5
    assert labels.digest() == unseen.digest(), "labels outside the masks are not read"
