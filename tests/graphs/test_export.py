"""What leaves a run: `model.onnx` with its script, and tables of predictions."""

import ast
import csv
import importlib.util
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from common.errors import UserError
from graphs.export import Probabilities
from graphs.facts import GraphFacts
from graphs.pdnas.model import build
from graphs.pdnas.space import Block, Message, Network, Personalised
from graphs.phases import right
from tests.graphs.micro import blocks
from tests.graphs.pdnas.dense import EDGE_INDEX, NODES, features, randomised

CLASSES = ("a", "b's", "ü")
FEATURES = 6
FACTS = GraphFacts(features=FEATURES, classes=CLASSES, multilabel=False)
RULE = "give an .npz file with x (nodes, features) and edge_index (2, edges)"


@pytest.fixture(scope="module")
def network():
    """Heads, shortcuts, root weights, every way to aggregate, and ten hops."""
    blocks = (
        Block(8, 2, Message("gat", "max"), "elu"),
        Block(8, 4, Message("gene-linear", "mean"), "softplus", (True,), root=True),
        Block(len(CLASSES), 2, Personalised("sym-gat"), "none", (True, True)),
    )
    return randomised(build(Network(FEATURES, len(CLASSES), blocks)))


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    parity = FACTS.export(network, folder)
    assert parity.dynamic_batch and parity.max_abs_diff <= 1e-5
    return folder


def graph(path, x=None, edge_index=EDGE_INDEX, **more):
    np.savez(path, x=np.asarray(features(FEATURES) if x is None else x), edge_index=np.asarray(edge_index), **more)
    return path


def table(found) -> list[list[str]]:
    with open(found["table"], newline="") as file:
        return list(csv.reader(file))


def test_the_script_says_what_predict_says(network, exported, tmp_path):
    """On graphs of other sizes than the one that was exported, also without edges and with self loops."""
    large = torch.randn(40, FEATURES, generator=torch.Generator().manual_seed(0))
    files = [graph(tmp_path / "five.npz"), graph(tmp_path / "forty.npz", large)]
    files.append(graph(tmp_path / "none.npz", edge_index=EDGE_INDEX[:, :0]))
    loops = np.array([[0, 2], [0, 2]])
    files.append(graph(tmp_path / "loops.npz", edge_index=np.concatenate([EDGE_INDEX, loops], axis=1)))
    words = [sys.executable, str(exported / "use.py"), *map(str, files)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    expected = list(FACTS.predict(network, files, tmp_path))
    found = [[row["graph"], row["node"], row["class"]] for row in rows]
    told = [(one["graph"], *row) for one in expected for row in table(one)[1:]]
    assert found == [[name, int(node), label] for name, node, label, _ in told]
    for row, (*_, probability) in zip(rows, told, strict=True):
        assert row["probability"] == pytest.approx(float(probability), abs=2e-4)
    assert len(rows) == NODES + 40 + NODES + NODES and len({row["class"] for row in rows}) > 1


def test_the_script_needs_numpy_and_onnxruntime_alone(exported):
    tree = ast.parse((exported / "use.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names == {"hashlib", "json", "sys", "pathlib", "numpy", "onnxruntime"}


def test_probabilities(network):
    x, edges = features(FEATURES), EDGE_INDEX
    scores = network(x, edges)
    assert torch.equal(Probabilities(network, False)(x, edges), scores.softmax(1))
    assert torch.equal(Probabilities(network, True)(x, edges), scores.sigmoid())


def test_predictions(network, tmp_path):
    (found,) = FACTS.predict(network, [graph(tmp_path / "mine.npz")], tmp_path)
    scores = network(features(FEATURES), EDGE_INDEX).detach()
    best = scores.argmax(1).tolist()
    header, *rows = table(found)
    assert header == ["node", "class", "probability"] and found["table"] == str(tmp_path / "mine-found.csv")
    assert [row[:2] for row in rows] == [[str(node), CLASSES[label]] for node, label in enumerate(best)]
    assert [float(row[2]) for row in rows] == pytest.approx(scores.softmax(1).amax(1).tolist(), abs=1e-4)
    assert found["nodes"] == {name: best.count(label) for label, name in enumerate(CLASSES)}
    assert found["graph"] == str(tmp_path / "mine.npz") and "without_class" not in found


class Says(torch.nn.Module):
    """Scores that are the first features of a node."""

    def forward(self, x, edge_index):
        return x[:, : len(CLASSES)] + 0 * edge_index.sum()


def test_nodes_of_several_classes_get_every_one_above_the_threshold(tmp_path):
    """In `predict` and in the script, as the scores of training count them."""
    x = np.zeros((4, FEATURES), dtype=np.float32)
    x[:, :3] = [[2, -1, 3], [-1, -2, -3], [0.1, 0, -0.1], [1, 1, 1]]
    file, facts = graph(tmp_path / "mine.npz", x, np.array([[0, 1], [1, 0]])), replace(FACTS, multilabel=True)
    (found,) = facts.predict(Says(), [file], tmp_path)
    expected = [[2, 0], [], [0], [0, 1, 2]]
    rows = [[int(node), CLASSES.index(name) if name else -1] for node, name, _ in table(found)[1:]]
    assert rows == [[node, label] for node, labels in enumerate(expected) for label in labels or [-1]]
    assert table(found)[1][2] == "0.9526" and table(found)[3] == ["1", "", ""]
    assert (found["nodes"], found["without_class"]) == ({"a": 3, "b's": 1, "ü": 2}, 1)
    labels = torch.zeros(4, 3)
    for node, own in enumerate(expected):
        labels[node, own] = 1
    assert right(torch.from_numpy(x[:, :3]), labels).all(), "what training counts as found"
    facts.export(Says(), tmp_path)
    done = subprocess.run([sys.executable, tmp_path / "use.py", file], capture_output=True, text=True, check=True)
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [[CLASSES.index(name) for name in row["classes"]] for row in printed] == expected


def test_features_are_divided_where_training_divided_them(tmp_path, monkeypatch):
    x = np.arange(4 * FEATURES, dtype=np.float32).reshape(4, FEATURES)
    x[1] = 0
    file, facts = graph(tmp_path / "mine.npz", x, np.array([[0, 1], [1, 0]])), replace(FACTS, normalised=True)
    read, _ = facts.read(file)
    assert read.sum(1).tolist() == pytest.approx([1, 0, 1, 1]) and torch.equal(FACTS.read(file)[0], torch.from_numpy(x))
    monkeypatch.setattr("graphs.export.export_onnx", lambda *_: None)
    facts.export(Says(), tmp_path)
    spec = importlib.util.spec_from_file_location("use", tmp_path / "use.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.read(file)[0].tolist() == read.tolist()
    with pytest.raises(UserError, match=r"mine\.npz: feature 0 of node 0 is -1: "):
        facts.read(graph(file, x - 1))


def test_the_check_is_on_features_of_the_size_of_the_data():
    data = blocks()
    x = data.arrays.train[0].x
    share, mean, std = data.arrays.scale()
    assert (share, mean, std) == pytest.approx(((x != 0).mean(), x[x != 0].mean(), x[x != 0].std()), abs=1e-5)
    sparse = replace(FACTS, features=1433, scale=(0.0127, 0.05, 0.02)).example()[0]
    assert float((sparse != 0).float().mean()) == pytest.approx(0.0127, rel=0.2)
    there = sparse[sparse != 0]
    assert (float(there.mean()), float(there.std())) == pytest.approx((0.05, 0.02), rel=0.15)
    assert replace(FACTS, scale=(0.0, 0.0, 0.0)).example()[0].isfinite().all()


def test_loops_and_other_integers_change_nothing(network, tmp_path):
    loops = np.concatenate([np.asarray(EDGE_INDEX), [[1, 3], [1, 3]]], axis=1).astype(np.uint8)
    files = [graph(tmp_path / "plain.npz"), graph(tmp_path / "loops.npz", features(FEATURES).double(), loops)]
    plain, mended = (table(found) for found in FACTS.predict(network, files, tmp_path))
    assert plain == mended


def test_two_graphs_of_a_name_have_two_tables(network, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    files = [graph(folder / "same.npz") for folder in folders]
    tables = [found["table"] for found in FACTS.predict(network, files, tmp_path)]
    assert len(set(tables)) == 2


X = features(FEATURES).numpy()
E = EDGE_INDEX.numpy()


def poked(value: float) -> np.ndarray:
    """Features, one of which is `value`."""
    x = X.copy()
    x[4, 5] = value
    return x


BAD = {
    "no edge_index": ({"x": X}, "edge_index is missing"),
    "no x": ({"edge_index": E}, "x is missing"),
    "too few features": ({"x": X[:, :4], "edge_index": E}, "x float32 of shape (5, 4)"),
    "a vector": ({"x": X[:, 0], "edge_index": E}, "x float32 of shape (5,)"),
    "transposed": ({"x": X, "edge_index": E.T}, "edge_index int64 of shape (7, 2)"),
    "edges of floats": ({"x": X, "edge_index": E.astype(float)}, "edge_index float64 of shape (2, 7)"),
    "words": ({"x": X.astype(str), "edge_index": E.astype(str)}, "x is <U32: must be numbers"),
    "complex": ({"x": X.astype(complex), "edge_index": E}, "x is complex128: must be numbers"),
    "too large": ({"x": X.astype(float) + 1e300, "edge_index": E}, "x holds a number that is not finite; fix it"),
    "not a number": ({"x": poked(np.nan), "edge_index": E}, "x holds a number that is not finite; fix it"),
    "infinite": ({"x": poked(-np.inf), "edge_index": E}, "x holds a number that is not finite; fix it"),
    "beyond": ({"x": X[:3], "edge_index": E}, "edge_index names node 3 of 3; fix it"),
    "below": ({"x": X, "edge_index": E - 1}, "edge_index names node -1 of 5; fix it"),
    "objects": ({"x": X.astype(object), "edge_index": E}, "'x' holds Python objects"),
}


def refused(network, file, tmp_path) -> str:
    """The message; a good graph beside it is not classified either."""
    good = graph(tmp_path / "good.npz")
    with pytest.raises(UserError) as error:
        list(FACTS.predict(network, [good, file], tmp_path))
    assert not list(tmp_path.glob("*.csv"))
    message = str(error.value)
    assert message.startswith(f"{file}: ") and "\n" not in message
    return message


@pytest.mark.parametrize("fault", BAD)
def test_bad_graphs(fault, network, tmp_path):
    arrays, part = BAD[fault]
    np.savez(tmp_path / "bad.npz", **arrays)
    message = refused(network, tmp_path / "bad.npz", tmp_path)
    assert part in message and any(remedy in message for remedy in (RULE, "fix it", "convert it"))


def test_files_that_are_no_graphs(network, tmp_path):
    np.save(tmp_path / "array.npy", X)
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.npz").write_text("hello")
    whole = graph(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "broken.npz").write_bytes(whole[:200] + bytes(100) + whole[300:])
    packed = bytearray(whole)  # by a method that nobody knows
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = -1
        while (at := packed.find(mark, at + 1)) >= 0:
            packed[at + offset] = 99
    (tmp_path / "packed.npz").write_bytes(packed)
    names = {
        "packed.npz": "compression",
        "array.npy": "",
        "empty.npz": "",
        "text.npz": "",
        "cut.npz": "",
        "broken.npz": "",
        "gone.npz": "no such file",
    }
    for name, part in {**names, ".": "directory"}.items():
        message = refused(network, tmp_path / name, tmp_path)
        assert part in message and RULE in message
