"""Settings of REINFORCE are compared on tables, and the recipe has those of the page."""

import re
from dataclasses import replace

import pytest

from common.objective import Objective
from common.tables.columns import MissingTable
from common.tables.generated import generated
from graphs.pdnas.recipes import FEW_TRIALS, small
from tests.bench.reinforce import CHILDREN, HELD_OUT, ROOT, TUNED_ON, Choice, Gain, averaged, gains, main


def test_the_recipe_has_the_settings_of_the_page():
    page = (ROOT / "docs" / "results" / "reinforce.md").read_text(encoding="utf-8")
    policy, rate, gain = re.findall(r"^\| (\w+) \| ([\d.]+) \| \+([\d.]+)", page, re.MULTILINE)[0]
    assert (FEW_TRIALS.policy, FEW_TRIALS.rate, FEW_TRIALS.children) == (policy, float(rate), CHILDREN) and float(gain) > 0
    assert small("graphnas").search.engine == FEW_TRIALS and small("graphnas").search.trials == 60


def test_no_table_is_both_tuned_on_and_held_out():
    assert not set(TUNED_ON) & set(HELD_OUT)


def test_gains_are_in_deviations_of_random_search_and_have_the_sign_of_the_objective():
    table = generated()
    name, column = table.objective.name, table.scores[table.fidelity][table.objective.name]
    mirrored = replace(
        table,
        objective=Objective(name, "min"),
        scores={**table.scores, table.fidelity: {**table.scores[table.fidelity], name: -column}},
    )
    scaled = replace(table, scores={**table.scores, table.fidelity: {**table.scores[table.fidelity], name: 10 * column}})
    (gain,) = gains(table, [Choice("independent", 0.3)], range(8), 20, 0)
    assert 0 < gain.error < 1 and gain.mean != 0
    for other in (mirrored, scaled):
        assert gains(other, [Choice("independent", 0.3)], range(8), 20, 0)[0] == pytest.approx(gain)


def test_tables_count_alike():
    mean = averaged([Gain(1.0, 0.3), Gain(0.0, 0.4)])
    assert mean.mean == 0.5 and mean.error == pytest.approx(0.25)


def test_without_the_tables_nothing_is_written(tmp_path):
    with pytest.raises(MissingTable):
        main(["--data", str(tmp_path), "--out", str(tmp_path / "page.md")])
    assert not (tmp_path / "page.md").exists()
