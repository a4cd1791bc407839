"""A few hundred inputs of `make fuzz`, and the fuzzer itself: it must be able to find what it looks for."""

import os
from random import Random

import pytest

pytest.importorskip("mmdet")
pytest.importorskip("mmseg")
pytest.importorskip("torch_geometric")

from common.errors import UserError
from tests.fuzz.__main__ import CASES
from tests.fuzz.case import Case, outcome, tried
from tests.fuzz.damage import by_name

INPUTS = 15
"""Of each kind; `make fuzz` has thousands, with other seeds."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_damaged_inputs_end_in_success_or_in_one_line(case, monkeypatch):
    monkeypatch.setattr("tests.fuzz.runs.write_report", lambda run: None)  # a second each
    assert [said for seed in range(90_000, 90_000 + INPUTS) if (said := tried(case, seed))] == []


def _raises(error):
    def call():
        raise error

    return call


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (_raises(KeyError("stage")), "KeyError"),
        (_raises(RecursionError()), "RecursionError"),
        (_raises(SystemExit(1)), "SystemExit"),
        (_raises(UserError("")), "the message is empty"),
        (lambda: bytearray(1400 << 20), " MB"),  # far beyond: the system may take memory away meanwhile
    ],
)
def test_other_ends_are_found(call, said):
    assert said in outcome(call)


def test_good_ends_are_not():
    assert outcome(_raises(UserError("x.json is damaged; restore it"))) == outcome(lambda: None) == ""


def test_an_input_that_takes_too_long_is_found(monkeypatch):
    monkeypatch.setattr("tests.fuzz.case.SECONDS", 0.5)
    assert "TimeoutError" in outcome(lambda: [None for _ in iter(int, 1)])


def test_a_reader_that_trusts_its_file_is_found_and_the_file_is_whole_again(tmp_path):
    import json

    def read(folder, rng):
        return json.loads((folder / "a.json").read_text())["a"]["b"] + 1

    def make(folder):
        (folder / "a.json").write_text('{"a": {"b": 1}}')
        folders.append(folder)

    folders = []
    case = Case(name="trusting", make=make, read=read, files=("*.json",))
    said = [tried(case, seed) for seed in range(60)]
    kinds = {kind for kind in ("KeyError", "TypeError", "JSONDecodeError", "ValueError") for text in said if kind in text}
    assert len(kinds) >= 3 and (folders[0] / "a.json").read_text() == '{"a": {"b": 1}}' and len(folders) == 1


@pytest.mark.parametrize("name", ["a.json", "a.npz", "a.pickle", "a.txt", "a.csv", "a.bin"])
def test_damage_is_a_function_of_the_seed(name):
    import io

    import numpy as np

    out = io.BytesIO()
    np.savez(out, a=np.arange(3))
    data = out.getvalue() if name == "a.npz" else b'{"a": [1, {"b": "text"}],\n "c": 2}\n'
    made = [by_name(name)(data, Random(seed)) for seed in range(40)]
    assert made == [by_name(name)(data, Random(seed)) for seed in range(40)] or name == "a.npz"  # archives hold the time
    assert sum(found != data for found in made) > 30 and os.path.basename(name) == name
