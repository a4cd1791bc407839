"""Bad input from the command line: one line with the file or value, rule and remedy; exit status 2; nothing lost."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.common.refusing import refused
from tests.detection.data.folders import Folder
from tests.detection.micro import SETTINGS, call, kill_when, words

pytest.importorskip("mmdet")
from common.run.report import write_report

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path / "data")


@pytest.fixture
def refuse(capsys):
    """Runs a command line that must be refused; gives the message, after looking for `parts` in it."""
    return lambda *argv, parts: refused(call, argv, parts, capsys)


def on(folder: Folder, out: Path, *more: str) -> list[str]:
    return words(out, "--data", str(folder.path), *more, settings=[*SETTINGS, "data.size=64"])


def without(folder: Folder) -> None:
    for file in sorted(folder.path.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    folder.path.rmdir()


def emptied(folder: Folder) -> None:
    without(folder)
    folder.path.mkdir()


def truncated(folder: Folder) -> None:
    file = folder.image("train_0.jpg")
    file.write_bytes(file.read_bytes()[:-400])


def first(kind: str, **change: object):
    return lambda folder: folder.edit("train", lambda coco: coco[kind][0].update(change))


def twice(folder: Folder) -> None:
    folder.edit("train", lambda coco: coco["annotations"][1].update(id=coco["annotations"][0]["id"]))


def no_cats(folder: Folder) -> None:
    folder.edit("train", lambda coco: coco.update(annotations=[n for n in coco["annotations"] if n["category_id"] != 7]))


BROKEN = {
    "missing folder": (without, ("data is not a folder", "give one with annotations/")),
    "empty folder": (emptied, ("data has no folder annotations/", "COCO layout is")),
    "truncated image": (truncated, ("image train_0.jpg of train: damaged", "correct the files named, or pass --skip-bad")),
    "no image": (lambda f: f.image("val_0.jpg").write_text("hello"), ("image val_0.jpg of val: not an image", "--skip-bad")),
    "malformed json": (
        lambda f: f.json("val").write_text('{"images": ['),
        ("instances_val.json is not JSON (line 1", "copy it again"),
    ),
    "missing image": (lambda f: f.image("test_0.jpg").unlink(), ("image test_0.jpg of test: missing", "--skip-bad")),
    "box outside": (first("annotations", bbox=[50, 5, 40, 10]), ("annotation 1", "lies outside the 60x40 image", "--skip-bad")),
    "no area": (first("annotations", bbox=[5, 5, 0, 10]), ("annotation 1", "has no area", "--skip-bad")),
    "unknown category": (first("annotations", category_id=99), ("category_id 99", "`categories` lacks", "correct the files")),
    "duplicate ids": (twice, ("annotation id 1 occurs twice", "correct the files named")),
    "class without a box": (no_cats, ("class 'cat' (id 7) has no box in instances_train.json", "--skip-bad")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_data_that_cannot_be_used(folder, refuse, tmp_path, name):
    change, parts = BROKEN[name]
    change(folder)
    refuse(*on(folder, tmp_path / "run"), parts=(str(folder.path), *parts))
    assert not (tmp_path / "run").exists()


def test_damaged_items_can_be_left_out_and_are_listed(folder, tmp_path):
    truncated(folder)
    folder.edit("train", lambda coco: coco["annotations"][3].update(bbox=[5, 5, 0, 10]))
    path = tmp_path / "run"
    assert kill_when(on(folder, path, "--skip-bad"), (path / "config.json").exists) == -signal.SIGKILL
    config = json.loads((path / "config.json").read_text())
    image, box = config["data"]["skipped"]
    assert "annotation 4" in image + box and "image train_0.jpg of train: damaged" in image + box
    assert config["data"]["images"] == {"train": 2, "val": 1, "test": 1}
    report = write_report(path).read_text()
    assert "train_0.jpg" in report and "2 damaged or unusable items of the data were left out" in report


MICRO = ("--workers", "0", "--quiet")

VALUES = {
    "--recipe huge": ("recipe 'huge' does not exist", "choose one of smoke, small, paper"),
    "--resume": ("--resume needs the folder to go on with; give --out",),
    "--device tpu": ("device 'tpu' cannot be used", "give cpu, cuda, or auto"),
    "--device cuda:77": ("device 'cuda:77' cannot be used", "give cpu, cuda, or auto"),
    "--device meta": ("device 'meta' cannot be used",),
    "--workers -1": ("-1 workers: give 0",),
    "--budget macs=1e3": ("budget macs=1000 is impossible: the cheapest architecture costs 3,270,144 macs; raise the budget",),
    "--budget macs_backbone=1": ("budget macs_backbone=1 is impossible", "costs 9,219,840 macs_backbone; raise the budget"),
    "--budget flops=1e6": ("budget 'flops' is no cost of a detector; limit",),
    "--budget macs": ("budget 'macs': write metric=number",),
    "--budget macs=many": ("budget 'macs=many': write metric=number",),
    "--budget macs=-1": ("budget 'macs=-1': the limit must be a positive number",),
    "--budget macs=nan": ("budget 'macs=nan': the limit must be a positive number",),
    "--set search.trial=3": ("--set 'search.trial=3': SearchSettings has no field 'trial'; it has", "trials"),
    "--set search.population=3": ("SearchSettings has no field 'population'; engine has: engine.population; it has",),
    "--set serach.trials=3": ("Settings has no field 'serach'; it has",),
    "--set search.trials=few": ("--set 'search.trials=few': trials takes a whole number; it is 18 so far",),
    "--set search.trials=2.5": ("trials takes a whole number; it is 18 so far",),
    "--set search.trials=0": ("search.trials=0: give 1 or more",),
    "--set search.engine=evolution": (
        "engine is one of random, exhaustive, topk, ",
        "give a name, and its settings as engine.SETTING=VALUE",
    ),
    "--set search.engine=halving": ("search.engine=halving", "evaluation=inherited does not have", "search.evaluation=scratch"),
    "--set search.engine=gradient": ("search.engine=gradient: detnas has no training of a relaxed supernet; give another",),
    "--set space=300M budget={} search.engine=exhaustive": (
        "the space has more than 100,000 architectures; give another engine",
    ),
    "--set search.evaluation=proxy": ("search.evaluation=proxy: it has no overrides",),
    "--set search.reward=AP*2**": ("search.reward",),
    "--set search.reward=accuracy": ("accuracy", "AP50", "macs_backbone"),
    "--set search": ("--set 'search': write name=value",),
    "--set search=3": ("--set 'search=3': search takes an object as JSON, with engine, evaluation",),
    "--set search.evaluation.images.first=3": ("int has no field 'first'; it has no fields",),
    "--set detect.paths=random": ("detect.paths=random': paths takes one of uniform",),
    "--set pretrain.paths=cost-bins": ("bins belong to cost-bins; give both or neither",),
    "--set search.engine.population=0": ("search.engine.population=0: give 1 or more",),
    "--set retrain.seeds=0": ("retrain.seeds=0: give 1 or more",),
    "--set detect.steps=0": ("detect.steps=0: a detector must be trained",),
    "--set detect.batch=0": ("batches of 0 images: give 1 or more",),
    "--set detect.optim.lr=-1": ("lr is -1", "give a number above 0"),
    "--set threads=0": ("threads=0: give 1 or more",),
    "--set save_every=0": ("save_every=0: give 1 or more",),
    "--set space=huge": ("space 'huge' does not exist",),
    "--set data.train=0": ("train=0", "at least one scene"),
    "--set data.size=50": ("size=50", "multiple of 32"),
    "--set data.classes=11": ("11",),
}


@pytest.mark.parametrize("value", VALUES)
def test_values_that_cannot_be_used(refuse, tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    small = () if value.startswith("--set") else ("--set", "data.train=8", "data.val=4", "data.test=4")
    more = [] if not small and "data." in value else ["data.train=8", "data.val=4", "data.test=4"] if not small else []
    refuse("detnas", *MICRO, *value.split(), *more, *small, parts=VALUES[value])
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "runs"]) and not list(tmp_path.glob("runs/*"))


def test_values_that_fit_each_other_may_come_in_any_order():
    from common.options import RunOptions, settings_of
    from detection.detnas.recipes import RECIPES

    words = (
        *("search.evaluation.images=null", "search.evaluation=inherited", "search.engine.population=9", "search.engine=aging"),
        *("pretrain.bins=[1e6,2e6]", "pretrain.paths=cost-bins", "data.folder=3", "detect.optim.lr=1"),
    )
    settings = settings_of(RECIPES, RunOptions(set=words))
    assert settings.pretrain.bins == (1e6, 2e6) and settings.pretrain.paths == "cost-bins"
    assert settings.data.folder == "3" and settings.search.evaluation.images is None and settings.detect.optim.lr == 1
    assert (settings.search.engine.name, settings.search.engine.population) == ("aging", 9)


def occupied(path: Path) -> None:
    path.mkdir()
    (path / "thesis.tex").write_text("mine")


def half_written(path: Path) -> None:
    path.mkdir()
    (path / "space.json").write_text("{}")


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (occupied, ("is not empty and holds no run ('thesis.tex' is in it); give another --out",)),
        (half_written, ("holds a half-written run (no config.json); give --resume to start it over or another --out",)),
        (lambda path: path.write_text("mine"), ("is a file; --out needs a folder, new or empty",)),
    ],
)
def test_folders_that_cannot_be_used(refuse, tmp_path, make, parts):
    path = tmp_path / "run"
    make(path)
    refuse(*words(path), parts=(str(path), *parts))


def test_a_folder_that_cannot_be_made(refuse, tmp_path):
    (tmp_path / "file").write_text("mine")
    refuse(*words(tmp_path / "file" / "run"), parts=(f"{tmp_path}/file is a file; give a folder as --out",))


@pytest.mark.parametrize("make", [occupied, lambda path: None])
def test_folders_that_cannot_be_resumed(refuse, tmp_path, make):
    make(tmp_path / "run")
    refuse(*words(tmp_path / "run", "--resume"), parts=(f"{tmp_path}/run holds no run; start one without --resume",))


def test_a_half_written_run_is_started_over(tmp_path):
    path = tmp_path / "run"
    half_written(path)
    assert kill_when(words(path, "--resume"), (path / "config.json").exists) == -signal.SIGKILL
    assert len(json.loads((path / "space.json").read_text())["decisions"]) == 8


def test_an_architecture_with_a_stale_option(refuse, capsys, tmp_path):
    call(["describe", "detnas", "--arch", "COCO_FPN_300M"])
    genes = json.loads(capsys.readouterr().out)["genes"]
    assert len(genes.split()) == 20
    from common.arch import save
    from detection.detnas.space import classifier, published_classifier

    file = tmp_path / "arch.json"
    save(file, classifier("300M"), published_classifier("COCO_FPN_300M")[1])
    call(["describe", "detnas", "--arch", str(file)])
    assert json.loads(capsys.readouterr().out)["genes"] == genes
    file.write_text(re.sub('"shuffle5"', '"shuffle9"', file.read_text(), count=1))
    refuse("describe", "detnas", "--arch", str(file), parts=(str(file), "shuffle9"))
    refuse("describe", "detnas", "--arch", str(tmp_path / "none.json"), parts=("none.json",))
    refuse("describe", "none", "--arch", "x", parts=("system 'none' does not exist; choose one of detnas",))


def script(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "detection.train", *argv]
    return subprocess.run(command, cwd=cwd, env=None, capture_output=True, text=True, check=False)


def test_a_whole_process_ends_with_status_2_and_one_line():
    done = script("detnas", "--budget", "macs=x", cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: budget 'macs=x': write metric=number, macs=300e6 say\n"


@pytest.mark.parametrize("argv", [["detnas", "--epochs", "3"], ["detnas", "--seed", "x"], ["unknown"], []])
def test_wrong_flags_are_named(capsys, argv):
    with pytest.raises(SystemExit) as stop:
        call(argv)
    assert stop.value.code == 2
    out, error = capsys.readouterr()
    assert "Traceback" not in out + error
    assert not argv or argv[-2 if len(argv) > 2 else -1].strip("-").split("=")[0] in out + error
