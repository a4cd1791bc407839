import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from common.data.cache import Cache
from common.errors import UserError
from gan.data import Images, Split, TranslationData
from gan.data.files import Picture
from gan.data.images import InFiles, InMemory, check_size
from tests.gan.data.folders import noise, save


def in_files(root, count: int = 5, limit: int = 1 << 20) -> Images:
    for i in range(count):
        save(noise(i, 30, 20), root / f"{i}.png")
    pictures = tuple(Picture(path=root / f"{i}.png", root=root) for i in range(count))
    return Images(files=tuple(picture.name for picture in pictures), read=InFiles(pictures, Cache(limit)))


def in_memory(count: int = 5) -> Images:
    pixels = np.stack([np.asarray(noise(i, 30, 20)) for i in range(count)])
    return Images(files=tuple(f"{i}.png" for i in range(count)), read=InMemory(pixels))


def test_a_picture_is_the_whole_file_squeezed_into_a_square(tmp_path):
    images = in_files(tmp_path)
    assert len(images) == 5
    assert images.files == ("0.png", "1.png", "2.png", "3.png", "4.png")
    wanted = np.asarray(noise(3, 30, 20).resize((16, 16), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    assert images.at(3, 16).dtype == torch.uint8
    assert (images.at(3, 16).numpy() == wanted).all()
    assert torch.equal(images.at(-2, 16), images.at(3, 16))


def test_a_picture_of_the_right_size_is_left_as_it_is(tmp_path):
    save(noise(7, 20, 20), tmp_path / "0.png")
    images = Images(files=("0.png",), read=InFiles((Picture(path=tmp_path / "0.png", root=tmp_path),), Cache()))
    assert (images.at(0, 20).permute(1, 2, 0).numpy() == np.asarray(noise(7, 20, 20))).all()


def test_files_and_memory_give_the_same_pixels(tmp_path):
    lazy, eager = in_files(tmp_path), in_memory()
    for side in (16, 20, 24, 16):
        for index in range(5):
            assert torch.equal(lazy.at(index, side), eager.at(index, side))


def test_files_are_read_late_and_once(tmp_path):
    images = in_files(tmp_path)
    first = images.at(0, 16).clone()
    for i in range(5):
        (tmp_path / f"{i}.png").unlink()
    assert torch.equal(images.at(0, 16), first)
    for index, side in ((1, 16), (0, 20)):
        with pytest.raises(UserError, match=rf"{index}\.png: missing; .*restore it"):
            images.at(index, side)


@pytest.mark.parametrize("make", [in_files, lambda root: in_memory()])
def test_head_and_pick_keep_names_and_pixels_together(tmp_path, make):
    images = make(tmp_path)
    assert images.head(2).files == ("0.png", "1.png")
    assert len(images.head(9)) == 5
    picked = images.pick((4, 0, 2)).head(2)
    assert picked.files == ("4.png", "0.png")
    assert torch.equal(picked.at(0, 16), images.at(4, 16))
    assert torch.equal(picked.at(1, 16), images.at(0, 16))
    for index in (2, -3):
        with pytest.raises(IndexError):
            picked.at(index, 16)


def test_images_survive_pickling(tmp_path):
    images = in_files(tmp_path)
    before = images.at(1, 16)
    again = pickle.loads(pickle.dumps(images.head(2)))
    assert torch.equal(again.at(1, 16), before)


def test_a_small_cache_gives_the_same_pixels(tmp_path):
    small, large = in_files(tmp_path, limit=1), in_files(tmp_path)
    for index in (0, 1, 0, 4, 1):
        assert torch.equal(small.at(index, 16), large.at(index, 16))


@pytest.mark.parametrize("size", [0, 12, 18, 30, -16])
def test_sizes_that_cannot_be_halved_twice_are_refused(size):
    with pytest.raises(UserError, match=rf"size={size}: .*multiple of 4, at least 16"):
        check_size(size)
    check_size(20)


def test_a_head_of_a_split_has_both_domains():
    split = Split(name="train", inputs=in_memory(4), targets=in_memory(2))
    head = split.head(3)
    assert (head.name, len(head.inputs), len(head.targets)) == ("train", 3, 2)


def test_pairs_need_as_many_inputs_as_targets():
    good, bad, test = (
        Split(name=name, inputs=in_memory(4), targets=in_memory(n)) for name, n in (("train", 4), ("val", 3), ("test", 4))
    )
    with pytest.raises(ValueError, match="val: 4 inputs cannot be paired with 3 targets"):
        TranslationData(name="x", paired=True, train=good, val=bad, test=test)
    data = TranslationData(name="x", paired=False, train=good, val=bad, test=test, notes=("n",), skipped=("s",))
    assert data.describe() == {
        "name": "x",
        "digest": data.digest(),
        "paired": False,
        "images": {name: {"inputs": 4, "targets": n} for name, n in (("train", 4), ("val", 3), ("test", 4))},
        "skipped": ["s"],
        "notes": ["n"],
    }
