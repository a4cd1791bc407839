"""What a report says of networks that no search was to find: a teacher, the winner trained otherwise; and of shared weights."""

import json
import re
from html import unescape
from typing import Any

import pytest

from common.run.report import write_report
from common.run.report.findings import axis, findings, pairs, teams
from common.run.report.load import read_run
from common.run.report.page import page
from tests.common.run.report.make_run import CONFIG, write_rows


@pytest.fixture
def folder(tmp_path):
    """A run of which only the trainings at the end are known."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def trained(kind: str, values: list[float], name: str = "", arch: str = "", macs: float = 5e6, **more: Any) -> list[dict]:
    """A row for each seed of a network."""
    row = {"name": name or kind, "kind": kind, "arch": {"a": arch or name or kind}, "cost": {"macs": macs}, **more}
    return [{**row, "seed": seed, "test": {"AP50": value}} for seed, value in enumerate(values)]


TEACHER = {**trained("reference", [0.95], "teacher", macs=5e7)[0], "arch": {}}
SEARCHED = trained("searched", [0.90, 0.91, 0.92])
OTHERWISE = trained("reference", [0.50, 0.51, 0.52], "from nothing", arch="searched")
RIVALS = trained("baseline", [0.70, 0.71], "all-3x3", macs=6e6) + trained("random", [0.60], "random 1")


def told(path):
    run = read_run(path)
    known = axis(run)
    assert known is not None
    return [(finding.mark, finding.text) for finding in findings(run, known)]


def text(path):
    html = re.sub(r"<(style|svg).*?</\1>", "", write_report(path).read_text(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html)))


def test_a_reference_is_no_part_of_the_order_by_inherited_weights(folder):
    """It may share the architecture of what was found, but was trained otherwise."""
    write_rows(folder / "retrained.jsonl", [{**row, "inherited": {"AP50": 0.4}} for row in (*SEARCHED, *RIVALS, *OTHERWISE)])
    run = read_run(folder)
    known = axis(run)
    assert known is not None
    scores = [pair.retrained for pair in pairs(run, known)]
    assert len(scores) == 3 and max(scores) == pytest.approx(0.91)


def test_references_come_last_in_the_order_they_were_written(folder):
    write_rows(folder / "retrained.jsonl", [TEACHER, *OTHERWISE, *RIVALS, *SEARCHED])
    run = read_run(folder)
    known = axis(run)
    assert known is not None
    order = ["searched", "random", "all-3x3 (baseline)", "teacher", "from nothing"]
    assert [side.label for side in teams(run, known)] == order
    summary, whole = page(run).summary, page(run).retrained
    assert summary is not None and whole is not None
    assert [row[0] for row in summary.rows] == order
    assert [row[1] for row in whole.rows] == ["searched"] * 3 + ["random"] + ["baseline"] * 2 + ["reference"] * 4
    (said,) = [words for _, words in told(folder) if words.startswith("Trained alone")]
    assert said.endswith("teacher 0.95 (1 seed); from nothing 0.510 ± 0.010 (3 seeds).")


def test_what_was_found_is_compared_with_every_reference(folder):
    write_rows(folder / "retrained.jsonl", [TEACHER, *SEARCHED, *OTHERWISE])
    said = told(folder)
    (behind,) = [finding for finding in said if "teacher by" in finding[1]]
    assert behind[0] == "open" and re.match(r"The searched network is behind (the )?teacher by 0\.04 AP50", behind[1])
    assert "no spread to judge it by" in behind[1]
    (ahead,) = [finding for finding in said if "from nothing by" in finding[1]]
    assert ahead[0] == "settled" and re.match(r"The searched network is ahead of (the )?from nothing by 0\.4", ahead[1])
    assert not any("itself" in words for _, words in said), "the same architecture trained otherwise is no baseline that won"
    write_rows(folder / "retrained.jsonl", [*SEARCHED, *trained("reference", [0.96, 0.97], "teacher")])
    assert any(mark == "lost" and re.search("behind (the )?teacher by", words) for mark, words in told(folder))


@pytest.mark.parametrize(("macs", "change"), [(5e7, "90% less than"), (4e6, "25% more than"), (5e6, "the same as")])
def test_costs_are_compared_with_a_reference_of_another_architecture(macs, change, folder):
    write_rows(folder / "retrained.jsonl", [{**TEACHER, "cost": {"macs": macs}}, *SEARCHED, *OTHERWISE])
    (said,) = [words for _, words in told(folder) if " costs " in words]
    assert re.fullmatch(rf"The searched network costs 5\sM MACs, {change} (the )?teacher\.", said)


def test_a_reference_that_nothing_prices_is_compared_by_score_alone(folder):
    write_rows(folder / "retrained.jsonl", [{**TEACHER, "cost": {}}, *SEARCHED])
    assert any("teacher by" in words for _, words in told(folder))
    assert not any(" costs " in words for _, words in told(folder))


def test_networks_that_began_with_shared_weights_are_not_called_retrained_from_scratch(folder):
    begun = [{**row, "start": "second"} for row in (*SEARCHED, *RIVALS)]
    write_rows(folder / "retrained.jsonl", [TEACHER, *begun, *OTHERWISE])
    html = text(folder)
    assert "Trained alone The same training for every network; those of the search's space begin with shared weights." in html
    assert "Retrained from scratch" not in html and "without a weight of the search" not in html
    assert (
        "Trained alone, each (references apart) from its part of the weights after second, on the test split, AP50 is: searched"
        in html
    )


def test_networks_that_began_anew_are_called_retrained_from_scratch(folder):
    write_rows(folder / "retrained.jsonl", [TEACHER, *SEARCHED, *RIVALS, *OTHERWISE])
    html = text(folder)
    assert "Retrained from scratch The same training for every network, without a weight of the search." in html
    assert "shared weights" not in html and "Trained alone, on the test split, AP50 is: searched" in html


def test_every_start_is_named_once_and_those_of_references_are_not(folder):
    rows = [{**row, "start": start} for row, start in zip(SEARCHED, ("second", "first", "second"))]
    write_rows(folder / "retrained.jsonl", [*rows, *({**row, "start": "elsewhere"} for row in OTHERWISE)])
    (said,) = [words for _, words in told(folder) if words.startswith("Trained alone")]
    assert said.startswith(
        "Trained alone, each (references apart) from its part of the weights after first and second, on the test split"
    )


def test_names_of_references_and_starts_are_escaped(folder):
    evil = "<script>alert(1)</script>"
    write_rows(folder / "retrained.jsonl", [{**TEACHER, "name": evil}, *({**row, "start": evil} for row in SEARCHED)])
    html = write_report(folder).read_text()
    assert "<script" not in html and html.count("&lt;script&gt;") > 3


def test_odd_starts_never_crash_a_report(folder):
    odd: list[Any] = [None, 3, ["a"], {"b": 1}, ""]
    write_rows(folder / "retrained.jsonl", [{**SEARCHED[0], "seed": i, "start": start} for i, start in enumerate(odd)])
    assert [row.start for row in read_run(folder).retrained][::4] == ["", ""]
    assert "Trained alone" in text(folder)
