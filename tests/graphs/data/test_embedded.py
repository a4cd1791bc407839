import numpy as np
import pytest
import torch
from sklearn.neighbors import kneighbors_graph
from torch_geometric.utils import is_undirected

from common.errors import UserError
from graphs.data import digits, load, stochastic_blocks
from graphs.data.karate import karate


def test_digits():
    data = load()
    facts = data.describe()
    assert (facts["nodes"], facts["features"], len(data.classes)) == (1797, 64, 10)
    assert facts["labelled"] == {"train": 200, "val": 500, "test": 1000}
    assert facts["homophily"] > 0.9
    graph = data.train[0]
    assert graph.y[graph.mask].bincount().tolist() == [20] * 10
    assert (graph.x.min(), graph.x.max()) == (0, 1)
    assert data.transductive and is_undirected(graph.edge_index)
    assert digits() is digits()
    assert "scikit-learn" in data.notes[0]


def test_digits_are_joined_to_their_nearest():
    graph = digits(neighbours=3).train[0]
    ours = torch.zeros(1797, 1797, dtype=torch.bool)
    ours[graph.edge_index[0], graph.edge_index[1]] = True
    near = torch.from_numpy(kneighbors_graph(graph.x, 3).toarray() > 0)
    assert ((near | near.T) != ours).sum() < 10  # equal distances may be ordered differently


@pytest.mark.parametrize(("per_class", "val", "test"), [(1, 500, 1000), (20, 500, 1000), (30, 499, 998), (100, 265, 532)])
def test_digits_left_by_training(per_class, val, test):
    assert digits(per_class=per_class).describe()["labelled"] == {"train": 10 * per_class, "val": val, "test": test}


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"neighbours": 0}, "neighbours=0: there are 1,797 digits; give 1 to 1,796"),
        ({"neighbours": 1797}, "neighbours=1797"),
        ({"per_class": 0}, "per_class=0: .*give 1 to 100"),
        ({"per_class": 101}, "per_class=101"),
    ],
)
def test_other_digits_are_refused(settings, rule):
    with pytest.raises(UserError, match=rule):
        digits(**settings)


def test_karate():
    data = karate()
    facts = data.describe()
    assert (facts["name"], facts["nodes"], facts["edges"], facts["features"], len(data.classes)) == ("karate", 34, 78, 34, 4)
    assert facts["labelled"] == {"train": 4, "val": 15, "test": 15}
    assert data.transductive and data.train[0].y[data.train[0].mask].sort().values.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("homophily", [0.0, 0.2, 0.8, 1.0])
def test_blocks_have_the_homophily_asked_for(homophily):
    data = stochastic_blocks(homophily=homophily)
    facts = data.describe()
    assert facts["homophily"] == pytest.approx(homophily, abs=1e-5)
    assert (facts["nodes"], facts["edges"], facts["directed"]) == (600, 2400, False)
    assert facts["labelled"] == {"train": 80, "val": 160, "test": 320}
    assert data.train[0].y.bincount().tolist() == [150] * 4


def test_blocks_are_a_function_of_their_seed():
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    one, same, other = stochastic_blocks(seed=1), stochastic_blocks(seed=1), stochastic_blocks(seed=2)
    for key in ("x", "edge_index", "y", "mask"):
        assert torch.equal(one.train[0][key], same.train[0][key])
        assert not torch.equal(one.train[0][key], other.train[0][key])
    assert np.array_equal(np.random.get_state()[1], before[0]) and torch.equal(torch.get_rng_state(), before[1])


def test_noise_hides_the_classes_and_neighbours_bring_them_back():
    graph = stochastic_blocks().train[0]
    quiet = stochastic_blocks(noise=0).train[0]
    assert len(quiet.x.unique(dim=0)) == 4
    means = torch.stack([quiet.x[quiet.y == label][0] for label in range(4)])
    assert torch.allclose(means.norm(dim=1), torch.ones(4))
    adjacency = torch.eye(600)
    adjacency[graph.edge_index[0], graph.edge_index[1]] = 1
    alone, one_hop, two_hops = (
        float(((adjacency.matrix_power(hops) @ graph.x @ means.T).argmax(dim=1) == graph.y).float().mean()) for hops in range(3)
    )
    assert 0.5 < alone < 0.7 and one_hop > alone + 0.1 and two_hops > one_hop


def test_small_dense_blocks():
    data = stochastic_blocks(30, 3, features=1, degree=5, per_class=2, val=6, test=6)
    assert data.describe()["edges"] == 75


def test_sparse_blocks_note_nodes_without_edges():
    assert any("have no edge" in note for note in stochastic_blocks(degree=1).notes)


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"classes": 1}, "classes=1: must be at least 2"),
        ({"features": 0}, "features=0: must be at least 1"),
        ({"per_class": 0}, "per_class=0: must be at least 1"),
        ({"val": 0}, "val=0: must be at least 1"),
        ({"test": 0}, "test=0: must be at least 1"),
        ({"homophily": 1.1}, "homophily=1.1: must be 0 to 1"),
        ({"homophily": float("nan")}, "homophily=nan"),
        ({"noise": -1}, "noise=-1: must be a finite number"),
        ({"noise": float("inf")}, "noise=inf"),
        ({"degree": 0}, "degree=0: must be above 0 and at most"),
        ({"degree": float("nan")}, "degree=nan"),
        ({"degree": 200}, "degree=200: must be above 0 and at most 93.12 for 600 nodes"),
        ({"nodes": 559}, "nodes=559: .* need at least 560; ask for fewer or raise nodes"),
    ],
)
def test_blocks_that_cannot_be_are_refused(settings, rule):
    with pytest.raises(UserError, match=rule):
        stochastic_blocks(**settings)
