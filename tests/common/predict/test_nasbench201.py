"""Predictors on the real NAS-Bench-201: what a hundred queries teach."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from common.predict.base import Predictor
from common.predict.ensemble import Ensemble
from common.predict.gin import GIN
from common.predict.mlp import MLP
from common.predict.ranking import spearman
from common.space import sample
from common.streams import stream
from common.tables.nasbench201 import FILE, nasbench201
from common.tables.table import Table


@pytest.fixture(scope="module")
def table(nasbench: Callable[[str, str], Path]) -> Table:
    return nasbench201(nasbench("nasbench201", FILE))


def held_out(table: Table, predictor: Predictor, points: int, seed: int) -> float:
    """Spearman on 1,000 other cells."""
    rng = stream(seed, "cells")
    drawn = list(dict.fromkeys(sample(table.space, rng) for _ in range(1400)))[: points + 1000]
    scores = [scores.values["valid"] for scores in table.evaluator(drawn, table.fidelity)]
    fitted = predictor.fit(drawn[:points], scores[:points], seed)
    return spearman(fitted(drawn[points:]).mean, scores[points:])


@pytest.mark.parametrize(("name", "at_50", "at_200"), [("mlp", 0.40, 0.62), ("gin", 0.55, 0.75), ("ensemble", 0.40, 0.65)])
def test_more_data_ranks_better(table: Table, name: str, at_50: float, at_200: float):
    assert table.graph is not None
    mlp = MLP(table.features)
    predictor: Predictor = {"mlp": mlp, "ensemble": Ensemble(mlp), "gin": GIN(table.graph, table.operations)}[name]
    few, many = (np.mean([held_out(table, predictor, points, seed) for seed in range(3)]) for points in (50, 200))
    assert few > at_50
    assert many > at_200
    assert many > few + 0.05
