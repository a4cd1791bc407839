"""The study command: every engine on a user's table, beside random search; what cannot be used is refused in one line."""

import itertools
from pathlib import Path

import pytest

from common import cli
from common.listing import engine_kinds
from common.script import main


@pytest.fixture
def table(tmp_path) -> Path:
    """27 architectures whose score is a sum, and what they cost."""
    rows = ["arch.a,arch.b,arch.c,accuracy,cost.macs"]
    for options in itertools.product(range(3), repeat=3):
        rows.append(",".join(map(str, (*options, sum(options) / 6, 1 + sum(options)))))
    path = tmp_path / "scores.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def call(*words: object) -> None:
    main("python -m common.cli", cli.COMMANDS, ["study", *map(str, words)])


def test_every_engine_is_compared_or_says_why_not(table, capsys):
    call(table, "--objective", "accuracy", "--costs", "macs", "--queries", 5, 12, "--seeds", 2)
    said = capsys.readouterr().out
    assert "27 architectures" in said and "After 5 queries" in said and "After 12 queries" in said
    for kind in engine_kinds():
        if kind().name not in ("gradient", "controller", "econas", "halving"):
            assert said.count(f"| {kind().name} ") == 2
    for name in ("econas", "halving"):
        assert f"- {name}: the table has one score for each architecture" in said


def test_engines_can_be_named_and_the_result_written(table, tmp_path, capsys):
    out = tmp_path / "made" / "study.md"
    call(table, "--objective", "accuracy", "--engines", "local", "--queries", 9, "--seeds", 2, "--out", out)
    assert capsys.readouterr().out == f"{out}\n"
    text = out.read_text(encoding="utf-8")
    assert "| random " in text and "| local " in text and "| aging " not in text


def test_an_engine_stays_within_the_rows_of_a_partial_table(table, capsys):
    rows = table.read_text().splitlines()
    table.write_text("\n".join([rows[0], *rows[1::2]]) + "\n")
    call(table, "--objective", "accuracy", "--queries", 14, "--seeds", 2)
    said = capsys.readouterr().out
    assert "14 architectures" in said
    for name in ("random", "topk", "aging", "local", "nsga2"):
        assert f"| {name} " in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--objective", "acc"], "no score 'acc'"),
        (["--objective", "accuracy", "--costs", "params"], "params"),
        (["--objective", "accuracy", "--engines", "bogus"], "there is no such engine; choose among random"),
        (["--objective", "accuracy", "--engines", "gradient"], "there is no such engine"),
        (["--objective", "accuracy", "--seeds", "0"], "give 1 or more of each"),
        (["--objective", "accuracy", "--queries", "0"], "give 1 or more of each"),
        (["--objective", "accuracy", "--workers", "-1"], "--workers -1: give 0"),
        (["--objective", "accuracy", "--out", "/"], "is a folder; give a file"),
    ],
)
def test_bad_input_is_one_line(table, words, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        call(table, *words)
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and error.count("\n") == 1 and said in error


@pytest.mark.parametrize("out", [".", "mine.csv/study.md"], ids=["a folder", "below a file"])
def test_a_place_that_cannot_be_written_is_refused_before_any_search(table, out, tmp_path, monkeypatch):
    (tmp_path / "mine.csv").touch()
    monkeypatch.setattr("common.stages.study.study", lambda *_, **__: pytest.fail("work was spent"))
    with pytest.raises(SystemExit) as stopped:
        call(table, "--objective", "accuracy", "--out", tmp_path / out)
    assert stopped.value.code == 2
