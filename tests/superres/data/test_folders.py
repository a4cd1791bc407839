"""Folders of high-resolution pictures: layouts, splits, and what the notes tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.data.pictures import VAL_IS_TEST
from superres.data import batch_at
from superres.data.files import pair_of
from superres.settings import DataSettings
from tests.superres.data.folders import counts, fill, make, noise, read, save

# Layouts


def test_sets_of_known_names_are_read(tmp_path):
    data = read(make(tmp_path))
    assert (data.name, data.scale, data.skipped) == (str(tmp_path), 2, ())
    assert counts(data) == (18, 2, 5)
    assert data.test.files == ("Set5/00.png", "Set5/01.png", "Set5/02.png", "Set14/00.png", "Set14/01.png")
    assert data.test.groups == ("Set5",) * 3 + ("Set14",) * 2
    assert set(data.train.groups) == set(data.val.groups) == {""}
    assert sorted((*data.train.files, *data.val.files)) == [f"T91/{i:02d}.png" for i in range(20)]
    assert data.notes == (
        "layout: sets of pictures, train T91/, test Set5/ and Set14/",
        "val is held out of T91/: 2 of 20 pictures",
    )
    assert data.facts() == {
        "scale": 2,
        "images": {"train": 18, "val": 2, "test": 5},
        "benchmarks": {"Set5": 3, "Set14": 2},
    }
    for split in data.splits:
        for index, (file, path) in enumerate(zip(split.files, split.paths, strict=True)):
            assert path == tmp_path / file
            expected = pair_of(Image.open(path), 2)
            low, high = split.pair(index)
            assert (low.numpy() == expected.low).all() and (high.numpy() == expected.high).all()


@pytest.mark.parametrize(
    ("name", "split", "group"),
    [
        ("General100", "train", ""),
        ("BSDS200", "train", ""),
        ("DIV2K_train_HR", "train", ""),
        ("train", "train", ""),
        ("DIV2K_valid_HR", "val", "DIV2K"),
        ("val", "val", ""),
        ("valid", "val", ""),
        ("set5", "test", "Set5"),
        ("B100", "test", "B100"),
        ("BSD100", "test", "B100"),
        ("URBAN100", "test", "Urban100"),
        ("Manga109", "test", "Manga109"),
        ("test", "test", ""),
    ],
)
def test_the_name_of_a_folder_says_what_its_pictures_are_for(tmp_path, name, split, group):
    rest = {"T91": 6} if split != "train" else {}
    others = {"val": 1, "Set14": 1} if split == "train" else {"Set14": 1} if split == "val" else {"val": 1}
    data = read(make(tmp_path, {name: 2, **rest, **others}))
    found = getattr(data, split)
    assert {file for file in found.files if file.startswith(name)} == {f"{name}/00.png", f"{name}/01.png"}
    assert {own for file, own in zip(found.files, found.groups) if file.startswith(name)} == {group}


def test_several_training_sets_are_one(tmp_path):
    data = read(make(tmp_path, {"BSDS200": 4, "T91": 5, "val": 1, "test": 1}))
    assert [file.split("/")[0] for file in data.train.files] == ["T91"] * 5 + ["BSDS200"] * 4
    assert data.notes == ("layout: sets of pictures, train T91/ and BSDS200/, val val/, test test/",)


def test_pictures_right_in_the_folder_are_split_by_a_fixed_stream(tmp_path):
    data = read(fill(tmp_path, 30))
    assert counts(data) == (25, 2, 3)
    every = [file for split in data.splits for file in split.files]
    assert sorted(every) == [f"{i:02d}.png" for i in range(30)]
    assert all(list(split.files) == sorted(split.files) for split in data.splits)
    assert data.test.files != tuple(f"{i:02d}.png" for i in range(27, 30))  # not just the last ones
    assert data.notes == (
        "layout: pictures right in the folder",
        "of 30 pictures, 3 chosen at random are the test split, and 2 others are val",
    )
    more = read(tmp_path, val=9)
    assert more.test.files == data.test.files  # how many are held out does not change what is tested
    assert counts(more) == (18, 9, 3) and set(data.val.files) < set(more.val.files)


def test_low_resolution_pictures_and_unknown_folders_are_left_out(tmp_path):
    make(tmp_path, {"DIV2K_train_HR": 4, "Set5": 1})
    fill(tmp_path / "DIV2K_train_LR_bicubic" / "X2", 1, 7)
    fill(tmp_path / "LR_x2", 1, 8)
    fill(tmp_path / "LRbicx4", 1, 8)
    fill(tmp_path / "Colrful", 1, 9)
    save(noise(5), tmp_path / "loose.png")
    for name in ("README.md", ".DS_Store"):
        (tmp_path / name).touch()
    fill(tmp_path / "Set5" / "HR", 1, 10)
    data = read(tmp_path)
    assert counts(data) == (3, 1, 1)
    assert data.notes[1:3] == (
        "left out, as no data: 4 entries: .DS_Store (hidden); Colrful/ (a folder of no known name); "
        "Set5/HR/ (a folder, where pictures are expected); loose.png (beside the folders of pictures)",
        "DIV2K_train_LR_bicubic/, LR_x2/ and LRbicx4/ left out: low-resolution pictures are made here, of scale 2",
    )
    fill(tmp_path / "plain", 5, 11)
    fill(tmp_path / "plain" / "train_LR", 1, 12)
    (tmp_path / "plain" / "more").mkdir()
    assert read(tmp_path / "plain").notes[1:3] == (
        "left out, as no data: more/ (a folder, where pictures are expected)",
        "train_LR/ left out: low-resolution pictures are made here, of scale 2",
    )


# Splits


def test_a_validation_set_is_used_as_it_is_or_its_first_pictures(tmp_path):
    make(tmp_path, {"T91": 3, "val": 5, "Set5": 2})
    data = read(tmp_path)
    assert counts(data) == (3, 5, 2)
    assert data.notes == ("layout: sets of pictures, train T91/, val val/, test Set5/",)
    few = read(tmp_path, val=2)
    assert few.val.files == data.val.files[:2] and counts(few) == (3, 2, 2)
    assert few.notes[-1] == "val is the first 2 of 5 pictures of val/"


def test_a_validation_set_without_a_test_set_is_the_test_split(tmp_path):
    data = read(make(tmp_path, {"DIV2K_train_HR": 12, "DIV2K_valid_HR": 3}))
    assert counts(data) == (11, 1, 3)
    assert data.test.name == "test" and data.test.groups == ("DIV2K",) * 3
    assert data.val.files[0].startswith("DIV2K_train_HR/")
    assert data.notes[1:] == (
        "val is held out of DIV2K_train_HR/: 1 of 12 pictures",
        "no test pictures: those of DIV2K_valid_HR/ are the test split",
    )


def test_without_both_the_pictures_held_out_are_the_test_split_too(tmp_path):
    data = read(make(tmp_path, {"train": 12}), val=4)
    assert counts(data) == (8, 4, 4)
    assert data.test.files == data.val.files and (data.val.name, data.test.name) == ("val", "test")
    assert not set(data.train.files) & set(data.val.files)
    assert data.notes[1:] == ("val is held out of train/: 4 of 12 pictures", f"no test pictures: {VAL_IS_TEST}")


def test_held_out_pictures_are_the_same_in_every_run_and_at_most_a_hundred(tmp_path, monkeypatch):
    data = read(make(tmp_path, {"train": 40, "test": 1}))
    assert counts(data) == (36, 4, 1)
    assert data.val.files == read(tmp_path).val.files
    assert data.val.files != tuple(f"train/{i:02d}.png" for i in range(4))
    assert set(data.val.files) < set(read(tmp_path, val=11).val.files)
    monkeypatch.setattr("superres.data.holdout._MOST_HELD_OUT", 3)
    assert counts(read(tmp_path)) == (37, 3, 1)


# Notes


def test_cropped_pictures_are_told_of_once(tmp_path):
    make(tmp_path)
    for name, size in (("T91/03.png", (41, 36)), ("Set5/00.png", (40, 37)), ("Set5/01.png", (47, 33))):
        save(noise(1, *size), tmp_path / name)
    told = (
        "3 of 25 pictures have a side that is no multiple of 2: they are cropped to one at the right and lower edge",
        "25 of 25 pictures have a side that is no multiple of 3: they are cropped to one at the right and lower edge",
        "3 of 25 pictures have a side that is no multiple of 4: they are cropped to one at the right and lower edge",
    )
    for scale, note in zip((2, 3, 4), told, strict=True):
        patch = 33 if scale == 3 else 32
        assert [note for note in read(tmp_path, scale, patch).notes if "cropped" in note] == [note]


def test_what_reading_changes_is_told_by_set(tmp_path):
    make(tmp_path)
    grey = np.asarray(noise(1))[..., 0]
    save(Image.fromarray(grey), tmp_path / "T91" / "00.png")
    save(Image.fromarray(np.stack([grey, grey], axis=2)), tmp_path / "T91" / "02.png")
    save(Image.fromarray(grey.astype(np.uint16) * 257), tmp_path / "T91" / "01.png")
    save(noise(2).convert("RGBA"), tmp_path / "Set5" / "00.png")
    save(noise(3).convert("CMYK"), tmp_path / "Set14" / "00.tif")
    data = read(tmp_path)
    assert data.notes[1:5] == (
        "3 of 20 pictures of T91/ are grey: they are read as RGB with three equal channels",
        "1 of 20 pictures of T91/ are 16-bit grey: their values are divided by 257, to 0 to 255",
        "1 of 20 pictures of T91/ have an alpha channel: it is dropped, the colours beneath it are used",
        "1 of 6 pictures of Set5/ and Set14/ have an alpha channel: it is dropped, the colours beneath it are used",
    )
    every = {file: split.pair(index)[1] for split in data.splits for index, file in enumerate(split.files)}
    for name in ("T91/00.png", "T91/01.png"):
        assert (every[name].numpy() == grey[None]).all()
    assert (every["Set5/00.png"].numpy() == np.asarray(noise(2)).transpose(2, 0, 1)).all()
    assert (every["Set14/00.tif"].numpy() == np.asarray(noise(3).convert("CMYK").convert("RGB")).transpose(2, 0, 1)).all()


def test_the_same_pixels_in_two_splits_are_told(tmp_path):
    make(tmp_path, {"train": 5, "val": 3, "test": 3})
    assert not any("same pixels" in note for note in read(tmp_path).notes)
    Image.open(tmp_path / "train" / "02.png").save(tmp_path / "test" / "01.bmp")  # another file, the same picture
    Image.open(tmp_path / "val" / "02.png").save(tmp_path / "test" / "02.png")
    told = [note for note in read(tmp_path).notes if "same pixels" in note]
    assert told == [
        "1 pictures of train are in test as well: the same pixels",
        "1 pictures of val are in test as well: the same pixels",
    ]


def test_more_pictures_than_memory_holds_are_told(tmp_path, monkeypatch):
    make(tmp_path)
    assert not any("GiB" in note for note in read(tmp_path).notes)
    needed = 20 * 3 * (40 * 36 + 20 * 18)
    for limit, told in ((needed, 0), (needed - 1, 1)):
        monkeypatch.setattr("superres.data.folders.CACHE_BYTES", limit)
        data = read(tmp_path)
        assert sum("GiB are kept in memory" in note for note in data.notes) == told
    assert data.train.pair(0)[1].shape == (3, 36, 40)


# Real data


def test_the_fields_sets_and_their_bicubic_baseline(tasknas_data):
    """Bicubic enlargement of the low-resolution pictures has the published PSNR on Y: Set5 33.66 dB, Set14 30.24 dB."""
    path = tasknas_data / "superres"
    if not (path / "Set5").is_dir():
        pytest.skip(f"no real data: {path / 'Set5'} is missing")
    data = read(path, patch=72)
    assert counts(data) == (82, 9, 29)
    assert data.facts()["benchmarks"] == {"Set5": 5, "Set14": 14, "B100": 10}
    assert data.skipped == () and not any("same pixels" in note for note in data.notes)
    scores: dict[str, list[float]] = {}
    for index, group in enumerate(data.test.groups):
        low, high = (part.permute(1, 2, 0).numpy() for part in data.test.pair(index))
        made = Image.fromarray(low).resize((high.shape[1], high.shape[0]), Image.Resampling.BICUBIC)
        apart = (np.asarray(made).astype(float) - high) @ (65.738, 129.057, 25.064) / 256
        scores.setdefault(group, []).append(10 * np.log10(255**2 / np.square(apart[2:-2, 2:-2]).mean()))
    assert np.mean(scores["Set5"]) == pytest.approx(33.66, abs=0.05)
    assert np.mean(scores["Set14"]) == pytest.approx(30.24, abs=0.1)
    low, high = batch_at(data.train, 0, 16, 0, "x", 72, True)
    assert low.shape == (16, 3, 36, 36) and high.shape == (16, 3, 72, 72)


def test_the_settings_take_the_same_folders(tmp_path):
    DataSettings(folder=str(make(tmp_path))).check()
    DataSettings(folder=str(fill(tmp_path / "plain", 1))).check()


def test_nothing_is_written(tmp_path):
    def listing() -> dict[Path, int]:
        return {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}

    make(tmp_path)
    before = listing()
    batch_at(read(tmp_path).train, 0, 4, 0, "x", 24, True)
    assert listing() == before
