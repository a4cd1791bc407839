"""Words of command lines are checked before anything heavy is imported, and refusals and help say what is expected."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import UserError
from common.overrides import in_words
from graphs.facts import GraphFacts
from tasknas.__main__ import main
from tasknas.commands import groups
from tests.contracts.cases import SYSTEMS

ROOT = Path(__file__).parents[2]
LISTED = [system for task, system in SYSTEMS if task != "toy"]
COMMANDS = [[entry.name] for group in groups() for entry in group.entries if entry.name != "describe"]
HELP = [*COMMANDS, *(["describe", system.name] for system in LISTED)]


def printed(*words: object) -> tuple[int, str, str]:
    """Status and what a command prints on standard output and on standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def refused(*words: object) -> str:
    status, _, err = printed(*words)
    assert status == 2 and len(err.splitlines()) == 1, err
    return err.strip()


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help_shows_no_default_that_is_none(words):
    status, text, _ = printed(*words, "--help")
    text = " ".join(text.replace("│", " ").split())
    assert status == 0 and "None" not in text and "(default: )" not in text


@pytest.mark.parametrize("system", LISTED, ids=lambda system: system.name)
def test_settings_are_listed_and_explained(system):
    """`--set` without a word, and `--print-config`; nothing is run."""
    method = system.methods[0].name
    _, keys, _ = printed(method, "--seed", "3", "--set")
    _, explained, _ = printed(method, "--print-config", "--seed", "3")
    words = keys.splitlines()
    assert "seed=3" in words and "retrain.seeds=" in keys and len(words) > 40
    lines = explained.splitlines()
    for word in words:
        assert lines[lines.index(word) + 1].startswith("    ") and lines[lines.index(word) + 2].startswith("    "), word
    told = explained[explained.index("retrain.seeds=") :].splitlines()
    assert told[1:3] == ["    a whole number", "    Trainings of each network."]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("retrain.seeds=many", "seeds takes a whole number; it is 2 so far"),
        ("search.random_baseline=2", "random_baseline takes true or false"),
        ("space.widths=wide", "widths takes a list of whole numbers as JSON ([2, 2] say)"),
        ("search.engine.policy=x", "policy takes one of lstm, independent"),
        ("budget=3", "budget takes an object of numbers by name, as JSON"),
        ("retrain.seed=3", "--print-config lists all settings"),
        ("retrain", "--print-config lists all settings"),
    ],
)
def test_a_wrong_setting_says_what_is_expected(word, expected):
    assert expected in refused("graphnas", "--set", word)


def test_types_in_words():
    assert in_words(tuple[int, str]) == 'a list of 2 whole numbers and texts as JSON ([2, "a"] say)'
    assert in_words(float | None) == "a number or null"


UNFINISHED = {"task": "graphs", "system": "pdnas", "command": "tasknas pdnas --seed 1 --out old --resume --set save_every=3"}
WORDS = {
    ("predict", "RUN", "photo.png"): "RUN has no best network yet: the run is not finished (done: search); to go on with it: "
    "tasknas pdnas --seed 1 --set save_every=3 --out RUN --resume",
    ("predict", "RUN"): "predict: no file given",
    ("predict", "DONE", "absent.png"): "absent.png: no such file",
    ("predict", "DONE", "photo.png", "--out", "photo.png"): "photo.png is a file; give a folder as --out",
    ("predict", "DONE", "photo.png", "--out", "photo.png/below"): "photo.png is a file; give a folder as --out",
    ("predict", "EMPTY", "photo.png"): "EMPTY is no run folder",
    ("gan-compression", "--recipe", "small"): "embedded photographs have sides of at most 88; give --data FOLDER",
    ("detnas", "--recipe", "paper"): "embedded scenes have sides of at most 288; give --data FOLDER",
    ("efficientdet", "--set", "data.size=208"): "--set data.size=64, a multiple of 32",
    ("dcnas", "--recipe", "paper"): "288 are the most; give --data FOLDER",
    ("graphnas", "--name", "Cora"): "data set 'Cora' needs the folder that holds it",
    ("graphnas", "--recipe", "tiny"): "recipe 'tiny' does not exist",
    ("graphnas", "--set", "retrain.seeds=x"): "seeds takes a whole number",
}
"""Words -> what is said of them."""
SCRIPT = """
import contextlib, io, json, sys
from tasknas.__main__ import main
found = []
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.suppress(SystemExit):
        main(words)
    found.append((out.getvalue(), err.getvalue()))
print(json.dumps({"found": found, "heavy": sorted({"torch", "mmdet", "mmseg", "torch_geometric"} & set(sys.modules))}))
"""


def test_refused_words_cost_no_import_of_torch(tmp_path):
    """One process says all of it."""
    (tmp_path / "photo.png").write_bytes(b"no picture")
    for name in ("RUN", "EMPTY"):
        (tmp_path / name).mkdir()
    (tmp_path / "DONE" / "best").mkdir(parents=True)
    for name in ("config.json", "best/model.safetensors"):
        (tmp_path / "DONE" / name).write_text("{}")
    (tmp_path / "RUN" / "config.json").write_text(json.dumps(UNFINISHED))
    (tmp_path / "RUN" / "stages.jsonl").write_text('{"stage": "search", "seconds": 1, "result": {}}\n')
    call = [sys.executable, "-c", SCRIPT, json.dumps(list(WORDS))]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["heavy"] == []
    for (words, expected), (out, err) in zip(WORDS.items(), told["found"], strict=True):
        assert not out and err.startswith("error: ") and err.count("\n") == 1 and expected in err, (words, err)


def test_a_photo_for_a_graph_run_is_told_what_it_takes(tmp_path):
    facts = GraphFacts(features=8, classes=("a", "b"), multilabel=False)
    (tmp_path / "photo.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"photo.png: no .npz file; a run on graphs predicts .*: give an .npz file with x "):
        facts.read(tmp_path / "photo.png")
