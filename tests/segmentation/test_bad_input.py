"""Bad input from the command line: one line with the file or value, rule and remedy; exit status 2; nothing lost."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.common.refusing import refused
from tests.segmentation.data.folders import annotation, make_split_folders, remove
from tests.segmentation.micro import SETTINGS, call, kill_when, words

pytest.importorskip("mmseg")

ON_FOLDER = [*SETTINGS, "data.size=null"]


@pytest.fixture
def root(tmp_path) -> Path:
    return make_split_folders(tmp_path / "data")


@pytest.fixture
def refuse(capsys):
    """Runs a command line that must be refused; gives the message, after looking for `parts` in it."""
    return lambda *argv, parts: refused(call, argv, parts, capsys)


def repaint(file: str, old: int, new: int):
    def change(root: Path) -> None:
        with Image.open(root / file) as picture:
            values = np.array(picture)
        Image.fromarray(np.where(values == old, np.uint8(new), values)).save(root / file)

    return change


def without_trees(root: Path) -> None:
    for i in range(3):
        repaint(f"trainannot/train_{i}.png", 2, 1)(root)


def emptied(root: Path) -> None:
    for file in (*(root / "val").iterdir(), *(root / "valannot").iterdir()):
        file.unlink()


BROKEN = {
    "value of no class": (
        repaint("trainannot/train_0.png", 2, 77),
        ("trainannot/train_0.png has the label value 77", "classes.txt allows 0 to 3"),
    ),
    "sizes differ": (
        lambda root: annotation(61, 40, [0, 1, 2]).save(root / "valannot" / "val_0.png"),
        ("image val/val_0.jpg is 60x40, yet its annotation valannot/val_0.png is 61x40", "--skip-bad"),
    ),
    "no annotation": (
        lambda root: (root / "trainannot" / "train_1.png").unlink(),
        ("image train/train_1.jpg has no annotation trainannot/train_1.png", "--skip-bad"),
    ),
    "no picture": (lambda root: (root / "val" / "val_1.jpg").unlink(), ("annotation valannot/val_1.png has no image",)),
    "empty split": (emptied, ("val/ with valannot/ has no usable image: every split needs at least one",)),
    "class never present": (without_trees, ("class 'tree' (label value 2) has no pixel in train", "--skip-bad")),
    "damaged picture": (
        lambda root: (root / "train" / "train_0.jpg").write_bytes((root / "train" / "train_0.jpg").read_bytes()[:-300]),
        ("image train/train_0.jpg: damaged",),
    ),
    "no folder": (remove, ("data is not a folder: give one with train/, trainannot/",)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_data_that_cannot_be_used(root, refuse, tmp_path, name):
    change, parts = BROKEN[name]
    change(root)
    refuse(*words(tmp_path / "run", "--data", str(root), settings=ON_FOLDER), parts=(str(root), *parts))
    assert not (tmp_path / "run").exists()


def test_a_crop_larger_than_all_pictures(root, refuse, tmp_path):
    settings = [*ON_FOLDER, "data.crop=[64,40]"]
    parts = ("data.crop=[64, 40]: crop 64x40 (height x width) is larger than the pictures of train, at most 60x60",)
    refuse(*words(tmp_path / "run", "--data", str(root), settings=settings), parts=parts)
    assert not (tmp_path / "run").exists()


def test_what_is_left_out_is_listed(root, tmp_path):
    without_trees(root)
    path = tmp_path / "run"
    argv = words(path, "--data", str(root), "--skip-bad", settings=ON_FOLDER)
    assert kill_when(argv, (path / "config.json").exists) == -signal.SIGKILL
    config = json.loads((path / "config.json").read_text())
    assert config["data"]["classes"] == ["sky", "road"] and "class 'tree'" in config["data"]["skipped"][0]
    assert any("1 damaged or unusable items" in note for note in config["notes"])


VALUES = {
    "--recipe huge": ("recipe 'huge' does not exist; choose one of smoke, small, paper",),
    "--resume": ("--resume needs the folder to go on with; give --out",),
    "--budget flops=1e6": ("budget 'flops' is no cost of a segmentation network; limit params, macs",),
    "--budget macs=1000": ("budget macs=1000 is impossible: no architecture costs less than", "raise the budget"),
    "--set space.size=huge": ("space.size=huge: no such size; choose one of",),
    "--set space.inputs=1": ("use a space of 2 inputs a cell at least",),
    "--set data.crop=[0,8]": ("crop=(0, 8): height and width must be at least 1 pixel",),
    "--set data.scale=[2,1]": ("scale=(2, 1): must be (low, high)",),
    "--set data.size=50": ("size=50", "multiple of 32"),
    "--set data.train=0": ("train=0", "at least one scene"),
    "--set search.engine.entropy=-1": ("search.engine.entropy=-1",),
    '--set search.engine.forbidden=["conv"]': ("search.engine.forbidden: 'conv' is no option of the space; choose among",),
    "--set search.engine.stop=skips": ("stop=skips: no decision of this space is between skip_connect",),
    '--set budget={"params":5e5} search.engine.cost=dual': ("cost=dual: this system prices networks one by one",),
    "--set search.engine.threshold=0.5 search.engine.members=null": ("threshold=0.5 with members=null: members",),
    "--set search.engine.members.keep=0.99": ("members.keep=0.99: of 9 options, the most of a decision, it takes all",),
    '--set search.engine.prune={"every":2}': ("closes gates; give them weights of their own",),
    '--set search.engine.members={"kind":"sigmoid"} search.engine.prune={"every":2}': ("prune: this system prices networks",),
    "--set search.engine.cap=1": ("cap=1: no decision of this space is between skip_connect and other operations; set",),
}


@pytest.mark.parametrize("value", VALUES)
def test_values_that_cannot_be_used(refuse, tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    option, given = value.partition(" ")[::2]
    small = ["--set", "data.train=8", "data.val=2", "data.test=2"]
    more = [*small, *given.split()] if option == "--set" else [option, *([given] if given else []), *small]
    refuse("dcnas", "--workers", "0", "--quiet", *more, parts=VALUES[value])
    assert not list(tmp_path.glob("runs/*"))
