"""The tables that need no file."""

import pickle
from itertools import product

import numpy as np
import pytest

from common.errors import UserError
from common.predict.ranking import spearman
from common.space import Arch, enumerate_all, neighbours, size
from common.tables.cell import NONE, SKIP, Cell
from common.tables.generated import CONV, OPS, accuracy, additive, generated


def test_the_same_seed_gives_the_same_table():
    one, same, other = generated(), generated(0), generated(1)
    for fidelity, columns in one.scores.items():
        for metric, column in columns.items():
            assert np.array_equal(column, same.scores[fidelity][metric])
            assert not np.array_equal(column, other.scores[fidelity][metric])


def test_every_architecture_has_a_row_with_numbers():
    table = generated()
    archs = list(enumerate_all(table.space))
    assert [table.row(arch) for arch in archs] == list(range(729)) == list(range(size(table.space)))
    for fidelity in table.scores:
        for scores in table.evaluator(archs, fidelity):
            assert all(0 <= value <= 100 for value in scores.values.values())
    assert table.canonical is not None and table.graph is not None
    assert len({table.canonical(arch) for arch in archs}) == 127
    assert table.cost(Arch({f"edges.{i}": 2 for i in range(6)})) == pytest.approx({"params": 64_000, "latency": 5.8})
    assert set(table.operations) >= {op for arch in archs for op in table.graph(arch).ops}


def test_longer_training_tells_more():
    table = generated()
    test = table.scores["36 epochs"]["test"]
    good = test > 80
    told = [spearman(columns["valid"][good], test[good]) for columns in table.scores.values()]
    assert 0.5 < told[0] < told[1] - 0.02 < told[2] - 0.04
    assert list(table.epochs.values()) == sorted(table.epochs.values())


def test_scores_are_not_additive_and_neighbours_are_alike():
    table = generated()
    test = table.scores["36 epochs"]["test"]
    live = test > 20
    inputs = np.column_stack([[table.features(arch) for arch in enumerate_all(table.space)], np.ones(729)])[live]
    left = test[live] - inputs @ np.linalg.lstsq(inputs, test[live])[0]
    assert left.std() > 3 * 0.15  # far above the noise of `test`
    archs = [arch for arch in enumerate_all(table.space) if live[table.row(arch)]]
    steps = [
        abs(test[table.row(a)] - test[table.row(b)]) for a in archs[::9] for b in neighbours(table.space, a) if live[table.row(b)]
    ]
    assert np.mean(steps) < 0.75 * np.abs(test[live][:, None] - test[live]).mean()


def test_cells_without_a_way_through_are_at_chance():
    assert accuracy(Cell((CONV, CONV, CONV, NONE, NONE, NONE))) == 10.0
    assert accuracy(Cell((NONE, NONE, CONV, NONE, CONV, CONV))) == 10.0
    assert accuracy(Cell((NONE, NONE, NONE, SKIP, NONE, NONE))) > 80
    assert max(accuracy(Cell(edges)) for edges in product(OPS, repeat=6)) < 95


def test_a_table_travels_to_another_process():
    table = pickle.loads(pickle.dumps(generated()))
    arch = next(iter(enumerate_all(table.space)))
    assert table.evaluator([arch], "4 epochs") == generated().evaluator([arch], "4 epochs")


def test_the_additive_space():
    huge = additive()
    assert size(huge.space) == 6**12
    assert additive(3, 2, seed=5).worth == additive(3, 2, seed=5).worth != additive(3, 2, seed=6).worth
    small = additive(3, 2)
    scores = small.evaluator(list(enumerate_all(small.space)), "full")
    assert max(s.values["valid"] for s in scores) == pytest.approx(small.best)
    with pytest.raises(UserError, match="at least one of each"):
        additive(0, 6)
