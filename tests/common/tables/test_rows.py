"""Rows of a table as they are read; what damaged files are told is in `test_own`."""

import json

import pytest

from common.errors import UserError
from common.tables.rows import read_rows

CSV = "arch.width,score.acc,cost.macs,fidelity,status\n8,0.5,10,{},ok\n16,0.6,20,{},ok\n24,,,full,failed\n"


def jsonl(*fidelities):
    row = {"arch": {"width": 8}, "scores": {"acc": 0.5}, "cost": {"macs": 10}}
    return "".join(json.dumps(row | ({"fidelity": name} if name else {})) + "\n" for name in fidelities)


def test_rows_with_their_lines_scores_and_costs(tmp_path):
    (tmp_path / "mine.csv").write_text(CSV.format("full", "full"))
    rows, failed = read_rows(tmp_path / "mine.csv", ["acc"], ["macs"])
    assert [(row.line, row.arch, row.scores, list(row.costs)) for row in rows] == [
        (2, {"width": "8"}, {"acc": 0.5}, [10]),
        (3, {"width": "16"}, {"acc": 0.6}, [20]),
    ]
    assert failed == 1


@pytest.mark.parametrize("metrics", [["acc"], []], ids=["named", "all"])
@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("mine.csv", CSV.format("full", "0.5"), 3),
        ("mine.jsonl", jsonl("0.25", "0.25", "full"), 3),
        ("mine.jsonl", jsonl("full", ""), 2),
    ],
    ids=["csv", "jsonl", "one without"],
)
def test_scores_of_several_fidelities_are_refused(name, text, line, metrics, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=f"line {line}: fidelity .*: keep the rows of one"):
        read_rows(tmp_path / name, metrics, [])


def test_one_fidelity_is_as_good_as_none(tmp_path):
    (tmp_path / "mine.jsonl").write_text(jsonl("0.5", "0.5"))
    assert len(read_rows(tmp_path / "mine.jsonl", [], [])[0]) == 2
