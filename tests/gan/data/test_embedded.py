import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.feature import canny

from common.data.digits import digits
from common.errors import UserError
from gan.data import TranslationData, embedded
from gan.data.embedded import PALETTE

MODULE = sys.modules["gan.data.embedded"]  # the package has a function of that name
KINDS = ("digits", "photographs", "textures")
COUNTS = {"train": 30, "val": 20, "test": 10}


@pytest.fixture(scope="module")
def made() -> dict[str, TranslationData]:
    return {kind: embedded(kind, size=32, **COUNTS) for kind in KINDS}


def pixels(images, side: int = 32) -> np.ndarray:
    return np.stack([images.at(index, side).permute(1, 2, 0).numpy() for index in range(len(images))])


@pytest.mark.parametrize("kind", KINDS)
def test_counts_names_and_description(made, kind):
    data = made[kind]
    assert data.name == f"embedded {kind}"
    assert data.paired == (kind != "textures")
    assert data.describe()["images"] == {split: {"inputs": n, "targets": n} for split, n in COUNTS.items()}
    assert len(data.notes) == 1
    for split in (data.train, data.val, data.test):
        assert len({*split.inputs.files, *split.targets.files}) == 2 * len(split.inputs)
        assert all(file.startswith(f"{split.name}/") for file in split.inputs.files)


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_depends_on_seed_split_and_size_and_not_on_the_length(made, kind):
    again, other = (embedded(kind, size=32, train=3, val=2, test=2, seed=seed) for seed in (0, 1))
    for split in COUNTS:
        for domain in ("inputs", "targets"):
            full, short, strange = (pixels(getattr(getattr(data, split), domain)) for data in (made[kind], again, other))
            assert (full[: len(short)] == short).all()
            assert (short != strange).any(axis=(1, 2, 3)).all()
    assert (pixels(made[kind].train.targets)[:10] != pixels(made[kind].test.targets)).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("kind", ["digits", "photographs"])
def test_inputs_are_the_edges_of_their_targets(made, kind):
    data = made[kind]
    edges, targets = pixels(data.train.inputs), pixels(data.train.targets)
    assert set(np.unique(edges)) == {0, 255}
    for lines, target in zip(edges, targets):
        grey = np.asarray(Image.fromarray(target).convert("L")) / 255
        assert (lines == np.where(canny(grey, sigma=1.0), 0, 255)[..., None]).all()
    if kind == "digits":
        assert ((edges == 0).mean(axis=(1, 2, 3)) > 0.03).all()  # every ink stands out from its ground


def test_digits_have_the_colours_of_their_class_and_splits_share_none(made):
    used = {}
    for name, count in COUNTS.items():
        table = digits(name)
        targets = pixels(getattr(made["digits"], name).targets)
        used[name] = set()
        for target in targets:
            ground, ink = (tuple(colour) for colour in (target[0, 0].tolist(), _farthest(target)))
            label = PALETTE.index((ground, ink))
            # Which digit it is: the one of its class whose ink lies where the picture's does.
            opacity = np.linalg.norm(target - np.array(ground, dtype=float), axis=2)
            small = np.asarray(Image.fromarray(opacity.astype(np.float32)).resize((10, 10), Image.Resampling.BOX))[1:9, 1:9]
            scores = [np.corrcoef(small.ravel(), image.ravel())[0, 1] for image in table.images]
            best = int(np.argmax(scores))
            assert table.labels[best] == label
            assert scores[best] > 0.9
            used[name].add(int(table.indices[best]))
        assert len(used[name]) > 0.8 * count  # hardly any digit twice
    assert not used["train"] & used["val"] | used["train"] & used["test"] | used["val"] & used["test"]


def _farthest(target: np.ndarray) -> list[int]:
    distance = np.linalg.norm(target.astype(float) - target[0, 0].astype(float), axis=2)
    return target.reshape(-1, 3)[distance.argmax()].tolist()


def test_palette_colours_are_distinct_and_contrast():
    assert len({colour for pair in PALETTE for colour in pair}) == 20
    for ground, ink in PALETTE:
        assert abs(np.dot(np.array(ground) - np.array(ink), (0.299, 0.587, 0.114))) >= 100


def test_photographs_of_the_splits_come_from_disjoint_parts(monkeypatch):
    """Pictures whose red tells the column: 0 to 239 over 480 columns."""
    red = np.tile((np.arange(480) // 2).astype(np.uint8), (300, 1))
    ramp = Image.fromarray(np.stack([red, red, red], axis=2))
    monkeypatch.setattr(MODULE, "photographs", lambda: (ramp,))
    data = embedded("photographs", size=32, train=40, val=40, test=40)
    for split, low, high in ((data.train, 0, 143), (data.val, 144, 191), (data.test, 192, 239)):
        seen = pixels(split.targets)
        assert low <= seen.min() < low + 12
        assert high - 12 < seen.max() <= high
        widths = seen[:, 0, -1, 0].astype(int) - seen[:, 0, 0, 0]
        assert widths.min() >= 15  # 32 columns of the original
        assert 26 < widths.max() <= 32  # 64 columns


def test_textures_come_from_disjoint_parts_of_two_photographs(monkeypatch):
    red = np.tile((np.arange(480) // 2).astype(np.uint8), (300, 1))
    ramp, blank = (Image.fromarray(np.stack([channel] * 3, axis=2)) for channel in (red, np.full_like(red, 250)))
    monkeypatch.setattr(MODULE, "_textures", lambda: (ramp, blank))
    data = embedded("textures", size=32, train=40, val=40, test=40)
    for split, low, high in ((data.train, 0, 143), (data.val, 144, 191), (data.test, 192, 239)):
        assert low <= pixels(split.inputs).min()
        assert pixels(split.inputs).max() <= high
        assert (pixels(split.targets) == 250).all()


def test_the_two_textures_differ_in_colour(made):
    for split in (made["textures"].train, made["textures"].val, made["textures"].test):
        tissue, retina = (pixels(images).mean(axis=(1, 2)) for images in (split.inputs, split.targets))
        redness = [colour[:, 0] - colour[:, 2] for colour in (tissue, retina)]
        assert redness[0].max() < redness[1].min()
        assert pixels(split.targets).min(axis=(1, 2))[:, 0].min() > 60  # nothing of the black around the retina


@pytest.mark.parametrize(("kind", "most"), [("photographs", 88), ("textures", 96)])
def test_the_largest_size_is_told(kind, most):
    data = embedded(kind, size=most, train=1, val=2, test=2)
    assert data.test.targets.at(1, most).shape == (3, most, most)
    with pytest.raises(UserError, match=rf"size={most + 4}: the \w+ parts of the photographs .*at most {most}$"):
        embedded(kind, size=most + 4, train=1, val=2, test=2)


def test_digits_have_any_size():
    large, small = (embedded("digits", size=size, train=1, val=2, test=2).train.targets.at(0, size) for size in (128, 16))
    assert large.shape == (3, 128, 128)
    assert torch.equal(large[:, 0, 0], small[:, 0, 0])
    assert (large[:, 4::8, 4::8].float() - small.float()).abs().mean() < 15  # the same digit, enlarged


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 30}, "size=30: .*multiple of 4"),
        ({"size": 12}, "size=12: .*at least 16"),
        ({"train": 0}, "train=0: .*at least 1 "),
        ({"val": 1}, "val=1: .*at least 2 "),
        ({"test": 1}, "test=1: .*at least 2 "),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_bad_settings_are_refused(kind, wrong, message):
    with pytest.raises(UserError, match=message):
        embedded(kind, **{"size": 16, "train": 1, "val": 2, "test": 2, **wrong})


@pytest.mark.parametrize("kind", KINDS)
def test_making_pictures_is_quick(made, kind):
    start = time.process_time()
    embedded(kind, size=32, train=256, val=2, test=2)
    assert time.process_time() - start < 2
