"""The command `data` of every task: what a run would find, refusals in the words of a run, no torch, and pictures on request."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from common.commands import run_commands
from common.errors import UserError
from common.look import LookOptions, data_settings
from common.options import settings_of
from common.system import systems_of
from tasknas.__main__ import main
from tests.contracts.folders import CASES

CLASSES = {
    "binary": {"a": 3, "b": 3},
    "classification": {"a": 3, "b": 3},
    "detection": {"a": 2, "b": 2},
    "segmentation": {"a": 2 * 40 + 40, "b": 37 * 40 + 36 * 40},
    "gan": None,
    "superres": None,
    "graphs": {"0": 2, "1": 2},
}
"""What there is of each class in the training split: images, boxes, pixels, nodes."""

WITHOUT_TORCH = """
import contextlib, io, json, sys
from tasknas.__main__ import main
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        main(words)
    json.loads(said.getvalue())
    found = {"torch", "torch_geometric", "mmdet", "torchvision"} & sys.modules.keys()
    assert not found, (words, found)
print("done")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    found = {task: tmp_path_factory.mktemp("data") / task for task in CASES}
    for task, folder in found.items():
        CASES[task].make(folder)
    return found


def words(task: str, folder: Path, *more: str) -> list[str]:
    return ["data", "--data", str(folder), *CASES[task].options, *more]


def call(task: str, argv: list[str]) -> None:
    """The train script of a task in this process."""
    run_commands(f"python -m {task}.train", systems_of(task), argv)


def run_settings(task: str, folder: Path) -> Any:
    """Settings of a smoke run on a folder."""
    system = systems_of(task)[0]
    options = {"name": "mine.npz"} if task == "graphs" else {}
    return settings_of(system.methods[0].recipes, system.options(data=str(folder), **options))


@pytest.mark.parametrize("task", CASES)
def test_what_a_run_would_find_is_one_json_object(task, made, capsys):
    call(task, words(task, made[task]))
    found = json.loads(capsys.readouterr().out)
    assert {"task", "name", "digest", "counts", "notes", "skipped"} <= found.keys() and found["task"] == task
    assert found["counts"].get("train") == CLASSES[task]
    if task != "graphs":
        train = found["pictures"]["train"]
        side = CASES[task].side
        assert train["sizes"] == {f"{side}x{side}": train["files"]} and train["modes"] == {"RGB": train["files"]}
        every = [np.asarray(Image.open(file)) / 255 for file in sorted((made[task]).rglob("*.png")) if "annot" not in str(file)]
        assert found["pictures"]["mean"] == pytest.approx(np.mean(every, axis=(0, 1, 2)).tolist(), abs=0.03)
        assert found["pictures"]["deviation"] == pytest.approx(np.std(every, axis=(0, 1, 2)).tolist(), abs=0.03)


@pytest.mark.parametrize("task", CASES)
def test_the_entry_is_that_of_a_run(task, made, capsys):
    """Of the same settings: what `config.json` would hold, the digest with it."""
    settings = run_settings(task, made[task])
    more = ("data.crop=[32,32]",) if task == "segmentation" else ()
    name = settings.data.name if task == "graphs" else None
    data = data_settings(task, LookOptions(data=str(made[task]), name=name, set=more))
    expected = systems_of(task)[0].task.resolve().read(replace(settings, data=data)).describe()
    call(task, words(task, made[task]))
    found = json.loads(capsys.readouterr().out)
    assert {key: found[key] for key in expected} == json.loads(json.dumps(expected))


def damaged(task: str, folder: Path) -> None:
    if task == "graphs":
        (folder / "mine.npz").write_bytes((folder / "mine.npz").read_bytes()[:200])
        return
    file = sorted(path for path in folder.rglob("*.png") if "annot" not in str(path))[0]
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize("task", CASES)
def test_refusals_are_those_of_a_run(task, made, tmp_path, capsys):
    shutil.copytree(made[task], tmp_path / "data")
    damaged(task, tmp_path / "data")
    for folder in (tmp_path / "data", tmp_path / "none"):
        with pytest.raises(UserError) as raised:
            systems_of(task)[0].task.resolve().read(run_settings(task, folder))
        with pytest.raises(SystemExit) as stop:
            call(task, words(task, folder))
        printed = capsys.readouterr()
        assert (stop.value.code, printed.out, printed.err) == (2, "", f"error: {raised.value}\n")


def test_no_torch_is_imported(made):
    """With folders, and with embedded data."""
    lines = [["data", task, *words(task, folder)[1:]] for task, folder in made.items()]
    few = ["--set", "data.train=4", "data.val=2", "data.test=2"]
    lines += [["data", "classification"], ["data", "graphs"], ["data", "detection", *few], ["data", "segmentation", *few]]
    lines.append(["data", "gan", *few, "data.size=24"])
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, json.dumps(lines)], capture_output=True, text=True)
    assert done.stdout == "done\n", done.stderr


@pytest.mark.parametrize("task", [task for task in CASES if task != "graphs"])
def test_items_are_drawn_as_training_sees_them(task, made, tmp_path, capsys):
    target = tmp_path / "out.png"
    more = ("--set", "data.size=32", "data.load=36") if task == "gan" else ()
    more += ("--set", "data.crop=[32,32]") if task == "segmentation" else ()
    call(task, words(task, made[task], "--pictures", str(target), *more))
    assert json.loads(capsys.readouterr().out)["task"] == task
    with Image.open(target) as picture:
        assert picture.width > 150 and len(picture.getcolors(1 << 24) or ()) > 50


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (("--pictures", "out.jpg"), "--pictures out.jpg is no name of a PNG picture; give one that ends in .png"),
        (("--pictures", "none/out.png"), "--pictures none/out.png cannot be written; give a file in a folder that exists"),
        (("--name", "Cora"), "--name Cora: data of detection are a folder and have no name; leave --name out"),
        (("--set", "data.sise=3"), "sise"),
    ],
)
def test_options_that_do_not_fit(more, part, made, capsys):
    with pytest.raises(SystemExit) as stop:
        call("detection", words("detection", made["detection"], *more))
    printed = capsys.readouterr()
    assert stop.value.code == 2 and part in printed.err and printed.err.count("\n") == 1 and not printed.out


def test_graphs_have_no_pictures_and_tasks_have_names(made, tmp_path, capsys):
    for line, part in (
        (
            ["data", "graphs", *words("graphs", made["graphs"])[1:], "--pictures", str(tmp_path / "out.png")],
            "a graph has no pictures",
        ),
        (["data", "detektion"], "task 'detektion' is not installed here; choose one of binary, classification, detection"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(line)
        printed = capsys.readouterr()
        assert stop.value.code == 2 and part in printed.err and not printed.out
