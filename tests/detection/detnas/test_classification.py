"""Classification sets: batches are functions of (seed, name, step), whatever was asked before."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import UserError
from detection.data import Crops
from detection.data.classification import BoxCrops, Folder


def box_crops(*, flip: bool = False, labels=(0, 0, 0, 0, 0, 0, 2)) -> BoxCrops:
    images = torch.randint(0, 256, (len(labels), 3, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return BoxCrops(Crops(images=images, labels=torch.tensor(labels)), classes=3, flip=flip)


@pytest.fixture
def tree(tmp_path):
    """Two classes, of three images and one; sizes and modes differ."""
    rng = np.random.default_rng(0)
    for name, sizes in {"cat": ((40, 30), (30, 30), (64, 50)), "dog": ((33, 48),)}.items():
        (tmp_path / "train" / name).mkdir(parents=True)
        for i, (height, width) in enumerate(sizes):
            image = Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))
            image.convert("L" if i == 1 else "RGB").save(tmp_path / "train" / name / f"{i}.png")
    return tmp_path


@pytest.fixture(params=["crops", "folder"])
def images(request, tree):
    return box_crops(flip=True) if request.param == "crops" else Folder(tree, 24)


def test_batches_are_pure_functions_of_their_arguments(images):
    first = images.batch_at(3, 8, 5, "pretrain")
    state = torch.random.get_rng_state()
    for step in (0, 7, 3):
        again = images.batch_at(step, 8, 5, "pretrain")
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    for other in ((4, 8, 5, "pretrain"), (3, 8, 6, "pretrain"), (3, 8, 5, "warm-up")):
        assert not torch.equal(images.batch_at(*other)[0], first[0])


def test_batches_do_not_depend_on_the_global_generator(images):
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        a = images.batch_at(0, 4, 0, "x")
        torch.manual_seed(2)
        b = images.batch_at(0, 4, 0, "x")
    assert torch.equal(a[0], b[0])


def test_classes_of_crops_are_drawn_equally_often():
    labels = torch.cat([box_crops().batch_at(step, 50, 0, "x")[1] for step in range(20)])
    assert set(labels.tolist()) == {0, 2}  # nothing was cut out of class 1
    assert 430 < int((labels == 2).sum()) < 570  # one crop in seven has this class


def test_crops_are_shifted_and_flipped_only_if_wanted():
    one = Crops(images=torch.arange(3 * 400).reshape(1, 3, 20, 20).to(torch.uint8), labels=torch.tensor([0]))
    plain, mirrored = (BoxCrops(one, 1, flip=flip).batch_at(0, 64, 0, "x")[0] for flip in (False, True))
    shifts = [torch.roll(one.images[0], (dy, dx), (1, 2)) for dy in range(-2, 3) for dx in range(-2, 3)]
    assert all(any(torch.equal(image, shift) for shift in shifts) for image in plain)
    assert len({image.numpy().tobytes() for image in plain}) > 10
    flipped = sum(not torch.equal(a, b) for a, b in zip(plain, mirrored))
    assert 16 < flipped < 48


def test_a_folder_is_read_as_classes(tree):
    images = Folder(tree, 24)
    batch, labels = images.batch_at(0, 40, 0, "x")
    assert images.classes == 2
    assert (batch.dtype, batch.shape) == (torch.uint8, (40, 3, 24, 24))
    assert set(labels.tolist()) == {0, 1}
    assert 20 < int((labels == 0).sum()) < 39  # three images of four


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"train: no image-folder tree .*it needs CLASS/\*\.jpg below it"):
        Folder(tmp_path, 24)
    (tmp_path / "train" / "cat").mkdir(parents=True)
    with pytest.raises(UserError, match=r"train: no image-folder tree"):
        Folder(tmp_path, 24)


def test_hidden_files_and_a_single_class_are_no_classes(tree):
    (tree / "train" / ".ipynb_checkpoints").mkdir()
    shutil.copy(tree / "train" / "dog" / "0.png", tree / "train" / ".ipynb_checkpoints")
    (tree / "train" / "cat" / "loop").symlink_to(tree / "train")
    assert Folder(tree, 24).classes == 2
    shutil.rmtree(tree / "train" / "dog")
    with pytest.raises(UserError, match="images of the class 'cat' alone"):
        Folder(tree, 24)


@pytest.mark.parametrize("damage", ["cut", "text"])
def test_a_damaged_image_is_named(tree, damage):
    file = tree / "train" / "dog" / "0.png"
    file.write_bytes(file.read_bytes()[:200] if damage == "cut" else b"no image")
    images = Folder(tree, 24)
    with pytest.raises(UserError, match=r"dog/0\.png: (damaged|not an image).*replace or remove it"):
        images.batch_at(0, 40, 0, "x")
