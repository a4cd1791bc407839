"""Data sets of one class: squares of the background are the second one, or pre-training is left out, and the notes say so."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from common.overrides import override
from common.train.step import Step
from detection.data import crops, embedded
from detection.data.background import free_squares
from detection.data.batches import with_background
from detection.data.load import ONE_CLASS, ONE_CLASS_ALONE, load_data
from detection.data.samples import Split
from detection.detnas.recipes import smoke
from detection.task import DetectionTask
from tests.detection.micro import SETTINGS, SYSTEM, made


@pytest.fixture(scope="module")
def split() -> Split:
    return embedded(classes=1, train=24, val=2, test=2).train


def covered(split: Split) -> Split:
    """Every picture is one box."""
    notes = [{**note, "bbox": [0, 0, 64, 64]} for note in split.coco["annotations"]]
    return Split("train", {**split.coco, "annotations": notes}, canvas=split.canvas, read=split._read, keep=False)


def test_squares_lie_beside_the_boxes_and_are_as_large(split):
    squares = free_squares(split)
    assert len(squares) > 20
    assert squares == free_squares(split)
    for square in squares:
        left, top, right, bottom = square.box
        assert 0 <= left < right <= 64 and 0 <= top < bottom <= 64
        assert 10 <= right - left <= 32 and right - left == pytest.approx(bottom - top)
        boxes = split[square.index].boxes
        low, high = torch.tensor([left, top]), torch.tensor([right, bottom])
        shared = (boxes[:, 2:].minimum(high) - boxes[:, :2].maximum(low)).clamp_min(0)
        assert float(shared.prod(1).sum()) <= 0.1 * (right - left) ** 2 + 1e-3


def test_crowds_are_no_background(split):
    images = split.coco["images"]
    crowds = [
        {"id": 900 + i, "image_id": image["id"], "category_id": 1, "bbox": [0, 0, 64, 64], "area": 4096, "iscrowd": 1}
        for i, image in enumerate(images)
    ]
    coco = {**split.coco, "annotations": [*split.coco["annotations"], *crowds]}
    assert free_squares(Split("train", coco, canvas=split.canvas, read=split._read, keep=False)) == ()


def test_there_are_about_as_many_squares_as_asked_for(split):
    assert 4 <= len(free_squares(split, limit=8)) <= 10


def test_crops_of_the_background_have_the_second_label(split):
    objects, squares = crops(split, 32), free_squares(split)
    both = with_background(objects, split, squares, 32)
    assert both.labels.tolist() == [0] * len(objects.labels) + [1] * len(squares)
    assert both.images.shape == (len(both.labels), 3, 32, 32)
    assert torch.equal(both.images[: len(objects.images)], objects.images)


def one_class(split: Split | None = None) -> DetectionTask:
    settings = override(smoke(), [*SETTINGS, "data.classes=1"])
    if split is None:
        return made(settings)
    data = replace(load_data(settings.data), train=covered(split))
    return DetectionTask(SYSTEM, settings, Path("none"), data)


def test_pre_training_has_two_classes_and_something_to_learn():
    task = one_class()
    assert ONE_CLASS in task.data.notes
    names = [phase.name for phase in task.phases("supernet")]
    assert names == ["warm-up", "pretrain", "detect"]
    assert task.images.classes == 2
    assert set(task.images.batch_at(0, 64, 0, "x")[1].tolist()) == {0, 1}
    phase = task.phases("supernet")[1]
    model = phase.wrap(task.network(task.baseline, 0), seed=0)  # pyright: ignore[reportAttributeAccessIssue]
    terms = phase.loss(model, phase.batch_at(0, 0), Step())  # pyright: ignore[reportAttributeAccessIssue]
    assert float(terms["loss"].detach()) > 0.1


def test_without_background_pre_training_is_left_out(split, monkeypatch):
    monkeypatch.setattr("detection.data.load.free_squares", lambda split: ())
    assert ONE_CLASS_ALONE in load_data(override(smoke(), [*SETTINGS, "data.classes=1"]).data).notes
    monkeypatch.undo()
    task = one_class(split)
    assert not task.classifies
    assert [phase.name for phase in task.phases("supernet")] == ["detect"]
    assert [phase.name for phase in task.phases("standalone")] == ["detect"]


def test_several_classes_are_as_before():
    task = made(override(smoke(), SETTINGS))
    assert task.images.classes == 5
    assert ONE_CLASS not in task.data.notes and ONE_CLASS_ALONE not in task.data.notes
