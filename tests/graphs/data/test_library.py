import json

import pytest
import torch

from common.errors import UserError
from graphs.data import load
from graphs.data.library import library
from tests.graphs.data.makers import span

MAKERS = "tests.graphs.data.makers"


def test_graphs_per_split(tmp_path):
    data = library(f"{MAKERS}:Inductive", tmp_path)
    facts = data.describe()
    assert not data.transductive and data.multilabel
    assert facts["graphs"] == {"train": 3, "val": 2, "test": 1}
    assert facts["labelled"] == {"train": 21, "val": 13, "test": 6}
    assert (facts["nodes"], facts["edges"], facts["features"]) == (40, 40, 3)
    assert facts["classes"] == ["0", "1", "2"] and facts["homophily"] is None
    assert data.train[0].y.dtype == torch.float32 and data.train[0].mask.all()
    again = load(str(tmp_path), f"{MAKERS}:Inductive").describe()  # read again from what the class wrote
    assert {**again, "notes": again["notes"][:-1]} == facts
    assert (
        again["notes"][-1]
        == "Inductive: features are taken as they are (data.normalise=true divides them by their sum in every node)"
    )
    assert json.loads(json.dumps(facts)) == facts


def test_a_graph_with_masks():
    data = library(f"{MAKERS}:Masked")
    assert data.name == "Masked" and data.transductive and data.classes == ("0", "1")
    assert torch.equal(data.train[0].mask, span(0, 4)) and torch.equal(data.test[0].mask, span(6, 8))
    assert data.train[0].x.dtype == torch.float32 and data.train[0].y.dtype == torch.int64 and data.train[0].y.shape == (8,)
    assert data.notes == (
        "tests.graphs.data.makers:Masked: 2 splits; the first is used",
        "tests.graphs.data.makers:Masked: edge_attr, edge_weight are not used",
    )


def test_a_graph_without_masks_is_cut_by_class():
    data = load(None, f"{MAKERS}:Single")
    assert data.describe()["labelled"] == {"train": 60, "val": 90, "test": 90}
    for graph, count in ((data.train[0], 20), (data.val[0], 30), (data.test[0], 30)):
        assert graph.y[graph.mask].bincount().tolist() == [count] * 3
    assert torch.equal(library(f"{MAKERS}:Single").train[0].mask, data.train[0].mask)
    assert "every class gives 20 nodes to train, 30 to val" in data.notes[0]


def test_a_class_with_several_data_sets():
    assert library(f"{MAKERS}:Named:good").name == "good"
    with pytest.raises(UserError, match=rf"{MAKERS}:Named has several data sets: name one after a second colon"):
        library(f"{MAKERS}:Named")
    with pytest.raises(UserError, match=r"Named:bad\(name\) fails with ValueError: unknown name bad: fix its files"):
        library(f"{MAKERS}:Named:bad")


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (":Single", "':Single' must be package.module:Class or package.module:Class:NAME"),
        ("a.b:", "'a.b:' must be"),
        ("a:b:", "'a:b:' must be"),
        ("no_such_package:Single", "no_such_package:Single: No module named 'no_such_package': install the package"),
        (f"{MAKERS}:Singel", "makers has no class Singel made from torch_geometric's InMemoryDataset"),
        (f"{MAKERS}:ring", "makers has no class ring made"),
        (f"{MAKERS}:Path", "makers has no class Path made"),
        (f"{MAKERS}:Demanding", "Demanding needs geometry, which cannot be given here"),
        (f"{MAKERS}:Inductive", "Inductive needs a folder for its files: give one"),
        (f"{MAKERS}:Single:small", "Single takes no name: leave out ':small'"),
        (f"{MAKERS}:Many", "Many holds 2 graphs and takes no split='train'"),
        (f"{MAKERS}:NoTraining", "its graph has val_mask, test_mask, yet no train_mask: add what is missing"),
        (f"{MAKERS}:Singles", "it has no val_mask, and no class has two training nodes"),
        (f"{MAKERS}:Unlabelled", "no masks, and only nodes with one label each can be split by class"),
        (f"{MAKERS}:Sparse", "x is sparse (torch.sparse_coo): must be dense; convert it with .to_dense()"),
        (f"{MAKERS}:Whole", "y has shape (1,): must be (8,), a label per node (this is no classification of whole graphs)"),
        (f"{MAKERS}:Bare", "graph 0 has no x: features x, edge_index and labels y are needed"),
        (f"{MAKERS}:Empty", "graph 0 has no x: features x, edge_index and labels y are needed"),
        ("torch_geometric.datasets:FakeHeteroDataset", "graph 0 is a HeteroData: only graphs with one kind of node"),
        ("torch_geometric.datasets:Amazon", "torch_geometric.datasets:Amazon needs a folder"),
    ],
)
def test_other_classes_are_refused(path, rule):
    with pytest.raises(UserError) as raised:
        library(path)
    assert rule in str(raised.value) and "\n" not in str(raised.value)


def test_a_folder_that_is_not_taken(tmp_path):
    with pytest.raises(UserError, match=r"Single takes no folder \(yet .* was given\): leave it out"):
        library(f"{MAKERS}:Single", tmp_path)


def test_load_needs_a_folder_and_a_name(tmp_path):
    with pytest.raises(UserError, match=r"data set 'Cora' needs the folder that holds it; .*embedded digits"):
        load(None, "Cora")
    with pytest.raises(UserError, match="a folder needs the name of a data set in it; it has no Planetoid data set"):
        load(str(tmp_path))


def test_a_graph_without_val_mask():
    """A fifth of the training nodes of every class serves as val, always the same ones."""
    data = library(f"{MAKERS}:TwoMasks")
    assert data.describe()["labelled"] == {"train": 2, "val": 2, "test": 4}
    assert sorted(data.val[0].y[data.val[0].mask].tolist()) == [0, 1]
    assert torch.equal(data.test[0].mask, span(4, 8)) and torch.equal(data.train[0].mask | data.val[0].mask, span(0, 4))
    assert torch.equal(library(f"{MAKERS}:TwoMasks").val[0].mask, data.val[0].mask)
    assert data.notes == (f"{MAKERS}:TwoMasks: it has no val_mask; 2 of its 4 training nodes serve as val",)


def test_a_graph_without_test_mask():
    data = library(f"{MAKERS}:NoTest")
    assert torch.equal(data.test[0].mask, data.val[0].mask) and torch.equal(data.val[0].mask, span(4, 8))
    (note,) = data.notes
    assert "it has no test_mask; the validation split also serves as the test split, so the test figures are of nodes" in note


def test_unlabelled_nodes_are_in_no_cut():
    data = library(f"{MAKERS}:Negative")
    assert sum(data.describe()["labelled"].values()) == 239
    assert not any(graphs[0].mask[3] for graphs in data.splits.values())
    assert data.notes[1] == "Negative: 1 of 240 nodes have no label: only their features and edges are used"
