import pytest
import torch

from common.errors import UserError
from detection.data import batch_at, crops, embedded, ordered


@pytest.fixture(scope="module")
def split():
    return embedded(train=23, val=1, test=1).train


@pytest.mark.parametrize("batch_size", [1, 5, 23, 30])
def test_every_epoch_sees_every_sample_once(split, batch_size):
    seen = [i for step in range(3 * 23) for i in batch_at(split, step, batch_size, 0, "detector").ids][: 3 * 23]
    epochs = [seen[k * 23 : (k + 1) * 23] for k in range(3)]
    assert all(sorted(epoch) == list(range(1, 24)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_batch_is_a_function_of_seed_name_and_step(split):
    late = batch_at(split, 7, 8, 0, "detector")
    for step in (0, 3, 9):
        batch_at(split, step, 8, 0, "detector")
    again = batch_at(split, 7, 8, 0, "detector")
    assert late.ids == again.ids
    assert torch.equal(late.images, again.images)
    assert late.ids != batch_at(split, 7, 8, 1, "detector").ids
    assert late.ids != batch_at(split, 7, 8, 0, "retrain").ids


def test_a_batch_holds_its_samples(split):
    batch = batch_at(split, 2, 6, 0, "x")
    assert batch.images.shape == (6, 3, 64, 64)
    assert len(batch) == 6
    for i, sample in enumerate(batch.samples):
        assert torch.equal(batch.images[i], sample.image)
        assert torch.equal(batch.boxes[i], sample.boxes)
        assert torch.equal(batch.labels[i], sample.labels)


def test_flipping_moves_boxes_with_their_pixels(split):
    pytest.importorskip("mmdet")
    flipped = 0
    for step in range(4):
        batch = batch_at(split, step, 8, 0, "x", augment=True)
        again = batch_at(split, step, 8, 0, "x", augment=True)
        assert torch.equal(batch.images, again.images)
        for image, boxes, sample in zip(batch.images, batch.boxes, batch.samples):
            if torch.equal(image, sample.image):
                assert torch.equal(boxes, sample.boxes)
                continue
            flipped += 1
            assert torch.equal(image, sample.image.flip(-1))
            for (a1, b1, a2, b2), (x1, y1, x2, y2) in zip(boxes.int().tolist(), sample.boxes.int().tolist()):
                assert torch.equal(image[:, b1:b2, a1:a2], sample.image[:, y1:y2, x1:x2].flip(-1))
    assert 8 <= flipped <= 24


def test_ordered_gives_every_sample_in_order(split):
    batches = list(ordered(split, 10))
    assert [len(batch) for batch in batches] == [10, 10, 3]
    assert [i for batch in batches for i in batch.ids] == list(range(1, 24))


def test_crops_are_the_objects(split):
    made = crops(split, 32)
    labels = torch.cat([sample.labels for sample in split])
    assert torch.equal(made.labels, labels)
    assert made.images.shape == (len(labels), 3, 32, 32)
    assert made.images.dtype == torch.uint8
    # A crop without margin at the box's own size holds the box's pixels unscaled.
    box = split[0].boxes[0].int().tolist()
    side = max(box[2] - box[0], box[3] - box[1])
    tight = crops(split.head(1), side, margin=0.0).images[0]
    inner = split[0].image[:, box[1] : box[3], box[0] : box[2]]
    windows = tight.unfold(1, inner.shape[1], 1).unfold(2, inner.shape[2], 1)
    assert any(torch.equal(windows[:, i, j], inner) for i in range(windows.shape[1]) for j in range(windows.shape[2]))


def test_crops_obey_their_limit(split):
    few = crops(split, 16, limit=10)
    assert 1 <= len(few.labels) <= 12


def test_a_split_without_boxes_has_no_crops(split):
    bare = split.head(3)
    bare.coco = {**bare.coco, "annotations": []}
    with pytest.raises(UserError, match="no box"):
        crops(bare, 32)
