import pickle

import pytest
import torch

from common.errors import UserError
from detection.data import Data, embedded


@pytest.fixture(scope="module")
def data() -> Data:
    return embedded(train=40, val=24, test=16)


def test_samples_and_coco_tell_the_same(data):
    for split, count in ((data.train, 40), (data.val, 24), (data.test, 16)):
        assert len(split) == len(split.coco["images"]) == count
        for sample, image in zip(split, split.coco["images"]):
            notes = [note for note in split.coco["annotations"] if note["image_id"] == image["id"]]
            assert sample.image_id == image["id"]
            assert sample.image.shape == (3, image["height"], image["width"]) == (3, *split.canvas)
            assert sample.image.dtype == torch.uint8
            x, y, w, h = torch.tensor([note["bbox"] for note in notes]).T
            assert torch.equal(sample.boxes, torch.stack([x, y, x + w, y + h], dim=1))
            assert [split.category_ids[label] for label in sample.labels] == [note["category_id"] for note in notes]
            assert [note["area"] for note in notes] == (w * h).tolist()


def test_scenes_depend_on_seed_split_and_index_only(data):
    again = embedded(train=3, val=2, test=2)
    other = embedded(seed=1, train=3, val=2, test=2)
    for a, b, c in zip(again.train, data.train, other.train):
        assert torch.equal(a.image, b.image)
        assert torch.equal(a.boxes, b.boxes)
        assert not torch.equal(a.image, c.image)
    assert not torch.equal(data.train[0].image, data.val[0].image)


def test_a_split_pickles(data):
    copy = pickle.loads(pickle.dumps(data.val))
    assert torch.equal(copy[5].image, data.val[5].image)
    assert copy.classes == data.val.classes == ("zero", "one", "two", "three", "four")


def test_head_slices_and_negative_indices(data):
    head = data.val.head(5)
    assert len(head) == len(head.coco["images"]) == 5
    assert {note["image_id"] for note in head.coco["annotations"]} == {1, 2, 3, 4, 5}
    assert [sample.image_id for sample in data.val[2:4]] == [3, 4]
    assert data.val[-1].image_id == 24
    with pytest.raises(IndexError):
        data.val[24]


def test_ten_classes_on_larger_scenes():
    data = embedded(classes=10, size=128, train=30, val=4, test=4, digits_per_scene=(2, 4), digit_px=(24, 40))
    assert len(data.classes) == 10
    assert data.canvas == (128, 128)
    assert max(len(sample.boxes) for sample in data.train) > 2


def test_description_is_json_and_honest(data):
    facts = data.describe()
    assert facts["images"] == {"train": 40, "val": 24, "test": 16}
    assert facts["boxes"]["train"] == sum(len(sample.boxes) for sample in data.train)
    assert "photographs are shared" in facts["notes"][0]


@pytest.mark.parametrize(("wrong", "message"), [({"size": 100}, "size=100: .*multiple of 32"), ({"val": 0}, "val=0")])
def test_bad_settings_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        embedded(**{"train": 1, "val": 1, "test": 1, **wrong})


def test_pycocotools_scores_the_truth_as_perfect(data):
    coco = pytest.importorskip("pycocotools.coco").COCO()
    from pycocotools.cocoeval import COCOeval

    coco.dataset = data.val.coco
    coco.createIndex()
    found = coco.loadRes([{**note, "score": 1.0} for note in data.val.coco["annotations"]])
    scorer = COCOeval(coco, found, "bbox")
    scorer.evaluate()
    scorer.accumulate()
    scorer.summarize()
    assert scorer.stats[0] == pytest.approx(1.0)
