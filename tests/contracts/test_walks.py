"""What is data and which files are the same are decided alike in every task."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from tests.contracts.pictures import SIDE, TASKS, data_of

pytestmark = pytest.mark.parametrize("task", TASKS)
PLACES = {"classification": "train/a", "segmentation": "train", "detection": "images", "gan": "trainA", "superres": "train"}
"""A folder of training pictures of each task's data set."""
SHARED = {
    "classification": ("train/a/train_a.png", "val/a/val_a.png"),
    "segmentation": ("train/train.png", "val/val.png"),
    "detection": ("images/train.png", "images/val.png"),
    "gan": ("trainA/trainA0.png", "valA/valA0.png"),
    "superres": ("train/train.png", "val/val.png"),
}
"""A picture of train and one of val."""


def distinct() -> Callable[[Path], None]:
    """Saves a picture that no other file holds at every call."""
    rng = np.random.default_rng(0)

    def save(stem: Path) -> None:
        stem.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(stem.with_name(f"{stem.name}.png"))

    return save


@pytest.fixture
def root(tmp_path, task) -> Path:
    TASKS[task].lay(tmp_path / "data", distinct(), (SIDE, SIDE))
    return tmp_path / "data"


def test_what_is_hidden_loops_or_is_no_file_is_no_data_and_is_listed(root, task):
    before = data_of(task, root)
    place = root / PLACES[task]
    picture = next(place.glob("*.png"))
    (place / ".ipynb_checkpoints").mkdir()
    (place / "__MACOSX").mkdir()
    for copy in (".ipynb_checkpoints/x-checkpoint.png", "__MACOSX/x.png", "._x.png"):
        shutil.copy(picture, place / copy)
    os.mkfifo(place / "pipe.png")
    (place / "loop").symlink_to(place)
    (place / "self.png").symlink_to(place / "self.png")
    (place / "dead.png").symlink_to(root / "nowhere.png")
    (root / "__MACOSX").mkdir()
    after = data_of(task, root)
    assert after.describe()["images"] == before.describe()["images"]
    (note,) = [note for note in after.notes if note.startswith("left out, as no data: 8 entries: __MACOSX/ (hidden); ")]
    assert f"{PLACES[task]}/.ipynb_checkpoints/ (hidden)" in note
    assert len(after.notes) == len(before.notes) + 1


@pytest.mark.parametrize("how", ["link", "hard link"])
def test_one_file_in_two_splits_is_refused(root, task, how):
    first, second = (root / name for name in SHARED[task])
    second.unlink()
    second.symlink_to(first) if how == "link" else os.link(first, second)
    with pytest.raises(UserError, match=rf"{SHARED[task][1]} of val is in train as well .*splits must be disjoint"):
        data_of(task, root)


def test_a_copy_in_another_split_is_noted(root, task):
    before = data_of(task, root).notes
    first, second = (root / name for name in SHARED[task])
    shutil.copy(first, second)
    (note,) = set(data_of(task, root).notes) - set(before)
    assert note.startswith("1 pictures of") and "val" in note and "train" in note


def test_a_folder_linked_into_itself_by_its_parent_ends(root, task):
    (root / PLACES[task] / "up").symlink_to(root)
    assert data_of(task, root).describe()["images"]
