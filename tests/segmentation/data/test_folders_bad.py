"""Small valid folders, broken in every way a user's folder can be."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from segmentation.data import folder
from tests.segmentation.data.folders import (
    annotation,
    make_cityscapes,
    make_voc,
    noise,
    refused,
    remove,
    save,
    skipping,
)

# What cannot be used at all


def test_path_is_no_folder_or_has_no_layout(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "nothing"):
        refused(path, f"{path} is not a folder: give one with train/, trainannot/", "leftImg8bit/", "JPEGImages/")
    refused(tmp_path, "no known layout")


@pytest.mark.parametrize("name", ["trainannot", "val", "valannot", "test", "testannot"])
def test_missing_folder_of_a_split(root, name):
    remove(root / name)
    refused(root, f"no folder {name}/")


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("skip_bad", [False, True])
def test_a_split_without_images(root, split, skip_bad):
    for part in (split, f"{split}annot"):
        for file in (root / part).iterdir():
            remove(file)
    refused(root, f"{split}/ with {split}annot/ has no usable image", skip_bad=skip_bad)


def test_a_split_whose_images_are_all_damaged(root):
    for file in (root / "val").iterdir():
        file.write_bytes(b"")
    refused(root, "2 problems", "image val/val_0.jpg: empty file", "--skip-bad")
    refused(root, "val/ with valannot/ has no usable image", skip_bad=True)


def test_the_classes_file_is_needed(root):
    remove(root / "classes.txt")
    refused(root, "classes.txt is missing")
    (root / "classes.txt").write_text("")
    refused(root, "classes.txt is empty")
    (root / "classes.txt").write_text("sky\nroad\nsky\n")
    refused(root, "classes.txt: class 'sky' stands on line 1 and on line 3")


@pytest.mark.parametrize("skip_bad", [False, True])
def test_label_values_outside_the_classes(root, skip_bad):
    values = np.asarray(annotation(60, 40, [0, 1, 2])).copy()
    values[3, 4:6] = 17
    values[9, 9] = 200
    save(Image.fromarray(values), root / "valannot" / "val_1.png")
    message = refused(root, "annotation valannot/val_1.png has the label value 17 (2 pixels), 200 (1 pixels)", skip_bad=skip_bad)
    assert "classes.txt allows 0 to 3, of which 3 (Void) and 255 are ignored" in message
    assert "--skip-bad" not in message


def test_label_values_beyond_a_byte(root):
    save(Image.fromarray(np.full((40, 60), 1000, dtype=np.uint16)), root / "trainannot" / "train_0.png")
    refused(root, "trainannot/train_0.png has the label value 1000 (2400 pixels)")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
@pytest.mark.parametrize("skip_bad", [False, True])
def test_colours_where_indices_are_expected(root, mode, skip_bad):
    save(annotation(60, 40, [0, 1, 2]).convert(mode), root / "trainannot" / "train_0.png")
    message = refused(root, f"annotation trainannot/train_0.png holds colours (mode {mode})", "indices", skip_bad=skip_bad)
    assert "--skip-bad" not in message


def test_annotations_that_are_no_png(root):
    save(annotation(60, 40, [0, 1, 2]), root / "trainannot" / "train_0.jpg")
    refused(root, "annotation trainannot/train_0.jpg is not a PNG file", "convert it")


def test_two_pictures_for_one_annotation(root):
    save(noise(60, 40, 0), root / "train" / "train_0.png")
    refused(root, "train/train_0.jpg and train/train_0.png share one annotation", "rename one")


def test_one_class_alone(root):
    for i, (width, height) in enumerate([(60, 40), (40, 60), (50, 50)]):
        save(annotation(width, height, [0, 255]), root / "trainannot" / f"train_{i}.png")
    refused(root, "train/ with trainannot/ has pixels of sky only", skip_bad=True)


def test_nothing_labelled_in_val(root):
    for i in range(2):
        save(annotation(60, 40, [255]), root / "valannot" / f"val_{i}.png")
    refused(root, "val/ with valannot/ has ignored pixels only")


def test_size_too_small(root):
    refused(root, "size=31", size=31)


# What can be left out


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("train/train_1.jpg", "annotation trainannot/train_1.png has no image train/train_1.jpg"),
        ("trainannot/train_1.png", "image train/train_1.jpg has no annotation trainannot/train_1.png"),
    ],
)
def test_a_missing_partner(root, missing, told):
    remove(root / missing)
    data = skipping(root, told)
    assert data.train.files == ("train/train_0.jpg", "train/train_2.jpg")
    assert len(data.skipped) == 1


def test_a_size_mismatch(root):
    save(annotation(60, 41, [0, 1, 2]), root / "trainannot" / "train_0.png")
    data = skipping(root, "image train/train_0.jpg is 60x40, yet its annotation trainannot/train_0.png is 60x41 (width x height)")
    assert data.train.files == ("train/train_1.jpg", "train/train_2.jpg")


def _truncate(file):
    os.truncate(file, file.stat().st_size // 2)


DAMAGES = {
    "empty file": lambda file: file.write_bytes(b""),
    "damaged: ": _truncate,
    "not an image": lambda file: file.write_text("<html>404 not found</html>"),
}


@pytest.mark.parametrize("reason", DAMAGES)
@pytest.mark.parametrize("name", ["image train/train_1.jpg", "annotation trainannot/train_1.png"])
@pytest.mark.parametrize("keep", [True, False])
def test_damaged_files_are_listed_and_left_out_on_request(root, reason, name, keep, monkeypatch):
    DAMAGES[reason](root / name.split()[1])
    if keep:
        skipping(root, f"{name}: {reason}")
    else:
        monkeypatch.setattr("segmentation.data.inspection._KEEP_BYTES", 1)
    data = folder(root, skip_bad=True)
    assert data.train.files == ("train/train_0.jpg", "train/train_2.jpg")
    assert len(data.skipped) == 1
    assert len(data.train.sizes) == len(data.train.pixels) == len(list(data.train)) == 2


def test_pngs_cut_anywhere_are_damaged(root):
    remove(root / "val" / "val_0.jpg")
    for file in (root / "val" / "val_0.png", root / "valannot" / "val_0.png"):
        save(noise(60, 40, 0), root / "val" / "val_0.png")
        save(annotation(60, 40, [0, 1, 2]), root / "valannot" / "val_0.png")
        folder(root)
        content = file.read_bytes()
        for length in (7, 20, 40, 60, len(content) - 30):
            file.write_bytes(content[:length])
            refused(root, f"{file.parent.name}/val_0.png: ")


def test_in_a_large_split_a_damaged_picture_is_found_when_read(root, monkeypatch):
    monkeypatch.setattr("segmentation.data.inspection._KEEP_BYTES", 1)
    _truncate(root / "train" / "train_1.jpg")
    train = folder(root).train
    train[0]
    with pytest.raises(UserError, match=r"train_1\.jpg: damaged.*--skip-bad"):
        train[1]
    save(noise(60, 41, 0), root / "train" / "train_0.jpg")
    with pytest.raises(UserError, match=r"train_0\.jpg.* changed in size since"):
        train[0]


def test_a_class_without_a_training_pixel(root):
    for i, (width, height) in enumerate([(60, 40), (40, 60), (50, 50)]):
        save(annotation(width, height, [0, 2, 3]), root / "trainannot" / f"train_{i}.png")
    data = skipping(root, "class 'road' (label value 1) has no pixel in train (1584 in the other splits)")
    assert data.classes == ("sky", "tree")
    assert len(data.palette) == data.train.pixels.shape[1] == 2
    assert data.val[0].labels[0].tolist() == [0] * 12 + [255] * 12 + [1] * 12 + [255] * 24


def test_a_class_whose_only_training_image_is_damaged(root):
    for i, (width, height) in enumerate([(60, 40), (40, 60), (50, 50)]):
        save(annotation(width, height, [0, 1, 2] if i == 1 else [0, 2]), root / "trainannot" / f"train_{i}.png")
    (root / "train" / "train_1.jpg").write_bytes(b"")
    data = skipping(root, "class 'road'")
    assert data.classes == ("sky", "tree")
    assert len(data.skipped) == 2


def test_many_problems_are_counted_and_the_first_told(root):
    for i in range(3):
        (root / "train" / f"train_{i}.jpg").write_bytes(b"")
    remove(root / "valannot" / "val_0.png")
    save(annotation(64, 47, [0]), root / "testannot" / "test_0.png")
    message = refused(root, "5 problems: ", "val_0.jpg has no annotation", "; ... and 1 more")
    assert message.count("empty file") == 3


# What all files have in common


def test_masks_of_0_and_255_are_told_that_255_is_ignored(root):
    for split in ("train", "val", "test"):
        for file in (root / f"{split}annot").iterdir():
            save(Image.fromarray(np.asarray(Image.open(file)) % 2 * 255), file)
    (root / "classes.txt").write_text("background\ncell\n")
    message = refused(
        root, "every annotation has the values 0 and 255 alone, and 255 is ignored", "write the pixels of 'cell' as 1"
    )
    assert "correct the files named" in message and "--skip-bad" not in message
    for split in ("train", "val", "test"):
        for file in (root / f"{split}annot").iterdir():
            save(Image.fromarray(np.asarray(Image.open(file)) // 255), file)
    assert folder(root).classes == ("background", "cell")


def test_classes_that_no_annotation_has_are_left_out_with_a_note(root):
    (root / "classes.txt").write_text("sky\nroad\ntree\nVoid\nmoon\n")
    data = folder(root)
    assert data.classes == ("sky", "road", "tree")
    assert "left out, as no annotation has them: class 'moon' (label value 4)" in data.notes


def test_annotations_with_a_longer_name_are_told_once(root):
    for split in ("train", "val", "test"):
        for file in (root / f"{split}annot").iterdir():
            file.rename(file.with_name(f"{file.stem}_mask.png"))
    message = refused(root, "(trainannot/train_0_mask.png for train/train_0.jpg): rename them, without '_mask'")
    assert "--skip-bad" not in message


def test_a_picture_that_exif_turns_is_told_as_such(root):
    image = noise(60, 40, 77)
    image.getexif()[0x0112] = 6
    image.save(root / "train" / "train_0.jpg", exif=image.getexif())
    refused(root, "train/train_0.jpg is 40x60, yet its annotation trainannot/train_0.png is 60x40", "EXIF orientation turns it")


def test_one_picture_in_two_splits_is_noticed(root):
    remove(root / "val" / "val_0.jpg")
    (root / "val" / "val_0.jpg").symlink_to(root / "train" / "train_0.jpg")
    refused(root, "val/val_0.jpg of val is in train as well (as train/train_0.jpg)", skip_bad=True)
    remove(root / "val" / "val_0.jpg")
    shutil.copy(root / "train" / "train_0.jpg", root / "val" / "val_0.jpg")
    assert any("1 pictures of val are copies of pictures of train" in note for note in folder(root).notes)


@pytest.mark.parametrize("name", ["../../x", "/etc/hostname", "../Elsewhere/../../../x"])
def test_voc_lists_stay_in_the_data_folder(tmp_path, name):
    make_voc(tmp_path / "data")
    (tmp_path / "data" / "ImageSets" / "Segmentation" / "val.txt").write_text(f"2008_1\n{name}\n")
    refused(tmp_path / "data", f"{name!r} in ImageSets/Segmentation/val.txt leads out of the data folder", skip_bad=True)


@pytest.mark.parametrize("again", ["./2007_1", "../JPEGImages/2007_1"])
def test_voc_lists_that_spell_a_name_otherwise_do_not_hide_it(tmp_path, again):
    make_voc(tmp_path)
    (tmp_path / "ImageSets" / "Segmentation" / "val.txt").write_text(f"2008_1\n{again}\n")
    (tmp_path / "SegmentationClass" / "sub").mkdir()
    if again.startswith(".."):
        (tmp_path / "JPEGImages" / "2007_1.png").write_bytes((tmp_path / "SegmentationClass" / "2007_1.png").read_bytes())
    refused(tmp_path, "of val is in train as well", skip_bad=True)


# The other layouts


def test_broken_cityscapes(tmp_path):
    make_cityscapes(tmp_path)
    fine = tmp_path / "gtFine" / "train" / "ulm" / "ulm_1_gtFine_labelIds.png"
    save(annotation(68, 34, [7, 34]), fine)
    refused(tmp_path, "gtFine/train/ulm/ulm_1_gtFine_labelIds.png has the label value 34 (1156 pixels)", "labelIds are 0 to 33")
    remove(fine)
    skipping(tmp_path, "leftImg8bit/train/ulm/ulm_1_leftImg8bit.png has no annotation gtFine/train/ulm/ulm_1_gtFine_labelIds.png")
    remove(tmp_path / "leftImg8bit" / "train" / "ulm" / "ulm_0_leftImg8bit.png")
    skipping(tmp_path, "ulm_0_gtFine_labelIds.png has no image leftImg8bit/train/ulm/ulm_0_leftImg8bit.png")
    remove(tmp_path / "gtFine" / "val")
    refused(tmp_path, "no folder gtFine/val/")


def test_broken_voc(tmp_path):
    make_voc(tmp_path)
    lists = tmp_path / "ImageSets" / "Segmentation"
    (lists / "val.txt").write_text("2008_1\n2008_1\n2007_1\n")
    refused(tmp_path, "'2007_1' is in both train.txt and val.txt", "'2008_1' stands more than once in", skip_bad=True)
    (lists / "val.txt").write_text("2008_1\nmissing\n")
    told = "'missing' in ImageSets/Segmentation/val.txt has no JPEGImages/missing.jpg and no SegmentationClass/missing.png"
    assert skipping(tmp_path, told).val.files == ("JPEGImages/2008_1.jpg",)
    (lists / "val.txt").write_text("\n")
    refused(tmp_path, "ImageSets/Segmentation/val.txt has no usable image")
    remove(lists / "val.txt")
    refused(tmp_path, "val.txt is missing")
    remove(tmp_path / "SegmentationClass")
    refused(tmp_path, "no SegmentationClass/")


def test_voc_annotations_stored_as_colours(tmp_path):
    make_voc(tmp_path)
    file = tmp_path / "SegmentationClass" / "2007_1.png"
    save(Image.open(file).convert("RGB"), file)
    refused(tmp_path, "SegmentationClass/2007_1.png holds colours (mode RGB)")
