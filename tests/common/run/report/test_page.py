"""The page of a report: what is shown of a run at each point of its life."""

import json
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from common.run.report import page as module
from common.run.report.load import SampleRow, read_run
from common.run.report.page import page
from common.run.report.text import DASH
from tests.common.run.report.make_run import CONFIG, make_run, write_rows


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def net(kind: str, seed: int, score: float) -> dict[str, object]:
    return {"name": kind, "kind": kind, "seed": seed, "arch": {"a": kind}, "test": {"AP50": score}, "cost": {"macs": 5e6}}


def trial(i: int, score: float, option: str) -> dict[str, object]:
    return {"id": i, "status": "ok", "arch": {"a": option}, "scores": {"AP50": score}, "cost": {"macs": 5e6}}


def test_stages_that_took_no_time_have_no_share_of_it(begun):
    write_rows(begun / "stages.jsonl", [{"stage": "a", "seconds": 0, "result": {"n": 3, "long": "x" * 61, "ok": True}}])
    (stage,) = page(read_run(begun)).stages
    assert (stage.name, stage.share, stage.result) == ("a", 0.0, "n 3, ok yes")
    nested = {"last": {"loss": 0.5}, "arch": {"edge": "skip"}, "kept": {"edge": ["skip", "none"]}, "made": 4}
    write_rows(begun / "stages.jsonl", [{"stage": "a", "seconds": 1, "result": nested}])
    assert page(read_run(begun)).stages[0].result == "last.loss 0.5, made 4"
    write_rows(begun / "stages.jsonl", [{"stage": "a", "seconds": 1}, {"stage": "b", "seconds": 3}])
    assert [stage.share for stage in page(read_run(begun)).stages] == [0.25, 0.75]


def test_a_run_searches_until_it_has_trials_or_networks(begun):
    empty = page(read_run(begun))
    assert empty.searching and empty.drawing is None and empty.drawing_of == "" and empty.grids == ()
    write_rows(begun / "random.jsonl", [trial(0, 0.5, "x")])
    assert not page(read_run(begun)).searching


def test_what_is_drawn_is_the_best_trial_then_the_searched_network_then_the_best_file(begun):
    write_rows(begun / "trials.jsonl", [trial(0, 0.25, "x"), trial(1, 0.5, "y")])
    assert page(read_run(begun)).drawing_of == "The best of the trials so far (trial 1)."
    (grid,) = page(read_run(begun)).grids
    assert grid.labels == ("x", "y") and grid.rows == (("a", ((1, 0.5, False), (1, 0.5, True))),)
    write_rows(begun / "retrained.jsonl", [net("searched", 0, 0.5)])
    shown = page(read_run(begun))
    assert shown.drawing_of == "The architecture the search settled on." and shown.drawing.parts[0].blocks[0].text == "searched"


def test_teams_are_told_by_their_distance_from_the_searched_network(begun):
    rows = [net("baseline", 0, 0.5), net("baseline", 1, 0.5), net("searched", 0, 0.75), net("searched", 1, 0.75)]
    write_rows(begun / "retrained.jsonl", rows)
    shown = page(read_run(begun))
    numbers = ("test AP50", "MACs", "difference")
    assert list(shown.summary.heads) == [("network", False), ("over", False), *((name, True) for name in numbers)]
    assert {row[0]: row[-2:] for row in shown.summary.rows} == {"searched": ("5 M", DASH), "baseline": ("5 M", "+0.25 ± 0")}
    assert {len(row) for row in shown.summary.rows} == {len(shown.summary.heads)}
    dots = (("dot", "search", "searched"), ("dot", "baseline", "baseline"))
    assert [(plot.title, plot.legend) for plot in shown.lead] == [
        ("Retrained, seed by seed", ()),
        ("What the score costs", (*dots, ("dash", "limit", "limit 6 M"))),
    ]
    assert [row[:3] for row in shown.retrained.rows][:2] == [("searched", "searched", "0"), ("searched", "searched", "1")]
    assert ("5 M", "", "MACs", "of the searched network") in shown.tiles


def test_a_picture_is_shown_up_to_four_megabytes(tmp_path):
    Image.new("RGB", (8, 8)).save(file := tmp_path / "0.png")
    for size, shown in ((4_000_000, True), (4_000_001, False)):
        os.truncate(file, size)
        assert (module._picture(SampleRow(file="0.png", caption="", path=file)).uri is not None) == shown


def test_of_a_loss_the_least_is_the_best(begun):
    (begun / "config.json").write_text(json.dumps({**CONFIG, "objectives": [{"name": "AP50", "direction": "min"}]}))
    write_rows(begun / "trials.jsonl", [trial(0, 0.5, "x"), trial(1, 0.25, "y"), trial(2, 0.75, "z")])
    shown = page(read_run(begun))
    assert shown.drawing_of == "The best of the trials so far (trial 1)."
    assert ("0.25", "", "best AP50 so far", "during the search") in shown.tiles


def test_a_run_that_counts_no_cost_has_no_column_for_it(begun):
    changes = {"objectives": [{"name": "AP50", "direction": "max"}], "constraints": []}
    (begun / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    write_rows(begun / "retrained.jsonl", [{**net(kind, 0, 0.5), "cost": {}} for kind in ("searched", "baseline")])
    summary = page(read_run(begun)).summary
    assert [head for head, _ in summary.heads] == ["network", "over", "test AP50", "difference"]
    assert {len(row) for row in summary.rows} == {4}
    assert [plot.title for plot in page(read_run(begun)).lead] == ["Retrained, seed by seed"]
    (begun / "config.json").write_text(json.dumps(CONFIG))
    write_rows(begun / "trials.jsonl", [trial(0, 0.5, "x")])  # whose cost is known, that of the networks is not
    assert [plot.title for plot in page(read_run(begun)).lead] == ["Retrained, seed by seed"]


def test_a_whole_run_shows_how_inherited_scores_rank_and_how_long_it_took(begun, tmp_path):
    run = make_run(tmp_path / "whole")
    shown = page(read_run(run))
    html = module.render(run)
    assert "\n\n\n" not in html and not re.search("^[ ]+$", html, re.MULTILINE), "the template's own lines leave no gaps"
    assert shown.ranking is not None and "Wall-clock" in dict(shown.facts)
    assert "Wall-clock" not in dict(page(read_run(begun)).facts), "no stage is finished"
