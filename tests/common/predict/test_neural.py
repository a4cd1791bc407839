"""MLP and GIN on architectures whose scores follow a rule."""

from __future__ import annotations

import time
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from scipy.stats import spearmanr

from common.encode import Encoder, Graph
from common.errors import UserError
from common.predict.base import Predictor
from common.predict.gin import GIN
from common.predict.mlp import MLP
from common.space import Arch, OneOf, sample
from common.streams import stream

OPERATIONS = ("none", "skip", "conv", "pool", "wide")
WORTH = dict(zip(OPERATIONS, (-2.0, 0.0, 1.5, 0.5, 2.0)))
SPACE = tuple(OneOf(*OPERATIONS) for _ in range(6))
ENCODER = Encoder(SPACE)
EDGES = ((0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7))


def graph(arch: Arch) -> Graph:
    return Graph(("in", *(OPERATIONS[arch[path]] for path in ENCODER.paths), "out"), EDGES)


def score(arch: Arch) -> float:
    """Later nodes count more, and two neighbours of a kind are worth less."""
    ops = graph(arch).ops
    alone = sum(WORTH[op] * (1 + place / 6) for place, op in enumerate(ops[1:-1]))
    return 90 + alone - sum(ops[a] == ops[b] for a, b in EDGES)


def drawn(count: int, name: str) -> list[Arch]:
    rng = stream(0, name)
    return [sample(SPACE, rng) for _ in range(count)]


MLP_, GIN_ = MLP(ENCODER.one_hot), GIN(graph, ("in", *OPERATIONS, "out"))
PREDICTORS: dict[str, Predictor] = {"mlp": MLP_, "gin": GIN_, "gin_uncertain": replace(GIN_, uncertain=True)}
TEST = drawn(300, "test")


def rank(predictor: Predictor, points: int) -> float:
    train = drawn(points, "train")
    predicted = predictor.fit(train, [score(a) for a in train], 0)(TEST).mean
    return float(spearmanr(predicted, [score(a) for a in TEST])[0])


@pytest.mark.parametrize("name", PREDICTORS)
def test_more_data_ranks_better(name: str):
    few, many = rank(PREDICTORS[name], 15), rank(PREDICTORS[name], 150)
    assert many > few + 0.05
    assert many > 0.85


@pytest.mark.parametrize("name", PREDICTORS)
def test_a_fit_is_a_function_of_its_arguments(name: str):
    train = drawn(20, "train")
    scores = [score(a) for a in train]
    first, again, other = (PREDICTORS[name].fit(train, scores, seed)(TEST).mean for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", PREDICTORS)
def test_units_of_the_scores_are_kept(name: str):
    train = drawn(60, "train")
    scores = [score(a) for a in train]
    plain = PREDICTORS[name].fit(train, scores, 0)(TEST)
    turned = PREDICTORS[name].fit(train, [1000 - 20 * s for s in scores], 0)(TEST)
    assert np.corrcoef(plain.mean, turned.mean)[0, 1] < -0.9
    assert abs(turned.mean.mean() - (1000 - 20 * plain.mean.mean())) < 10
    assert plain.mean.shape == plain.std.shape == (len(TEST),)


@pytest.mark.parametrize("name", PREDICTORS)
def test_equal_scores_are_predicted(name: str):
    train = drawn(5, "train")
    predicted = PREDICTORS[name].fit(train, [0.1] * 5, 0)(TEST)
    assert (predicted.mean == 0.1).all()
    assert (predicted.std == 0).all()


@pytest.mark.parametrize("name", PREDICTORS)
def test_nothing_is_predicted_for_nothing(name: str):
    train = drawn(3, "train")
    assert PREDICTORS[name].fit(train, [1.0, 2.0, 3.0], 0)([]).mean.shape == (0,)


@pytest.mark.parametrize("name", PREDICTORS)
@pytest.mark.parametrize(
    ("count", "scores", "words"),
    [(1, [1.0], "needs at least 2"), (2, [1.0, float("nan")], "nan"), (2, [1.0], "one score for each")],
)
def test_what_cannot_be_fitted_is_refused(name: str, count: int, scores: list[float], words: str):
    with pytest.raises(UserError, match=words):
        PREDICTORS[name].fit(drawn(count, "train"), scores, 0)


def relabelled(cell: Graph, rng: Random) -> Graph:
    """The same cell with its nodes in another order that edges still go up in."""
    order: list[int] = []
    while len(order) < len(cell.ops):
        ready = [v for v in range(len(cell.ops)) if v not in order and all(a in order for a, b in cell.edges if b == v)]
        order.append(rng.choice(ready))
    place = {node: i for i, node in enumerate(order)}
    return Graph(tuple(cell.ops[node] for node in order), tuple(sorted((place[a], place[b]) for a, b in cell.edges)))


@pytest.mark.parametrize("name", ["gin", "gin_uncertain"])
def test_gin_does_not_see_the_numbering_of_nodes(name: str):
    train, rng = drawn(40, "train"), stream(0, "relabel")
    scores = [score(a) for a in train]
    names = {arch: relabelled(graph(arch), rng) for arch in {*train, *TEST}}
    assert sum(names[a] != graph(a) for a in TEST) > 250
    fitted = replace(PREDICTORS[name], steps=30).fit(train, scores, 0)
    moved = replace(PREDICTORS[name], steps=30, graph=names.__getitem__)
    same = fitted(TEST)
    assert np.ptp(same.mean) > 1
    # the same weights on other numberings: fitted on the old ones, asked about the new ones
    both = replace(moved, graph=lambda arch: graph(arch) if arch in set(train) else names[arch]).fit(train, scores, 0)
    unseen = [i for i, arch in enumerate(TEST) if arch not in set(train)]
    np.testing.assert_allclose(both(TEST).mean[unseen], same.mean[unseen], atol=1e-3)
    np.testing.assert_allclose(both(TEST).std[unseen], same.std[unseen], atol=1e-3)


def test_gin_pads_without_a_trace():
    sizes = {arch: arch[ENCODER.paths[0]] for arch in TEST}

    def cut(arch: Arch) -> Graph:  # cells of 4 to 8 nodes
        keep = 8 - sizes[arch]
        return Graph(graph(arch).ops[:keep], tuple((a, b) for a, b in EDGES if b < keep))

    fitted = replace(GIN_, graph=cut, steps=30).fit(TEST[:50], [score(a) for a in TEST[:50]], 0)
    alone = np.concatenate([fitted([arch]).mean for arch in TEST[50:90]])
    np.testing.assert_allclose(fitted(TEST[50:90]).mean, alone, atol=1e-4)


def test_gin_says_how_sure_it_is():
    train = drawn(150, "train")
    predicted = PREDICTORS["gin_uncertain"].fit(train, [score(a) for a in train], 0)(TEST)
    assert (predicted.std > 0).all()
    assert (GIN_.fit(train[:10], [score(a) for a in train[:10]], 0)(TEST).std == 0).all()


def test_bad_settings_and_cells_are_refused():
    with pytest.raises(UserError, match="steps is 0"):
        MLP(ENCODER.one_hot, steps=0)
    with pytest.raises(UserError, match="hidden"):
        MLP(ENCODER.one_hot, hidden=(0,))
    with pytest.raises(UserError, match="rate is 0"):
        GIN(graph, OPERATIONS, rate=0.0)
    with pytest.raises(UserError, match="decay"):
        GIN(graph, OPERATIONS, decay=-1.0)
    with pytest.raises(UserError, match="at least 1 layer"):
        GIN(graph, OPERATIONS, layers=0)
    with pytest.raises(UserError, match="repeat"):
        GIN(graph, ("a", "a"))
    train = drawn(2, "train")
    with pytest.raises(UserError, match=r"\['in', 'out'\]"):
        GIN(graph, OPERATIONS).fit(train, [1.0, 2.0], 0)
    with pytest.raises(UserError, match="no nodes"):
        GIN(lambda arch: Graph((), ()), OPERATIONS).fit(train, [1.0, 2.0], 0)
    lengths = {arch: i + 1 for i, arch in enumerate(train)}
    with pytest.raises(UserError, match="one length"):
        MLP(lambda arch: np.zeros(lengths[arch], dtype=np.float32)).fit(train, [1.0, 2.0], 0)


def test_fits_are_fast():
    """Ten times what it takes on an idle core, so that only a slower algorithm fails."""
    train = drawn(100, "train")
    scores = [score(a) for a in train]
    for predictor, limit in ((MLP_, 1.5), (GIN_, 6.0)):
        start = time.process_time()
        predictor.fit(train, scores, 0)
        assert time.process_time() - start < limit
