"""The study of engines on a user's table: figures, verdicts, engines that cannot search it, and its text."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Literal

import numpy as np
import pytest

from common.errors import UserError
from common.objective import Objective
from common.search.aging_evolution import AgingEvolution
from common.search.base import Proposal, Trial
from common.search.econas import EcoNAS
from common.search.random import RandomSearch
from common.search.successive_halving import SuccessiveHalving
from common.space import Arch
from common.tables.own import read_table
from common.tables.report import NOISE, RandomRows, as_text, best_row, sentence, study_table
from common.tables.study import study


def table_of(tmp_path, rows, direction: Literal["max", "min"] = "max", name="mine.csv"):
    path = tmp_path / name
    width = len(rows[0]) - 1
    header = ",".join([*(f"arch.d{i}" for i in range(width)), "acc"])
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return read_table(path, "acc", direction)


def ladder(levels, decisions, sign=1):
    """Additive scores: every step towards the last label of a decision helps."""
    return [(*labels, sign * sum(labels)) for labels in product(range(levels), repeat=decisions)]


@pytest.fixture
def small(tmp_path):
    return table_of(tmp_path, ladder(3, 3))


@pytest.fixture
def large(tmp_path):
    return table_of(tmp_path, ladder(4, 5))


def aging(feasible, table, seed):
    return AgingEvolution(table.space, [table.objective], seed=seed, feasible=feasible, population=10, tournament=5)


def halving(table, seed):
    return SuccessiveHalving(table.space, [table.objective], seed=seed, fidelities=("0.5", "full"))


def econas(table, seed):
    return EcoNAS(table.space, [table.objective], seed=seed, fidelities=("full", "full"))


@dataclass
class Fixed:
    """Proposes the rows of a table in the order of their scores: the worst or the best first, whatever the seed."""

    objectives: list[Objective]
    archs: list[Arch]

    def ask(self, n: int) -> list[Proposal]:
        batch, self.archs = self.archs[:n], self.archs[n:]
        return [Proposal(arch=arch) for arch in batch]

    def tell(self, trials) -> None:
        pass


def fixed(own, best, table, seed):
    column = table.scores["full"]["acc"]
    keys = [dict(zip(own.index.paths, options)) for options in own.index.rows]
    order = np.argsort(-column if best else column, kind="stable")
    return Fixed([table.objective], [Arch(keys[i]) for i in order])


def test_random_search_takes_every_row_once_and_all_alike(tmp_path):
    own = table_of(tmp_path, [row for i, row in enumerate(ladder(3, 3)) if i % 2])
    found = []
    for seed in range(3):
        searcher = RandomRows(own, seed)
        found = [proposal.arch for n in (5, 1, 20) for proposal in searcher.ask(n)]
        assert len(found) == len(set(found)) == own.rows == 13 and all(map(own.feasible, found))
        assert searcher.ask(1) == []
    first = Counter(own.table.row(RandomRows(own, seed).ask(1)[0].arch) for seed in range(1300))
    assert len(first) == 13 and min(first.values()) > 60 and max(first.values()) < 150
    told = RandomRows(own, 0)
    told.tell([Trial(id=0, arch=found[0])])
    assert found[0] not in [proposal.arch for proposal in told.ask(20)]


def test_it_agrees_with_random_search_of_the_space(small):
    def whole(table, seed):
        return RandomSearch(table.space, [table.objective], seed=seed, feasible=small.feasible)

    ours, theirs = study_table(small, {"space": whole}, [5], 200)
    assert theirs.points[0].verdict == "within noise"
    # best of 5 of 27 rows without repetition, exactly
    values = sorted(row[-1] for row in ladder(3, 3))
    exact = sum(value * math.comb(i, 4) for i, value in enumerate(values)) / math.comb(27, 5)
    for row in (ours, theirs):
        assert abs(row.points[0].best.mean - exact) < 4 * row.points[0].best.error


def test_figures_and_verdicts(small):
    makers = {"best": partial(fixed, small, True), "worst": partial(fixed, small, False)}
    rows = study_table(small, makers, [9, 1, 9], 20)
    assert [row.name for row in rows] == ["random", "best", "worst"]
    random, best, worst = rows
    assert [[point.queries for point in row.points] for row in rows] == 3 * [[1, 9]]
    assert [point.best.mean for point in best.points] == [6.0, 6.0] and [point.regret for point in best.points] == [0.0, 0.0]
    # sorted scores 0, 1 x 3, 2 x 6, ...: the ninth of them is 2
    assert [point.best.mean for point in worst.points] == [0.0, 2.0] and [point.regret for point in worst.points] == [6.0, 4.0]
    assert {point.verdict for point in random.points} == {"yardstick"}
    assert {point.verdict for point in best.points} == {"better"} and {point.verdict for point in worst.points} == {"worse"}
    for i, point in enumerate(random.points):
        assert best.points[i].difference == pytest.approx(6 - point.best.mean)
        assert worst.points[i].difference == pytest.approx(worst.points[i].best.mean - point.best.mean)
        assert best.points[i].error == point.best.error > 0  # the engine's own error is 0
        assert point.regret == pytest.approx(6 - point.best.mean)
    by_hand = study(small.table, lambda table, seed: RandomRows(small, seed), range(20), 9).best
    assert random.points[0].best.mean == by_hand[:, 0].mean() and random.points[1].best.mean == by_hand[:, 8].mean()
    assert random.points[0].best.low == np.quantile(by_hand[:, 0], 0.1)


def test_a_smaller_score_can_be_the_better_one(tmp_path):
    own = table_of(tmp_path, ladder(3, 3), "min")
    makers = {"low": partial(fixed, own, False), "high": partial(fixed, own, True)}
    random, low, high = (row.points[0] for row in study_table(own, makers, [2], 10))
    assert best_row(own) == 0.0
    assert (low.best.mean, low.regret, low.verdict, low.difference < 0) == (0.0, 0.0, "better", True)
    assert (high.best.mean, high.regret, high.verdict, high.difference > 0) == (5.0, 5.0, "worse", True)
    assert random.regret == random.best.mean > 0


def test_evolution_is_better_than_random_search_on_a_ladder(large):
    rows = study_table(large, {"aging": partial(aging, large.feasible)}, [10, 80], 12)
    first, last = rows[1].points
    assert first.verdict == "within noise"  # its population is random
    assert last.verdict == "better" and last.difference > NOISE * last.error
    assert last.regret < rows[0].points[1].regret


def test_evolution_stays_in_a_partial_table(tmp_path):
    own = table_of(tmp_path, [row for i, row in enumerate(ladder(4, 4)) if i % 3])
    rows = study_table(own, {"aging": partial(aging, own.feasible)}, [60, 1000], 4)
    assert not rows[1].reason and rows[1].points[1].regret == rows[0].points[1].regret == 0.0
    assert rows[1].points[1].verdict == "within noise"  # both have seen the whole table


def test_ties_are_within_noise(tmp_path):
    own = table_of(tmp_path, [(*labels, 0.1) for labels in product(range(3), repeat=3)])
    rows = study_table(own, {"aging": partial(aging, own.feasible)}, [3], 7)
    assert rows[1].points[0].verdict == "within noise" and rows[1].points[0].regret == pytest.approx(0, abs=1e-12)
    assert "| 0.100 ± 0.000" in as_text(rows, own)


def test_one_seed_says_nothing_about_noise(small):
    rows = study_table(small, {"best": partial(fixed, small, True)}, [1], 1)
    assert rows[1].points[0].verdict == "unknown" and math.isinf(rows[1].points[0].error)
    assert "Nothing can be said about noise: run at least two seeds." in as_text(rows, small)
    assert "nan" not in as_text(rows, small) and "inf" not in as_text(rows, small)


def test_an_engine_that_cannot_search_the_table_is_listed(small):
    makers = {"halving": halving, "econas": econas, "aging": partial(aging, small.feasible)}
    rows = study_table(small, makers, [4], 3)
    assert [bool(row.points) for row in rows] == [True, False, False, True]
    assert "no fidelity '0.5'" in rows[1].reason and rows[2].reason
    text = as_text(rows, small)
    assert f"- halving: {rows[1].reason}\n" in text and text.count("halving") == 1
    assert sentence(study_table(small, {"halving": halving}, [4], 3)).startswith("No other engine ran")


def test_errors_that_are_no_user_errors_end_the_study(small):
    def broken(table, seed):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        study_table(small, {"broken": broken}, [4], 3)


def test_random_can_be_replaced_and_must_run(small):
    rows = study_table(small, {"best": partial(fixed, small, True), "random": partial(fixed, small, False)}, [1], 2)
    assert [row.name for row in rows] == ["random", "best"]
    assert rows[0].points[0].best.mean == 0.0 and rows[1].points[0].difference == 6.0 and rows[1].points[0].verdict == "better"
    with pytest.raises(UserError, match=r"no fidelity '0\.5'"):
        study_table(small, {"random": halving}, [1], 2)


@pytest.mark.parametrize(("queries", "seeds"), [([], 3), ([0, 4], 3), ([4], 0)])
def test_what_is_no_study(small, queries, seeds):
    with pytest.raises(UserError, match="give at least 1 seed"):
        study_table(small, {}, queries, seeds)


def test_processes_do_not_change_the_study(small):
    makers = {"aging": partial(aging, small.feasible), "halving": halving}
    assert study_table(small, makers, [3, 8], 3) == study_table(small, makers, [3, 8], 3, workers=2)


def test_a_study_beyond_the_table_warns_of_nothing(small, caplog):
    rows = study_table(small, {"aging": partial(aging, small.feasible)}, [5, 27, 500], 2)
    assert [point.best.mean for point in rows[0].points[1:]] == [6.0, 6.0]
    assert caplog.text == ""
    text = as_text(rows, small)
    assert "After 5 queries:" in text and "After 27 queries (the whole table):" in text and "After 500 queries (the whole" in text


def test_the_text(tmp_path):
    own = table_of(tmp_path, ladder(3, 3, sign=10), name="a|b.csv")
    makers = {"be|st": partial(fixed, own, True), "worst": partial(fixed, own, False), "again": partial(_rows_of, own)}
    rows = study_table(own, makers, [1, 3], 4)
    lines = as_text(rows, own).splitlines()
    assert lines[0].startswith("a\\|b.csv: 27 architectures of 27 combinations. Objective: acc, higher is better; ")
    assert "the best row has 60.00. Seeds per engine: 4." in lines[0] and "Failed" not in lines[0]
    start = lines.index("After 3 queries:") + 2
    block = lines[start : start + 6]
    assert len({len(line) for line in block}) == 1 and set(block[1]) == {"|", "-"}
    cells = [[cell.strip() for cell in line.replace("\\|", "/").strip("|").split("|")] for line in block]
    assert [row[0] for row in cells] == ["engine", "-" * len(cells[1][0]), "random", "be/st", "worst", "again"]
    point = rows[1].points[1]
    assert cells[3][1:] == [
        "60.00 ± 0.00",
        "60.00 to 60.00",
        "0.00",
        f"{point.difference:+.2f} ± {point.error:.2f}",
        "better",
    ]
    assert cells[2][4:] == ["-", "-"] and cells[4][5] == "worse" and cells[5][5] == "within noise"
    assert lines[-1] == (
        f"After 3 queries, be\\|st (by {point.difference:.2f} ± {point.error:.2f}) is better than random search beyond noise; "
        f"worst (by {-rows[2].points[1].difference:.2f} ± {point.error:.2f}) is worse than random search beyond noise; "
        "again cannot be distinguished from random search."
    )


def _rows_of(own, table, seed):
    return RandomRows(own, seed + 100)


def test_the_sentence_has_several_of_a_kind(small):
    best = partial(fixed, small, True)
    rows = study_table(small, {"a": best, "b": best, "c": best}, [1], 5)
    assert " and c (by" in sentence(rows) and ") are better than random search" in sentence(rows)
    assert sentence(rows).startswith("After 1 query, a (by ")


def test_failed_rows_and_missing_combinations_are_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("arch.a,arch.b,status,acc\nx,1,ok,1\ny,2,ok,2\nx,2,failed,\n")
    own = read_table(path, "acc")
    text = as_text(study_table(own, {}, [1], 2), own)
    assert "2 architectures of 4 combinations. Failed rows left out: 1." in text


@pytest.mark.parametrize(("span", "shown"), [(1000.0, "1000 ±"), (10.0, "10.00 ±"), (1e-4, "0.0001000 ±")])
def test_decimals_fit_the_span(tmp_path, span, shown):
    own = table_of(tmp_path, [("x", 0.0), ("y", span)])
    assert f"| {shown}" in as_text(study_table(own, {}, [2], 2), own)
