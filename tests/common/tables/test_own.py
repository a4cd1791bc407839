"""A user's own table: both file formats, partial and conditional tables, and what every damaged file is told."""

from __future__ import annotations

import csv
import io
import json
import pickle
import re
from itertools import product

import numpy as np
import pytest

from common.arch import labels
from common.errors import UserError
from common.objective import Objective
from common.run.folder import trial_to_row
from common.search.base import Trial
from common.search.random import RandomSearch
from common.space import Arch, ManyOf, OneOf, enumerate_all, sample
from common.streams import stream
from common.tables.own import read_scores, read_table

KERNELS, WIDTHS, OPS = ("3", "5", "7"), ("16", "32", "64"), ("conv", "pool", "skip, add")


def accuracy(kernel, width, op):
    return 50 + KERNELS.index(kernel) + 3 * WIDTHS.index(width) - 10 * OPS.index(op) + 0.5


def csv_text(rows=None):
    lines = ["arch.kernel,arch.width,id,arch.op,score.acc,cost.params,note"]
    for i, (kernel, width, op) in enumerate(rows or product(KERNELS, WIDTHS, OPS)):
        lines.append(f'{kernel}, {width} ,{i},"{op}",{accuracy(kernel, width, op)},{int(width) * 10},n/a')
    return "\n".join(lines) + "\n"


def jsonl_text(rows=None):
    lines = []
    for i, (kernel, width, op) in enumerate(rows or product(KERNELS, WIDTHS, OPS)):
        row = {
            "id": i,
            "arch": {"kernel": kernel, "width": int(width), "op": op},
            "scores": {"acc": accuracy(kernel, width, op), "loss": float("nan")},
            "cost": {"params": int(width) * 10},
            "status": "ok",
            "fidelity": "full",
            "error": "",
        }
        lines.append(json.dumps(row))
    return "\n".join(lines) + "\n"


@pytest.fixture
def put(tmp_path):
    def write(text, name="mine.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def row(arch, scores=None, **more):
    return json.dumps({"arch": arch, "scores": {"acc": 1.0} if scores is None else scores, **more})


def refusal(call):
    with pytest.raises(UserError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and len(text) < 600
    return text


@pytest.mark.parametrize(("text", "name"), [(csv_text(), "mine.csv"), (jsonl_text(), "mine.JSONL")])
def test_a_whole_table(put, text, name):
    own = read_table(put(text, name), "acc", costs=["params"])
    table = own.table
    assert (own.rows, own.combinations, own.failed) == (27, 27, 0)
    assert (table.name, table.title, table.fidelity, table.epochs) == ("mine", name, "full", {"full": 1.0})
    assert table.objective == table.result == Objective("acc", "max")
    assert {path: decision.options for path, decision in table.space.items()} == {"kernel": KERNELS, "width": WIDTHS, "op": OPS}
    for arch in enumerate_all(table.space):
        named = labels(table.space, arch)
        assert own.feasible(arch)
        assert table.evaluator([arch], "full")[0].values == {"acc": accuracy(**named)}
        assert table.cost(arch) == {"params": int(named["width"]) * 10}
    assert table.costs["params"].dtype == np.int64
    assert len({tuple(table.features(arch)) for arch in enumerate_all(table.space)}) == 27


def test_labels_keep_the_order_of_their_first_row(put):
    table = read_table(put("arch.b,arch.a,acc\nz,1,0\ny,1,1\nz,0,2\n"), "acc").table
    assert list(table.space) == ["b", "a"]
    assert [decision.labels for decision in table.space.values()] == [("z", "y"), ("1", "0")]


def test_the_direction_is_that_of_the_objective(put):
    assert read_table(put(csv_text()), "acc", "min").table.objective == Objective("acc", "min")
    assert "use 'max' or 'min'" in refusal(lambda: read_table(put(csv_text()), "acc", "up"))  # pyright: ignore[reportArgumentType]


def test_bare_scores_bookkeeping_and_other_columns(put):
    path = put("\ufeffarch.a,id,val.acc,seconds,text,\r\nx,0,1.5,7,hello,9\r\n\r\ny,1,2,8,,9\r\n")
    assert read_table(path, "val.acc").table.scores["full"]["val.acc"].tolist() == [1.5, 2.0]
    assert read_table(path, "seconds").table.scores["full"]["seconds"].tolist() == [7.0, 8.0]


def test_a_partial_table_has_rows_only_where_the_file_has(put):
    kept = [one for i, one in enumerate(product(KERNELS, WIDTHS, OPS)) if i % 3 != 1 or i > 20]
    own = read_table(put(csv_text(kept)), "acc")
    assert (own.rows, own.combinations) == (len(kept), 27)
    every = {tuple(labels(own.table.space, arch).values()): arch for arch in enumerate_all(own.table.space)}
    assert {named for named, arch in every.items() if own.feasible(arch)} == set(kept)
    for named, arch in every.items():
        if named not in kept:
            said = refusal(lambda arch=arch: own.table.evaluator([arch], "full"))
            assert "has no row in mine.csv" in said and "feasible" in said
    assert not own.feasible(Arch({"kernel": 0, "width": 0})) and not own.feasible(Arch({"kernel": 9, "width": 0, "op": 0}))


def test_a_searcher_under_feasible_proposes_every_row_once(put):
    kept = list(product(KERNELS, WIDTHS, OPS))[::2]
    own = read_table(put(csv_text(kept)), "acc")
    searcher = RandomSearch(own.table.space, [own.table.objective], feasible=own.feasible)
    archs = [proposal.arch for proposal in searcher.ask(27)]
    assert sorted(own.table.row(arch) for arch in archs) == list(range(14))


def test_conditional_decisions_take_a_dash(put):
    rows = [
        {"op": "pool", "depth": 1},
        {"op": "conv", "kernel": 3, "depth": 1},
        {"op": "conv", "kernel": 5, "depth": 2},
        {"op": "pool", "kernel": None, "depth": 2},
        {"op": "pool", "kernel": "-", "depth": 3},
    ]
    text = "\n".join(row(arch, {"acc": i}) for i, arch in enumerate(rows))
    table = read_table(put(text, "t.jsonl"), "acc").table
    assert {path: decision.labels for path, decision in table.space.items()} == {
        "op": ("pool", "conv"),
        "depth": ("1", "2", "3"),
        "kernel": ("-", "3", "5"),
    }
    cells = [f"{arch['op']},{arch.get('kernel') or ''},{arch['depth']},{i}" for i, arch in enumerate(rows)]
    other = read_table(put("\n".join(["arch.op,arch.kernel,arch.depth,acc", *cells])), "acc")
    assert other.table.space["kernel"].labels == ("-", "3", "5") and other.rows == 5
    assert not other.feasible(Arch({"op": 0, "kernel": 1, "depth": 0}))  # a pool with a kernel
    assert other.table.row(Arch({"op": 0, "kernel": 0, "depth": 2})) == 4


def test_equal_architectures_are_averaged_and_costs_must_agree(put):
    header = "arch.a,acc,cost.ms\n"
    own = read_table(put(header + "x,1,5\ny,7,6\nx,2,5\nx,6,5\n"), "acc", costs=["ms"])
    assert own.rows == 2
    assert own.table.scores["full"]["acc"].tolist() == [3.0, 7.0] and own.table.costs["ms"].tolist() == [5, 6]
    path = put(header + "x,1,5\ny,7,6\nx,2,5.5\n")
    said = refusal(lambda: read_table(path, "acc", costs=["ms"]))
    assert "mine.csv, line 4" in said and "line 2" in said and "5.5" in said
    assert read_table(path, "acc").rows == 2  # costs that nobody asks for need not agree


def test_failed_rows_are_left_out(put):
    lines = [
        row({"a": "x"}),
        row({"a": "y"}, {}, status="failed"),
        row({"a": "z"}, error="out of memory"),
        row({"a": "w"}, error=""),
        json.dumps({"status": "failed"}),
    ]
    own = read_table(put("\n".join(lines), "t.jsonl"), "acc")
    assert (own.rows, own.failed) == (2, 3) and own.table.space["a"].labels == ("x", "w")
    own = read_table(put("status,arch.a,error\nok,x,5\nfailed,y,\nok,z,6\n"), "error", "min")
    assert (own.rows, own.failed) == (2, 1) and own.table.scores["full"]["error"].tolist() == [5.0, 6.0]
    said = refusal(lambda: read_table(put("status,arch.a,acc\nfailed,x,\nfailed,y,\n"), "acc"))
    assert "0 besides 2 failed rows" in said


def test_costs_are_whole_only_where_all_are(put):
    table = read_table(
        put("arch.a,acc,cost.n,cost.ms,cost.huge\nx,1,3,4,5\ny,2,4,0.5,1" + 30 * "0"), "acc", "max", ["n", "ms", "huge"]
    ).table
    assert [table.costs[name].dtype.kind for name in ("n", "ms", "huge")] == ["i", "f", "f"]
    assert table.cost(Arch({"a": 1})) == {"n": 4, "ms": 0.5, "huge": 1e30}


def test_it_can_be_pickled(put):
    own = read_table(put(csv_text()), "acc", costs=["params"])
    again = pickle.loads(pickle.dumps(own))
    arch = sample(own.table.space, stream(0, "test"))
    assert again.table.evaluator([arch], "full") == own.table.evaluator([arch], "full")
    assert again.feasible(arch) and again.table.space["op"].labels == OPS
    assert (again.table.features(arch) == own.table.features(arch)).all()


CSV = "arch.a,acc,cost.ms\n"
FILES = {
    "an empty file": (b"", "mine.csv: the file is empty"),
    "blank lines": (b"\n\n", "mine.csv: the file is empty"),
    "text of another encoding": (b"arch.a,acc\nx,1\n\xe4,2\n", "mine.csv, line 3: the text is not UTF-8"),
    "no decision": (b"a,acc\nx,1\ny,2\n", "mine.csv, line 1: no decision column among 'a', 'acc'"),
    "no objective": (b"arch.a,top1,score.val\nx,1,2\n", "mine.csv, line 1: no score 'acc', only 'top1', 'val'"),
    "no cost": (b"arch.a,acc,ms\nx,1,2\n", "mine.csv, line 1: no cost 'ms', only none"),
    "two columns": (b"arch.a,arch.a,acc,cost.ms\n", "mine.csv, line 1: two columns are named 'arch.a'"),
    "a score twice": (b"arch.a,acc,score.acc,cost.ms\n", "mine.csv, line 1: columns 'score.acc' and 'acc' are the same"),
    "a short row": (CSV.encode() + b"x,1,2\ny,1\n", "mine.csv, line 3: the row has 2 cells, the header 3"),
    "a long row": (CSV.encode() + b"x,1,2\n\ny,1,2,3\n", "mine.csv, line 4: the row has 4 cells, the header 3"),
    "text": (CSV.encode() + b"x,1,2\ny,good,2\n", "mine.csv, line 3: score 'acc' is 'good'; it must be a finite number"),
    "an empty cell": (CSV.encode() + b"x,1,2\ny,,2\n", "mine.csv, line 3: score 'acc' is ''"),
    "nan": (CSV.encode() + b"x,nan,2\ny,1,2\n", "mine.csv, line 2: score 'acc' is nan"),
    "an infinite cost": (CSV.encode() + b"x,1,2\ny,1,inf\n", "mine.csv, line 3: cost 'ms' is inf"),
    "an open quote": (CSV.encode() + b'x,1,2\n"y,1,2\n', "mine.csv, line 3: not CSV"),
    "no rows": (CSV.encode(), "number of different architectures: 0;"),
    "one architecture": (CSV.encode() + b"x,1,2\nx,2,2\n", "number of different architectures: 1;"),
    "empty decisions": (CSV.encode() + b",1,2\n,2,2\n", "mine.csv: no row has a decision"),
}
RULED = ("no decision", "no objective", "no cost", "a score twice", "empty decisions")


@pytest.mark.parametrize("kind", FILES)
def test_damaged_csv(put, kind):
    data, start = FILES[kind]
    said = refusal(lambda: read_table(put(data), "acc", costs=["ms"]))
    assert start in said
    if kind in RULED:
        assert "arch.NAME" in said and "score.NAME or NAME" in said and "cost.NAME" in said


GOOD = row({"a": "x"}, cost={"ms": 2})
LINES = {
    "no JSON": ('{"arch": ', "line 3: not JSON (Expecting value)"),
    "nested too deep": ("[" * 100_000, "line 3: not JSON"),
    "no object": ("[1, 2]", "line 3: '[1, 2]' is not a JSON object"),
    "no arch": ('{"scores": {"acc": 1}}', "line 3: 'arch' is missing"),
    "arch of another kind": (row("x"), "line 3: 'arch' is 'x', not an object"),
    "no scores": ('{"arch": {"a": "y"}}', "line 3: 'scores' is missing"),
    "cost of another kind": (row({"a": "y"}, cost=3), "line 3: 'cost' is 3, not an object"),
    "no objective": (row({"a": "y"}, {"top1": 1}, cost={"ms": 1}), "line 3: no score 'acc', only 'top1'"),
    "no cost": (row({"a": "y"}), "line 3: no cost 'ms', only none"),
    "a label that is a list": (row({"a": ["y"]}, cost={"ms": 1}), "line 3: decision 'a' is ['y']; a label is text or a number"),
    "a number as text": (row({"a": "y"}, {"acc": "1"}, cost={"ms": 1}), "line 3: score 'acc' is '1'"),
    "a truth value": (row({"a": "y"}, {"acc": True}, cost={"ms": 1}), "line 3: score 'acc' is True"),
    "nothing": (row({"a": "y"}, {"acc": None}, cost={"ms": 1}), "line 3: score 'acc' is None"),
    "nan": (row({"a": "y"}, {"acc": float("nan")}, cost={"ms": 1}), "line 3: score 'acc' is nan"),
    "a huge number": (row({"a": "y"}, {"acc": 10**400}, cost={"ms": 1}), "line 3: not JSON (a number of 401 digits"),
    "a number of too many digits": ('{"arch": {}, "scores": {"acc": 1' + 5000 * "0" + "}}", "line 3: not JSON"),
    "a half-written line": (GOOD[:-5], "line 3: not JSON"),
}


@pytest.mark.parametrize("kind", LINES)
def test_damaged_jsonl(put, kind):
    line, start = LINES[kind]
    said = refusal(lambda: read_table(put(f"{GOOD}\n\n{line}", "t.jsonl"), "acc", costs=["ms"]))
    assert f"t.jsonl, {start}" in said
    assert "remove the line" in said or "add it" in said or "give one label" in said


def test_a_file_that_is_none(tmp_path, put):
    assert "a.csv: cannot be read (No such file" in refusal(lambda: read_table(tmp_path / "a.csv", "acc"))
    (tmp_path / "b.csv").mkdir()
    assert "b.csv: cannot be read" in refusal(lambda: read_table(tmp_path / "b.csv", "acc"))
    assert ".csv or .jsonl" in refusal(lambda: read_table(put(csv_text(), "mine.xlsx"), "acc"))
    assert "no row has a decision" in refusal(lambda: read_table(put(row({}) + "\n" + row({}), "t.jsonl"), "acc"))


SPACE = {"op": OneOf("conv", "pool"), "flags": ManyOf(("a", "b"), 0, 2), "block": OneOf({"k": OneOf(3, 5)}, None)}


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_scores_for_a_given_space(put, format):
    archs = list(enumerate_all(SPACE))[::-1]
    named = [labels(SPACE, arch) for arch in archs]
    paths = list(dict.fromkeys(path for one in named for path in one))
    if format == "csv":
        text = io.StringIO()
        lines = csv.writer(text)
        lines.writerow([*(f"arch.{path}" for path in paths), "score.acc", "score.loss", "x"])
        lines.writerows([*(one.get(path, "") for path in paths), i, -i, 7] for i, one in enumerate(named))
        path = put(text.getvalue())
    else:
        trials = [Trial(id=i, arch=arch, scores={"acc": i, "loss": -i}, fidelity="full") for i, arch in enumerate(archs)]
        path = put("\n".join(json.dumps(trial_to_row(SPACE, trial)) for trial in trials), "trials.jsonl")
    found = read_scores(path, SPACE)
    assert found == {arch: {"acc": float(i), "loss": float(-i)} for i, arch in enumerate(archs)}
    assert read_scores(path, SPACE, ["acc"])[archs[3]] == {"acc": 3.0}
    assert Trial(id=0, arch=archs[3], scores=found[archs[3]]).value(Objective("loss")) == -3.0


def test_which_columns_are_scores_of_a_given_space(put):
    space = {"a": OneOf("x", "y", "-")}
    assert read_scores(put("id,arch.a,acc,seconds\n0,x,1,9\n1,-,2,9\n"), space) == {
        Arch({"a": 0}): {"acc": 1.0},
        Arch({"a": 2}): {"acc": 2.0},
    }
    assert "no score column among 'id', 'arch.a'" in refusal(lambda: read_scores(put("id,arch.a\n0,x\n"), space))
    assert "has no score" in refusal(lambda: read_scores(put(row({"a": "x"}, {}), "t.jsonl"), space))
    twice = read_scores(put("arch.a,acc\nx,1\ny,5\nx,2\n"), space)
    assert twice == {Arch({"a": 0}): {"acc": 1.5}, Arch({"a": 1}): {"acc": 5.0}}
    assert "different architectures: 1" in refusal(lambda: read_scores(put("arch.a,acc\nx,1\nx,5\n"), space))


@pytest.mark.parametrize(
    ("arch", "said"),
    [
        ({"a": "z", "b": "1"}, "decision 'a' has no option 'z'"),
        ({"a": "x"}, "decision 'b' is missing"),
        ({"a": "x", "b": "-"}, "decision 'b' is missing"),
        ({"a": "x", "b": "1", "c": "2"}, "decision 'c' does not exist"),
    ],
)
def test_rows_outside_a_given_space(put, arch, said):
    path = put(row({"a": "x", "b": "1"}) + "\n\n" + row(arch), "t.jsonl")
    assert re.search(
        rf"t\.jsonl, line 3: {re.escape(said)}", refusal(lambda: read_scores(path, {"a": OneOf("x"), "b": OneOf(1, 2)}))
    )


def test_every_row_of_a_given_space_has_the_metrics_of_the_first(put):
    path = put(row({"a": "x"}, {"acc": 1, "f1": 2}) + "\n" + row({"a": "y"}, {"acc": 1}), "t.jsonl")
    space = {"a": OneOf("x", "y")}
    assert "line 2: no score 'f1', only 'acc'" in refusal(lambda: read_scores(path, space))
    assert len(read_scores(path, space, ["acc"])) == 2
