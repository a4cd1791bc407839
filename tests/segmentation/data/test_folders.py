import numpy as np
import pytest
import torch
from PIL import Image

from common.data.pictures import VAL_IS_TEST
from segmentation.data import Augmentation, batch_at, folder
from segmentation.data.cityscapes import CLASSES
from tests.segmentation.data.folders import (
    SIZES,
    annotation,
    make_cityscapes,
    make_split_folders,
    make_voc,
    noise,
    remove,
    save,
)

# Split folders


def test_split_folders_are_read_as_they_stand(root):
    data = folder(root)
    assert data.classes == ("sky", "road", "tree")
    assert data.skipped == ()
    assert data.notes == (
        "pixels of Void are ignored",
        "pixels that are neither trained on nor scored: 40.0% in train, 40.0% in val, 39.1% in test",
    )
    assert data.facts()["ignored"] == {split.name: pytest.approx(split.ignored, abs=1e-6) for split in data.splits}
    assert data.flip
    assert data.size == (60, 60)
    for split in (data.train, data.val, data.test):
        assert split.files == tuple(f"{split.name}/{split.name}_{i}.jpg" for i in range(len(SIZES[split.name])))
        for sample, (width, height), pixels in zip(split, SIZES[split.name], split.pixels, strict=True):
            file = root / sample.file
            assert (sample.image.permute(1, 2, 0).numpy() == np.asarray(Image.open(file))).all()
            values = np.asarray(Image.open(file.parent.with_name(f"{split.name}annot") / f"{file.stem}.png"))
            assert sample.labels.shape == values.shape == (height, width)
            assert (sample.labels.numpy() == np.where(values == 3, 255, values)).all()
            assert pixels.tolist() == [int((values == label).sum()) for label in range(3)]


def test_splits_beyond_the_memory_budget_are_read_each_time(root, monkeypatch):
    kept = folder(root)
    assert kept.train[0].image.data_ptr() == kept.train[0].image.data_ptr()
    monkeypatch.setattr("segmentation.data.inspection._KEEP_BYTES", 1)
    for size in (None, 40):
        kept, read = folder(root, size), folder(root, size)
        for a, b in zip(kept.train, read.train, strict=True):
            assert torch.equal(a.image, b.image)
            assert torch.equal(a.labels, b.labels)


def test_without_a_test_split_val_is_used_and_the_notes_say_so(root):
    remove(root / "test")
    remove(root / "testannot")
    data = folder(root)
    assert data.test.files == data.val.files
    assert data.test.name == "test"
    assert f"no folder test/: {VAL_IS_TEST}" in data.notes


def test_a_test_split_without_any_label_counts_as_none(root):
    save(annotation(64, 48, [3, 255]), root / "testannot" / "test_0.png")
    data = folder(root)
    assert data.test.files == data.val.files
    assert any(note.startswith("test/ with testannot/ has ignored pixels only") for note in data.notes)


def test_larger_pictures_are_reduced_on_request_and_smaller_ones_left(root):
    save(noise(200, 100, 0), root / "train" / "train_0.jpg")
    save(annotation(200, 100, [0, 1, 2, 255]), root / "trainannot" / "train_0.png")
    data = folder(root, size=60)
    assert data.train.sizes.tolist() == [[30, 60], [60, 40], [50, 50]]
    assert [sample.image.shape[1:] for sample in data.train] == [(30, 60), (60, 40), (50, 50)]
    assert data.train[0].labels[0].tolist() == [0] * 15 + [1] * 15 + [2] * 15 + [255] * 15
    assert data.train.pixels[0].tolist() == [450, 450, 450]
    assert any("reduced to a long side of at most 60 pixels" in note for note in data.notes)


def test_classes_that_only_val_or_test_lack_are_noted(root):
    for i in range(2):
        save(annotation(60, 40, [0, 1, 3]), root / "valannot" / f"val_{i}.png")
    save(annotation(60, 40, [3]), root / "valannot" / "val_1.png")
    notes = folder(root).notes
    assert "class 'tree' has no pixel in val: it has no IoU there" in notes
    assert "1 of 2 images of val have ignored pixels only" in notes


@pytest.mark.parametrize("kind", ["grey", "palette", "sixteen bits", "one bit"])
def test_annotations_in_every_form_of_one_number_per_pixel(root, kind):
    values = np.asarray(annotation(60, 40, [0, 1] if kind == "one bit" else [0, 1, 2, 255]))
    picture = Image.fromarray(values)
    if kind == "palette":
        picture.putpalette([200, 10, 10] * 256)
    elif kind == "sixteen bits":
        picture = Image.fromarray(values.astype(np.uint16))
    elif kind == "one bit":
        picture = Image.fromarray(values.astype(bool))
    save(picture, root / "trainannot" / "train_0.png")
    assert (folder(root).train[0].labels.numpy() == values).all()


def test_pictures_of_any_format_and_colour(root):
    for suffix, mode in ((".png", "RGBA"), (".PNG", "L"), (".webp", "RGB"), (".bmp", "RGB")):
        remove(next((root / "train").glob("train_1.*")))
        save(noise(40, 60, 0).convert(mode), root / "train" / f"train_1{suffix}")
        assert folder(root).train[1].image.shape == (3, 60, 40)


def test_pictures_are_seen_as_displayed(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(60, 40, 0).save(root / "train" / "train_1.jpg", exif=exif)
    assert folder(root).train[1].image.shape == (3, 60, 40)


def test_hidden_and_other_files_are_no_pictures(root):
    for name in (".hidden.jpg", "Thumbs.db", "notes.txt"):
        (root / "train" / name).write_text("x")
    (root / "train" / "deeper.jpg").mkdir()
    assert len(folder(root).train) == 3


# Cityscapes


@pytest.mark.parametrize("kind", ["labelIds", "labelTrainIds"])
def test_cityscapes_in_both_encodings(tmp_path, kind):
    data = folder(make_cityscapes(tmp_path, kind))
    assert data.classes == tuple(name for name, _, _ in CLASSES)
    assert data.palette[0] == (128, 64, 128)
    assert (len(data.train), len(data.val)) == (4, 2)
    assert data.train.files[0] == "leftImg8bit/train/bonn/bonn_0_leftImg8bit.png"
    row = data.train[0].labels[0]
    if kind == "labelIds":
        expected = [255] * 34
        for label, value in enumerate((7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)):
            expected[value] = label
        assert row.tolist() == [label for label in expected for _ in range(2)]
    else:
        assert sorted(set(row.tolist())) == [*range(19), 255]
    assert data.notes[0] == f"no annotations gtFine/test/*/*_gtFine_{kind}.png: {VAL_IS_TEST}"
    assert len(data.notes) == 2 and data.notes[1].startswith("pixels that are neither trained on nor scored: ")


def test_cityscapes_test_split_is_used_if_it_is_annotated_and_not_if_its_annotations_are_empty(tmp_path):
    make_cityscapes(tmp_path)
    for values, used in (([0, 1, 3], False), ([7, 8, 0], True)):
        save(noise(68, 34, 0), tmp_path / "leftImg8bit/test/rome/rome_0_leftImg8bit.png")
        save(annotation(68, 34, values), tmp_path / "gtFine/test/rome/rome_0_gtFine_labelIds.png")
        data = folder(tmp_path)
        assert (data.test.files != data.val.files) == used
        assert any(VAL_IS_TEST in note for note in data.notes) != used


def test_cityscapes_reads_label_ids_where_both_encodings_are_there(tmp_path):
    make_cityscapes(tmp_path, "labelTrainIds")
    make_cityscapes(tmp_path, "labelIds")
    assert folder(tmp_path).train[0].labels[0, 0] == 255  # labelId 0 is unlabeled, trainId 0 is road


# VOC


def test_voc_indices_of_the_listed_pictures(tmp_path):
    make_voc(tmp_path)
    save(noise(30, 30, 0), tmp_path / "JPEGImages" / "not_listed.jpg")
    data = folder(tmp_path)
    assert len(data.classes) == 21
    assert data.classes[15] == "person"
    assert data.palette[:2] == ((0, 0, 0), (128, 0, 0))
    assert data.train.files == tuple(f"JPEGImages/2007_{i}.jpg" for i in (1, 2, 3))
    assert data.val.files == ("JPEGImages/2008_1.jpg",)
    assert sorted(set(data.train[0].labels[0].tolist())) == [*range(21), 255]
    assert data.notes == (
        f"no ImageSets/Segmentation/test.txt: {VAL_IS_TEST}",
        "pixels that are neither trained on nor scored: 3.2% in train, 3.2% in val",
    )


def test_voc_with_a_test_list_with_and_without_annotations(tmp_path):
    make_voc(tmp_path)
    (tmp_path / "ImageSets" / "Segmentation" / "test.txt").write_text("2009_1\n")
    save(noise(63, 40, 9), tmp_path / "JPEGImages" / "2009_1.jpg")
    assert folder(tmp_path).notes[0] == f"no name of test.txt is annotated: {VAL_IS_TEST}"
    save(annotation(63, 40, list(range(21))), tmp_path / "SegmentationClass" / "2009_1.png")
    data = folder(tmp_path)
    assert data.test.files == ("JPEGImages/2009_1.jpg",)
    assert len(data.notes) == 1 and data.notes[0].startswith("pixels that are neither trained on nor scored: ")


def test_voc_layout_with_classes_of_ones_own(tmp_path):
    make_voc(tmp_path)
    (tmp_path / "classes.txt").write_text("\n".join([*(f"c{i}" for i in range(20)), "void"]))
    data = folder(tmp_path)
    assert data.classes == tuple(f"c{i}" for i in range(20))
    assert "pixels of void are ignored" in data.notes


# Everything that trains


@pytest.mark.parametrize("make", [make_split_folders, make_cityscapes, make_voc])
def test_batches_of_every_layout(tmp_path, make):
    data = folder(make(tmp_path / "data"))
    batch = batch_at(data.train, 0, 5, 0, "x", Augmentation(crop=(32, 32)))
    assert batch.images.shape == (5, 3, 32, 32)
    assert set(batch.labels.unique().tolist()) <= {*range(len(data.classes)), 255}


def test_camvid(tasknas_data):
    path = tasknas_data / "segmentation" / "camvid240"
    if not path.is_dir():
        pytest.skip(f"no real data: {path} is missing")
    data = folder(path)
    assert [len(split) for split in (data.train, data.val, data.test)] == [367, 101, 233]
    assert len(data.classes) == 11
    assert data.classes[:4] == ("Sky", "Building", "Pole", "Road")
    assert data.size == (180, 240)
    assert data.notes == (
        "pixels of Unlabelled are ignored",
        "pixels that are neither trained on nor scored: 4.0% in train, 1.7% in val, 3.9% in test",
    )
    assert data.skipped == ()
    for split in (data.train, data.val, data.test):
        assert split.absent == ()
        assert set(torch.cat([sample.labels.unique() for sample in split]).tolist()) == {*range(11), 255}
    road, building, bicyclist = (data.classes.index(name) for name in ("Road", "Building", "Bicyclist"))
    # The shares its description gives, of all pixels, void ones as well.
    shares = data.train.pixels.sum(axis=0) / (367 * 180 * 240)
    assert shares[[road, building, bicyclist]] == pytest.approx([0.318, 0.232, 0.003], abs=0.001)
    batch = batch_at(data.train, 0, 8, 0, "x", Augmentation(crop=(176, 240)))
    assert batch.images.shape == (8, 3, 176, 240)
