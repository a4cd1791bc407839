"""A user's own graph in an .npz file: what it holds, what may be missing, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from graphs.data import load, own_graph
from graphs.data.load import read
from tests.graphs.data.makers import ring, span, write_planetoid

GOOD = {
    "x": ring().x.numpy(),
    "edge_index": ring().edge_index.numpy(),
    "y": ring().y.numpy(),
    "train_mask": span(0, 4).numpy(),
    "val_mask": span(4, 6).numpy(),
    "test_mask": span(6, 8).numpy(),
}


def write(folder: Path, *without: str, **changed) -> Path:
    np.savez(folder / "mine.npz", **{key: value for key, value in (GOOD | changed).items() if key not in without})
    return folder / "mine.npz"


def test_a_graph_is_read(tmp_path):
    file = write(tmp_path, classes=np.array(["cat", "dog"]))
    data = load(file)
    assert (data.name, data.classes, data.multilabel, data.normalised) == (str(file), ("cat", "dog"), False, False)
    assert data.train[0].x.tolist() == GOOD["x"].tolist() and data.transductive
    for split, key in (("train", "train_mask"), ("val", "val_mask"), ("test", "test_mask")):
        assert data.splits[split][0].mask.tolist() == GOOD[key].tolist()
    assert data.notes == (
        f"{file}: its own split",
        f"{file}: features are taken as they are (data.normalise=true divides them by their sum in every node)",
    )
    assert load(tmp_path, "mine.npz").describe() == data.describe() == load(str(file)).describe()


def test_numbers_of_other_types_are_converted(tmp_path):
    as_read = read(write(tmp_path)).digest()
    changed = {
        "x": GOOD["x"].astype(np.float64),
        "edge_index": GOOD["edge_index"].astype(np.int32),
        "y": GOOD["y"].astype(np.uint8),
    }
    masks = {key: GOOD[key].astype(np.uint8) for key in ("train_mask", "val_mask", "test_mask")}
    assert read(write(tmp_path, **changed, **masks)).digest() == as_read


def test_labels_outside_the_masks_and_further_arrays(tmp_path):
    y = GOOD["y"].copy()
    y[7] = -1
    data = own_graph(write(tmp_path, y=y, test_mask=span(6, 7).numpy(), edge_weight=np.ones(16), names=np.zeros(8)))
    assert data.notes[1:] == (
        f"{data.name}: edge_weight, names are not used",
        f"{data.name}: 1 of 8 nodes have no label: only their features and edges are used",
    )


def test_unlabelled_nodes_go_to_no_split_that_is_made(tmp_path):
    y = GOOD["y"].copy()
    y[5] = -1
    data = own_graph(write(tmp_path, "val_mask", "test_mask", y=y))
    assert tuple(data.describe()["labelled"].values()) == (4, 2, 1)
    assert own_graph(write(tmp_path, "train_mask", "val_mask", "test_mask", y=y)).describe()["labelled"]["test"] == 2


@pytest.mark.parametrize(
    ("without", "counts", "note"),
    [
        (("train_mask", "val_mask", "test_mask"), (2, 4, 2), "it has no split; every class gives"),
        (("val_mask",), (2, 2, 2), "it has no val_mask; 2 of its 4 training nodes serve as val"),
        (("test_mask",), (4, 2, 2), "it has no test_mask; the validation split also serves as the test split"),
        (("val_mask", "test_mask"), (4, 2, 2), "its own training nodes; the others go to val and test in turn"),
    ],
)
def test_masks_that_are_missing(tmp_path, without, counts, note):
    data = own_graph(write(tmp_path, *without))
    assert tuple(data.describe()["labelled"].values()) == counts
    assert note in data.notes[0] and not any("too good" in line for line in data.notes)


def test_several_classes_per_node(tmp_path):
    y = np.stack([GOOD["y"], np.ones(8, dtype=int)], 1)
    data = own_graph(write(tmp_path, y=y))
    assert data.multilabel and data.train[0].y.dtype == np.float32 and not any("exactly one" in note for note in data.notes)
    assert any("exactly one" in note for note in own_graph(write(tmp_path, y=np.eye(2)[GOOD["y"]])).notes)
    assert not own_graph(write(tmp_path, y=GOOD["y"][:, None])).multilabel


def test_features_are_divided_on_request(tmp_path):
    data = load(write(tmp_path), normalise=True)
    assert data.normalised and data.describe()["normalised"]
    assert np.allclose(data.train[0].x.sum(1), 1) and "are divided by their sum in every node" in data.notes[-1]
    assert data.train[0].x is data.test[0].x
    write(tmp_path, x=GOOD["x"] - 1)
    with pytest.raises(UserError, match=r"feature 0 of node 0 is -1: .*give data\.normalise=false"):
        load(tmp_path / "mine.npz", normalise=True)
    raw = load(write_planetoid(tmp_path / "data"), "tiny", normalise=False)
    assert not raw.normalised and set(np.unique(raw.train[0].x)) == {0, 1}
    assert "Planetoid's public split" in raw.notes[0] and "features are taken as they are" in raw.notes[-1]
    zeros = load(write(tmp_path, x=np.zeros((8, 3))), normalise=True)
    assert not zeros.train[0].x.any()


BAD = [
    (
        ("y",),
        {},
        "y is missing; give an .npz file with x (nodes, features) and edge_index (2, edges), y (nodes,) with class numbers",
    ),
    ((), {"x": np.array(["a"] * 8)}, "x is <U1: must be numbers"),
    ((), {"edge_index": GOOD["edge_index"] * 1.0}, "edge_index is float64: must be whole numbers"),
    ((), {"y": GOOD["y"] * 1.0}, "y is float64: must be whole numbers"),
    ((), {"y": GOOD["y"][:7]}, "y has shape (7,): must be (8,), a label per node"),
    ((), {"y": np.zeros((8, 2, 2))}, "y is float64: must be whole numbers"),
    ((), {"val_mask": np.arange(8)}, "val_mask is int64: must be True and False, or 1 and 0"),
    ((), {"val_mask": GOOD["val_mask"][:3]}, "val_mask has shape (3,): must be (8,)"),
    ((), {"classes": np.array(["one"])}, "node 1 has label 1, yet there are 1 classes (labels 0 to 0)"),
    ((), {"classes": np.array(["one", "one"])}, "classes holds a name twice"),
    ((), {"y": np.eye(2)[GOOD["y"]], "classes": np.array(["one"])}, "there are 1 classes, yet y has 2 columns"),
    ((), {"x": np.full((8, 3), 1e300)}, "feature 0 of node 0 is inf: features must be finite"),
    ((), {"x": np.array([None] * 8)}, "holds Python objects; save it as numbers or texts; give an .npz file"),
    (("train_mask",), {}, "its graph has val_mask, test_mask, yet no train_mask"),
]


@pytest.mark.parametrize(("without", "changed", "rule"), BAD)
def test_unusable_files_are_refused(tmp_path, without, changed, rule):
    file = write(tmp_path, *without, **changed)
    with pytest.raises(UserError) as raised:
        load(file)
    assert str(raised.value).startswith(f"{file}: ") and rule in str(raised.value) and "\n" not in str(raised.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(UserError, match=r"none\.npz: there is no such file; give an \.npz file with x"):
        load(tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK no archive")
    with pytest.raises(UserError, match=r"bad\.npz: .*give an \.npz file with x"):
        load(tmp_path, "bad.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    with pytest.raises(UserError, match=r"one\.npz: File is not a zip file; give an \.npz file"):
        load(tmp_path / "one.npz")
    with pytest.raises(UserError, match=r"mine\.npz is one graph, and --name Cora is a second name for it"):
        load(write(tmp_path), "Cora")
    with pytest.raises(UserError, match=r"it has bad\.npz, mine\.npz, one\.npz: name one, or name .*package\.module:Class"):
        load(tmp_path)


def test_a_single_class_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"classes of labelled nodes: '0'; there must be two at least to tell apart: correct y"):
        load(write(tmp_path, y=np.zeros(8, dtype=np.int64)))


def test_features_that_say_nothing_are_noted(tmp_path):
    file = write(tmp_path, x=np.zeros((8, 3), dtype=np.float32))
    assert f"{file}: every feature is 0: only the edges say what nodes are" in load(file).notes
