from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from common.data.pictures import VAL_IS_TEST
from gan.data import Augmentation, TranslationData, batch_at
from tests.gan.data.folders import (
    MAKERS,
    fill,
    make_ab,
    make_cyclegan,
    make_side_by_side,
    make_subfolders,
    noise,
    read,
    save,
)


def sizes(data: TranslationData) -> list[tuple[int, int]]:
    return [(len(split.inputs), len(split.targets)) for split in (data.train, data.val, data.test)]


def files(data: TranslationData) -> list[set[str]]:
    return [{*split.inputs.files, *split.targets.files} for split in (data.train, data.val, data.test)]


# Layouts


@pytest.mark.parametrize("make", MAKERS)
def test_every_layout_is_read(tmp_path, make):
    data = read(make(tmp_path))
    unpaired = make is make_cyclegan
    assert data.paired != unpaired
    assert data.name == str(tmp_path)
    assert data.skipped == ()
    assert sizes(data) == ([(6, 7), (2, 2), (3, 4)] if unpaired else [(6, 6), (2, 2), (3, 3)])
    train, val, test = files(data)
    assert not train & val | train & test | val & test
    for split in (data.train, data.val, data.test):
        for images in (split.inputs, split.targets):
            for index, name in enumerate(images.files):
                whole = Image.open(tmp_path / name.split(" (")[0])
                part = whole if " (" not in name else whole.crop((0, 0, 24, 20) if "left" in name else (24, 0, 48, 20))
                wanted = np.asarray(part.resize((16, 16), Image.Resampling.BICUBIC))
                assert (images.at(index, 16).permute(1, 2, 0).numpy() == wanted).all()


@pytest.mark.parametrize(
    ("make", "title", "a", "b"),
    [
        (make_cyclegan, "trainA/ and trainB/ (unpaired)", "trainA/", "trainB/"),
        (make_ab, "A/train/ and B/train/ (pairs of one name)", "A/train/", "B/train/"),
        (make_subfolders, "train/label/ and train/photo/ (pairs of one name)", "train/label/", "train/photo/"),
        (make_side_by_side, "files in train/ that are A left and B right", "train/ (left half)", "train/ (right half)"),
    ],
)
def test_the_direction_swaps_inputs_and_targets_and_the_notes_tell_layout_and_direction(tmp_path, make, title, a, b):
    there, back = (read(make(tmp_path), direction=direction) for direction in ("AtoB", "BtoA"))
    assert title in there.notes[0]
    assert there.notes[0].endswith(f"inputs are {a}, targets {b} (AtoB)")
    assert back.notes[0].endswith(f"inputs are {b}, targets {a} (BtoA)")
    for one, other in ((there.train, back.train), (there.val, back.val), (there.test, back.test)):
        assert one.inputs.files == other.targets.files
        assert one.targets.files == other.inputs.files
        assert torch.equal(one.inputs.at(0, 16), other.targets.at(0, 16))
        assert torch.equal(one.targets.at(0, 16), other.inputs.at(0, 16))
    folder = "/".join(there.train.inputs.files[0].split("/")[:-1])
    assert f"{folder}/" == a.split(" (")[0]


@pytest.mark.parametrize("make", [make_ab, make_subfolders, make_side_by_side])
def test_pairs_have_one_name(tmp_path, make):
    data = read(make(tmp_path, {"train": 40, "test": 3}))
    for split in (data.train, data.val, data.test):
        names = [[file.split("/")[-1].split(" (")[0] for file in images.files] for images in (split.inputs, split.targets)]
        assert names[0] == names[1]
        assert len(set(names[0])) == len(names[0])


def test_pairs_may_differ_in_format_and_size(tmp_path):
    make_subfolders(tmp_path)
    (tmp_path / "train" / "photo" / "0.png").unlink()
    save(noise(77, 60, 50), tmp_path / "train" / "photo" / "0.JPEG")
    data = read(tmp_path)
    names = [*data.train.targets.files, *data.val.targets.files]
    assert "train/photo/0.JPEG" in names
    assert len(names) == 8


def test_hidden_and_other_files_are_no_pictures(tmp_path):
    make_subfolders(tmp_path)
    (tmp_path / "train" / ".cache").mkdir()
    (tmp_path / "train" / "label" / "deeper.png").mkdir()
    for name in (".hidden.png", "Thumbs.db", "notes.txt"):
        (tmp_path / "train" / "label" / name).write_text("x")
    assert sizes(read(tmp_path))[0] == (6, 6)


# Splits


@pytest.mark.parametrize("make", MAKERS)
def test_val_and_test_folders_are_used_as_they_are(tmp_path, make):
    make(tmp_path, {"train": 4, "val": 5, "test": 3})
    more = int(make is make_cyclegan)
    for val in (None, 2):
        data = read(tmp_path, val=val)
        assert sizes(data) == [(4, 4 + more), (5, 5 + more), (3, 3 + more)]
        assert all("val" in file for file in data.val.inputs.files)
        assert not any("held out" in note for note in data.notes)
        assert any("val=2 is not used" in note for note in data.notes) == (val == 2)


@pytest.mark.parametrize("make", MAKERS)
def test_a_val_folder_alone_is_the_test_split_and_val_is_held_out(tmp_path, make):
    data = read(make(tmp_path, {"train": 30, "val": 4}))
    more = int(make is make_cyclegan)
    assert sizes(data) == [(27, 28 if more else 27), (3, 3), (4, 4 + more)]
    assert all("val" in file for file in data.test.inputs.files)
    assert all("train" in file for file in data.val.inputs.files)
    assert any(note.startswith("no test pictures: those of ") and "val" in note for note in data.notes)
    assert not any(VAL_IS_TEST in note for note in data.notes)


@pytest.mark.parametrize("make", MAKERS)
def test_without_both_the_pictures_held_out_are_the_test_split_too(tmp_path, make):
    data = read(make(tmp_path, {"train": 30}), val=4)
    assert data.test.name == "test"
    assert data.test.inputs.files == data.val.inputs.files
    assert data.test.targets.files == data.val.targets.files
    assert len(data.val.inputs) == len(data.val.targets) == 4
    assert f"no test pictures: {VAL_IS_TEST}" in data.notes
    assert not any("same pixels" in note for note in data.notes)


@pytest.mark.parametrize(("count", "val", "held"), [(3, None, 2), (25, None, 2), (40, None, 4), (40, 7, 7), (40, 39, 39)])
def test_how_many_are_held_out(tmp_path, count, val, held):
    data = read(make_subfolders(tmp_path, {"train": count, "test": 2}), val=val)
    assert sizes(data) == [(count - held, count - held), (held, held), (2, 2)]
    assert f"val is held out of train: {held} of {count} pairs" in data.notes


def test_at_most_300_are_held_out_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("gan.data.holdout._MOST_HELD_OUT", 3)
    make_ab(tmp_path, {"train": 40, "test": 2})
    assert len(read(tmp_path).val.inputs) == 3
    assert len(read(tmp_path, val=5).val.inputs) == 5


def test_unpaired_domains_hold_out_their_own_share(tmp_path):
    fill(tmp_path / "trainA", 60, 0)
    fill(tmp_path / "trainB", 30, 1)
    fill(tmp_path / "testA", 2, 2)
    fill(tmp_path / "testB", 2, 3)
    data = read(tmp_path)
    assert sizes(data) == [(54, 27), (6, 3), (2, 2)]
    assert "val is held out of train: 6 of 60 pictures of trainA/ and 3 of 30 pictures of trainB/" in data.notes
    assert sizes(read(tmp_path, val=5)) == [(55, 25), (5, 5), (2, 2)]


def test_what_is_held_out_is_spread_fixed_and_in_order(tmp_path):
    make_subfolders(tmp_path, {"train": 50, "test": 2})
    one, other = read(tmp_path, val=20), read(tmp_path, val=20, direction="BtoA")
    assert one.val.inputs.files == other.val.targets.files
    everything = sorted([*one.train.inputs.files, *one.val.inputs.files])
    for split in (one.train, one.val):
        assert list(split.inputs.files) == sorted(split.inputs.files)
    places = [everything.index(file) for file in one.val.inputs.files]
    assert places != list(range(20))
    assert min(places) < 10 and max(places) > 40
    few = read(tmp_path, val=5)
    assert {*few.val.inputs.files} < {*one.val.inputs.files}


# What the notes tell


@pytest.mark.parametrize("make", [make_cyclegan, make_ab])
def test_pictures_that_occur_in_two_splits_are_noted(tmp_path, make):
    make(tmp_path, {"train": 5, "val": 3, "test": 3})
    assert not any("same pixels" in note for note in read(tmp_path).notes)
    a, b = ("{}A", "{}B") if make is make_cyclegan else ("A/{}", "B/{}")
    for place, first in ((a, 0), (b, 100 if make is make_cyclegan else 0)):
        for i in range(2):
            source = Image.open(tmp_path / place.format("train") / f"{first + i}.png")
            save(source, tmp_path / place.format("test") / f"{first + i}.png")
    told = [note for note in read(tmp_path).notes if "same pixels" in note]
    if make is make_cyclegan:
        assert told == [f"2 pictures of domain {d} in train are in test as well: the same pixels" for d in "AB"]
    else:
        assert told == ["2 pairs of train are in test as well: the same pixels"]


def test_enlarged_pictures_are_noted(tmp_path):
    make_cyclegan(tmp_path)
    save(noise(5, 40, 40), tmp_path / "trainA" / "0.png")
    assert not any("enlarged" in note for note in read(tmp_path, size=20).notes)
    assert "23 of 24 pictures have a side of less than 24 pixels: they are enlarged" in read(tmp_path, size=24).notes


# Colours


def test_pictures_are_seen_as_displayed(tmp_path):
    make_cyclegan(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(3, 40, 24).save(tmp_path / "testA" / "0.png", exif=exif)
    data = read(tmp_path)
    wanted = noise(3, 40, 24).transpose(Image.Transpose.ROTATE_270).resize((16, 16), Image.Resampling.BICUBIC)
    assert (data.test.inputs.at(0, 16).permute(1, 2, 0).numpy() == np.asarray(wanted)).all()


@pytest.mark.parametrize(("mode", "suffix"), [("P", "png"), ("CMYK", "jpg")])
def test_palette_and_print_colours_are_read_as_rgb(tmp_path, mode, suffix):
    make_cyclegan(tmp_path)
    (tmp_path / "testA" / "0.png").unlink()
    image = Image.new("RGB", (24, 24), (250, 20, 30)).convert(mode)
    save(image, tmp_path / "testA" / f"0.{suffix}")
    colour = read(tmp_path).test.inputs.at(0, 16).float().mean(dim=(1, 2)).tolist()
    assert colour == pytest.approx([250, 20, 30], abs=8)


def test_a_domain_that_is_all_grey_is_read_as_rgb(tmp_path):
    make_subfolders(tmp_path)
    for file in tmp_path.glob("*/label/*.png"):
        save(Image.open(file).convert("L"), file)
    data = read(tmp_path)
    picture = data.train.inputs.at(0, 16)
    assert (picture == picture[:1]).all()
    assert (data.train.targets.at(0, 16) != data.train.targets.at(0, 16)[:1]).any()
    assert [note for note in data.notes if "grey" in note] == [
        "all pictures of domain A are grey: they are read as RGB with three equal channels"
    ]


# Everything that trains


@pytest.mark.parametrize("make", MAKERS)
def test_batches_of_every_layout_and_nothing_is_written(tmp_path, make):
    make(tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    data = read(tmp_path)
    x, y = batch_at(data.train, 0, 9, 0, "x", Augmentation(size=16, load=20, flip=True), data.paired)
    assert x.shape == y.shape == (9, 3, 16, 16)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


def test_real_pairs(tasknas_data):
    path = tasknas_data / "gan" / "facades128"
    if not path.is_dir():
        pytest.skip(f"no real data: {path} is missing")
    data = read(path, size=128)
    assert data.paired
    assert sizes(data) == [(360, 360), (40, 40), (106, 106)]
    assert data.skipped == ()
    assert len(data.notes) == 2
    names = Counter(file.split("/")[-1] for file in (*data.train.inputs.files, *data.val.inputs.files))
    assert sorted(names) == [f"{i:04d}.jpg" for i in range(1, 401)]
    for images, folder in ((data.train.inputs, "label"), (data.train.targets, "photo")):
        assert images.files[5].startswith(f"train/{folder}/")
        assert (images.at(5, 128).permute(1, 2, 0).numpy() == np.asarray(Image.open(path / images.files[5]))).all()
    # Label maps are flat: far more neighbours are alike in them than in photographs.
    x, y = batch_at(data.train, 0, 8, 0, "x", Augmentation(size=128, load=144, flip=True), True)
    flat = [(part.diff(dim=-1).abs() < 0.02).float().mean().item() for part in (x, y)]
    assert flat[0] > flat[1] + 0.2


def test_real_domains(tasknas_data):
    path = tasknas_data / "gan" / "horse2zebra128"
    if not path.is_dir():
        pytest.skip(f"no real data: {path} is missing")
    data = read(path, size=128, direction="BtoA")
    assert not data.paired
    assert sizes(data) == [(241, 241), (26, 26), (70, 60)]
    assert data.skipped == ()
    assert {file.split("/")[0] for file in (*data.train.inputs.files, *data.val.inputs.files)} == {"trainB"}
    train, val, test = files(data)
    assert not train & val | train & test | val & test
    x, y = batch_at(data.train, 3, 4, 0, "x", Augmentation(size=128, load=144, flip=True), False)
    assert x.shape == y.shape == (4, 3, 128, 128)
