import numpy as np
import pytest
import torch

from common.data.digits import digits
from common.data.photographs import photographs
from common.data.scenes import SceneRules, compose
from common.errors import UserError
from common.streams import numpy_stream
from segmentation.data import IGNORE, SegmentationData, embedded


@pytest.fixture(scope="module")
def data() -> SegmentationData:
    return embedded(train=30, val=20, test=10)


def test_samples_are_the_scenes_of_the_shared_generator(data):
    for split, count in ((data.train, 30), (data.val, 20), (data.test, 10)):
        assert len(split) == count
        for i, sample in enumerate(split):
            rng = numpy_stream(0, "embedded", split.name, i)
            scene = compose(rng, digits(split.name), photographs(), SceneRules())
            assert (sample.image.permute(1, 2, 0).numpy() == scene.image).all()
            assert (sample.labels.numpy() == scene.class_map()).all()
            assert sample.image.shape == (3, 64, 64)
            assert sample.image.dtype == sample.labels.dtype == torch.uint8


def test_pictures_are_those_of_detection_and_every_box_is_tight_around_pixels_of_its_class(data):
    pytest.importorskip("detection.data")
    from detection.data import embedded as boxed

    for ours, theirs in zip(data.train, boxed(train=30, val=1, test=1).train, strict=True):
        assert torch.equal(ours.image, theirs.image)
        left = ours.labels.numpy().copy()
        for (x1, y1, x2, y2), label in zip(theirs.boxes.int().tolist(), theirs.labels.tolist(), strict=True):
            rows, columns = np.nonzero(left[y1:y2, x1:x2] == label + 1)
            assert (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1) == (0, 0, y2 - y1, x2 - x1)
            left[y1:y2, x1:x2] = 0
        assert not left.any()  # background outside the boxes


def test_classes_palette_and_counts(data):
    assert data.classes == ("background", "zero", "one", "two", "three", "four")
    assert len(data.palette) == len(set(data.palette)) == 6
    assert data.palette[0] == (0, 0, 0)
    assert data.ignore == IGNORE == 255
    assert data.size == (64, 64)
    assert not data.flip
    for split in (data.train, data.val, data.test):
        labels = torch.stack([sample.labels for sample in split]).long()
        assert split.pixels.sum(axis=0).tolist() == torch.bincount(labels.ravel(), minlength=6).tolist()
    assert data.train.absent == data.val.absent == ()


def test_the_same_seed_gives_the_same_bytes_whatever_the_length(data):
    again, other = embedded(train=3, val=2, test=2), embedded(seed=1, train=3, val=2, test=2)
    for a, b, c in zip(again.train, data.train, other.train):
        assert a.image.numpy().tobytes() == b.image.numpy().tobytes()
        assert a.labels.numpy().tobytes() == b.labels.numpy().tobytes()
        assert not torch.equal(a.image, c.image)
    assert not torch.equal(data.train[0].image, data.val[0].image)


def test_a_class_no_scene_shows_is_in_the_notes():
    made = embedded(classes=10, train=40, val=1, test=40)
    assert made.val.absent
    assert all(any(f"class {name!r} is in no val scene" == note for note in made.notes) for name in made.val.absent)


def test_description_is_json_and_honest(data):
    facts = data.describe()
    assert facts["images"] == {"train": 30, "val": 20, "test": 10}
    assert facts["size"] == [64, 64]
    assert sum(facts["shares"]["train"]) == pytest.approx(1, abs=1e-5)
    assert 0.8 < facts["shares"]["train"][0] < 0.97
    assert "half opaque" in facts["notes"][0]


@pytest.mark.parametrize(
    ("wrong", "message"), [({"size": 100}, "size=100: .*multiple of 32"), ({"val": 0}, "val=0"), ({"classes": 11}, "classes=11")]
)
def test_bad_settings_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        embedded(**{"train": 1, "val": 1, "test": 1, **wrong})
