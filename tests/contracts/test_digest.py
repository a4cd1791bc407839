"""Data are known by their content, in every task: the same data elsewhere are the same, other data at the same place are not."""

import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from common.system import task_packages
from tests.contracts.folders import CASES

CHANGES = [(task, number) for task, case in CASES.items() for number in range(len(case.changes))]


def read(task: str, folder: Path, **changes: Any) -> Any:
    """The data of a folder as a run of the task reads them."""
    settings = import_module(f"{task}.settings").DataSettings(folder=str(folder))
    if task == "graphs":
        settings = replace(settings, name="mine.npz")
    return import_module(f"{task}.data.load").load_data(replace(settings, **changes))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    found = {task: tmp_path_factory.mktemp("data") / task for task in CASES}
    for task, folder in found.items():
        CASES[task].make(folder)
    return found


def test_every_task_has_a_folder():
    assert sorted(CASES) == task_packages()


@pytest.mark.parametrize("task", CASES)
def test_the_same_data_elsewhere_have_the_same_digest(task, made, tmp_path):
    shutil.copytree(made[task], tmp_path / "elsewhere")
    first, second = read(task, made[task]), read(task, tmp_path / "elsewhere")
    assert first.name != second.name
    assert first.describe()["digest"] == first.digest() == second.digest()


@pytest.mark.parametrize(("task", "number"), CHANGES, ids=[f"{task}-{number}" for task, number in CHANGES])
def test_other_data_have_another_digest(task, number, made, tmp_path):
    shutil.copytree(made[task], tmp_path / "changed")
    file, change = CASES[task].changes[number]
    change(tmp_path / "changed" / file)
    assert read(task, tmp_path / "changed").digest() != read(task, made[task]).digest()


def test_what_backbones_are_pretrained_on_belongs_to_the_data(made, tmp_path):
    images = tmp_path / "images"
    shutil.copytree(made["classification"], images)
    alone, more = (read("detection", made["detection"], classification=given).digest() for given in (None, str(images)))
    CASES["classification"].changes[1][1](images / "train/a/0.png")
    assert len({alone, more, read("detection", made["detection"], classification=str(images)).digest()}) == 3
