"""How much decisions matter: shares of variance against a by-hand analysis, and how sure strengths are."""

import json
from math import log
from random import Random

import pytest

from common.run.report.decisions import SHOWN, explained, sure
from common.run.report.load import read_run
from common.run.report.page import page
from tests.common.run.report.make_run import make_run


def test_a_decision_that_sets_the_score_explains_all_of_it_and_a_coin_none():
    rng = Random(0)
    rows = []
    for _ in range(400):
        arch = {"sets": rng.choice("abc"), "coin": rng.choice("xy")}
        rows.append((arch, {"a": 0.1, "b": 0.7, "c": 0.4}[arch["sets"]]))
    sets, coin = explained(rows, maximise=True)
    assert (sets.path, sets.option, sets.share) == ("sets", "b", pytest.approx(1))
    assert coin.share < 0.02
    assert explained(rows, maximise=False)[0].option == "a"


def test_the_share_is_adjusted_r_squared():
    rows = [({"d": option}, value) for option, value in (("a", 1.0), ("a", 2.0), ("b", 4.0), ("b", 5.0), ("b", 6.0))]
    within, total = 0.5 + 2.0, sum((value - 3.6) ** 2 for _, value in rows)
    (gene,) = explained(rows, maximise=True)
    assert gene.share == pytest.approx(1 - (within / 3) / (total / 4))


def test_decisions_inside_options_count_where_they_are_and_those_that_tell_nothing_are_left_out():
    rows = [({"kind": "conv", "kind[conv].k": str(i % 2), "one": "same", "id": str(i)}, float(i % 2)) for i in range(10)]
    rows += [({"kind": "skip", "one": "same", "id": str(10 + i)}, 0.5) for i in range(5)]
    found = {gene.path: gene for gene in explained(rows, maximise=True)}
    assert found.keys() == {"kind", "kind[conv].k"}  # one option; as many options as architectures
    assert found["kind[conv].k"].share == pytest.approx(1) and found["kind"].share == 0
    assert explained([({"d": "a"}, 1.0), ({"d": "b"}, 1.0), ({"d": "b"}, 1.0)], maximise=True) == []  # no variance


def test_how_sure_strengths_are():
    decisions = {"even": ("a", "b"), "made": ("a", "b", "c"), "members": ("a", "b"), "foreign": ("a",)}
    strengths = {"even": [0.5, 0.5], "made": [0.0, 1.0, 0.0], "members": [0.9, 0.8], "foreign": [0.5, 0.5], "lone": [1.0]}
    even, made = sure(strengths, decisions)
    assert (even.path, even.share) == ("even", pytest.approx(0)) and (made.option, made.share) == ("b", 1)
    (half,) = sure({"half": [0.75, 0.25]}, {"half": ("a", "b")})
    assert half.share == pytest.approx(1 + (0.75 * log(0.75) + 0.25 * log(0.25)) / log(2))


def test_reports_show_what_mattered(tmp_path):
    run = read_run(make_run(tmp_path / "run"))
    plot = next(plot for plot in page(run).search if plot.title == "Which decisions mattered")
    assert "over 78 trials" in plot.caption and "shuffle7x7" in plot.svg  # two of the eighty failed
    assert not any(plot.title == "Which decisions were made" for plot in page(run).monitors)


def test_few_trials_show_nothing(tmp_path):
    path = make_run(tmp_path / "run")
    for file in ("trials.jsonl", "random.jsonl"):
        (path / file).write_text("".join(line + "\n" for line in (path / file).read_text().splitlines()[:6]))
    assert not any(plot.title == "Which decisions mattered" for plot in page(read_run(path)).search)


def test_reports_of_differentiable_searches_show_what_was_decided(tmp_path):
    path = make_run(tmp_path / "run")
    decisions = {f"d{i}": ["a", "b"] for i in range(SHOWN + 3)}
    (path / "space.json").write_text(json.dumps({"fingerprint": "x", "decisions": decisions}))
    (path / "strengths.json").write_text(json.dumps({name: [0.9, 0.1] for name in decisions}))
    (plot,) = (plot for plot in page(read_run(path)).monitors if plot.title == "Which decisions were made")
    assert "d0: a" in plot.svg and "3 decisions that mattered less are not shown" in plot.caption
    (path / "strengths.json").write_text("{")
    damaged = page(read_run(path))
    assert not damaged.monitors and any("strengths.json" in item for item in damaged.damage)


def test_trials_of_lower_fidelities_are_not_compared(tmp_path):
    """The best number belongs to a short training; what went on to the long ones is what the report speaks of."""
    path = make_run(tmp_path / "run")
    rows = [json.loads(line) for line in (path / "trials.jsonl").read_text().splitlines()]
    for row in rows[:30]:
        row["fidelity"] = "0.25"
        row["scores"] = {name: value + 10 for name, value in row["scores"].items()}
    (path / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = read_run(path)
    shown = page(run)
    assert "The search trained 40 candidates at several fidelities" in shown.findings[0].text
    best = max(row["scores"]["AP50"] for row in rows[30:] if row["cost"]["macs"] <= 6e6)
    assert f"the best has AP50 {best} " in shown.findings[0].text
    plot = next(plot for plot in shown.search if plot.title == "Which decisions mattered")
    assert "over 50 trials" in plot.caption  # the last ten of the search, and random search
