"""The example of a graph of one's own."""

import numpy as np
import pytest
import torch

from common import Run
from common.supernet import check
from tests.examples.running import example, run_example

pytestmark = pytest.mark.xdist_group("graphs-micro")


QUICK = ["supernet.steps=40", "train.steps=25", "search.trials=20"]


@pytest.fixture(scope="module")
def known():
    return example("own_graph")


@pytest.fixture(scope="module")
def file(known, tmp_path_factory):
    return known["write_graph"](tmp_path_factory.mktemp("graph") / "runs" / "mine.npz", nodes=200, classes=3, features=5)


@pytest.fixture(scope="module")
def run(known, file, unexported):
    run_example("own_graph", "--graph", str(file), "--out", str(file.parent / "run"), "--set", *QUICK)
    return Run(file.parent / "run", build=known["NodeClassifier"], space=known["Net"](features=5, classes=3))


def test_the_search_of_a_users_graph_runs_to_a_report(run):
    assert run.finished and (run.path / "report.html").is_file()
    assert run.config["data"]["inputs"][0] == "float32 (200, 5)" and run.config["data"]["inputs"][1].startswith("int64 (2, ")
    assert {row.name for row in run.retrained()} == {"searched", "random 1", "random 2", "baseline"}
    assert run.best().test["accuracy"] > 0.6  # three classes


def test_scores_are_those_of_their_splits(known, run, file):
    data, best = known["read_graph"](file), run.best()
    with torch.no_grad():
        right = run.network()(data.x, data.edges).argmax(1) == data.y
    assert best.val["accuracy"] == right[data.split == 1].float().mean().item()
    assert best.test["accuracy"] == right[data.split == 2].float().mean().item()


def test_every_node_has_one_loop_and_the_rest_is_the_files(known, file):
    data = known["read_graph"](file)
    with np.load(file) as arrays:
        x, edges, y = arrays["x"], arrays["edge_index"], arrays["y"]
    assert not (edges[0] == edges[1]).any() and {tuple(edge) for edge in edges.T} == {tuple(edge) for edge in edges[::-1].T}
    assert torch.equal(data.edges[:, : edges.shape[1]], torch.from_numpy(edges))
    assert data.edges[:, edges.shape[1] :].tolist() == [list(range(200))] * 2
    assert np.array_equal(data.x, x) and np.array_equal(data.y, y) and set(data.split.tolist()) == {0, 1, 2}


def test_costs_depend_on_the_nodes(known):
    """Inputs without a batch dimension, of which one holds whole numbers."""
    edges = torch.tensor([[0, 1, 2, 3, 0], [1, 0, 2, 3, 2]])
    found = [
        check(known["NodeClassifier"], known["Net"](features=4, classes=2), [torch.randn(n, 4), edges], archs=4) for n in (4, 8)
    ]
    assert found[0].params == found[1].params and found[1].macs == tuple(2 * macs for macs in found[0].macs)
