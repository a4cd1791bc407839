"""Detection as a task: what candidates are calibrated on, and where predictions are made."""

from dataclasses import replace

import pytest
import torch

from common.errors import UserError
from common.overrides import override
from common.supernet import recalibrate
from common.supernet.recalibrate import batch_norms
from detection import mm
from detection import task as module
from detection.data import embedded
from detection.data.load import load_data
from detection.detections import Detections
from detection.detnas.recipes import paper, smoke, with_head
from detection.detnas.settings import Settings
from detection.settings import LARGEST_SCENE
from detection.systems import SYSTEMS
from tests.detection.micro import made

pytest.importorskip("mmdet")


def settings(head: str = "retinanet") -> Settings:
    s = with_head(smoke(), head)
    return replace(s, data=replace(s.data, train=8, val=4, test=4))


@pytest.mark.parametrize("head", ["retinanet", "faster_rcnn"])
def test_calibration_shows_every_normalisation_real_images(head):
    task = made(settings(head))
    network, calibration = task.network(task.baseline, 0), task.calibration
    recalibrate(network, calibration.batches(2, 4), calibration.forward)
    once = [norm.running_var.clone() for norm in batch_norms(network)]
    # blank proposals would leave a box head a variance of zero, and every box a score of chance
    assert all(float(variance.max()) > 0 for variance in once)
    recalibrate(network, calibration.batches(2, 4), calibration.forward)
    assert all(torch.equal(a, norm.running_var) for a, norm in zip(once, batch_norms(network), strict=True))


def test_a_variant_shares_the_data_unless_their_settings_differ():
    task = made(settings())
    same = task.variant(["retrain_detect.steps=3", "head.neck_channels=16", "data.train=8"])
    assert same.data is task.data and same.settings.retrain_detect.steps == 3
    assert same.costs(task.baseline)["params"] < task.costs(task.baseline)["params"]
    other = task.variant(["data.classes=3"])
    assert (len(other.data.classes), len(task.data.classes)) == (3, 5)
    assert other.space.classes == 3
    with pytest.raises(UserError, match="detection data cannot be cut anew"):
        task.variant(cut=1)


def test_images_follow_the_network(monkeypatch):
    task = made(settings())
    seen = []

    def predict(network, images):
        seen.append((images.device.type, len(images)))
        none = torch.zeros(0)
        return [Detections(boxes=none.reshape(0, 4), scores=none, labels=none.long()) for _ in images]

    monkeypatch.setattr(mm, "predict", predict)
    network = task.network(task.baseline, 0)
    task.predictions(network.to("meta"), task.data.val)
    task.predictions(network.to_empty(device="cpu"), task.data.val)
    assert seen == [("meta", 4), ("cpu", 4)]
    monkeypatch.setattr(module, "EVAL_PIXELS", 2 * 64 * 64)
    task.predictions(network, task.data.val)
    assert seen[2:] == [("cpu", 2), ("cpu", 2)]


def test_candidates_need_something_to_find(monkeypatch):
    data = embedded(train=1, val=2, test=1)
    for note in data.val.coco["annotations"]:
        note["iscrowd"] = int(note["image_id"] == 1)
    monkeypatch.setattr(module, "load_data", lambda settings: data)
    s = settings()
    with pytest.raises(UserError, match=r"search\.evaluation\.images=1: the first 1 validation images hold no box"):
        made(override(s, ["search.evaluation.images=1"]))
    made(override(s, ["search.evaluation.images=2"]))


def test_embedded_scenes_are_as_large_as_their_photographs_allow():
    s = paper().data
    with pytest.raises(UserError, match=r"give --data FOLDER or --set data\.size=64"):
        load_data(s)
    assert load_data(replace(s, size=LARGEST_SCENE, train=1, val=1, test=1)).canvas == (LARGEST_SCENE, LARGEST_SCENE)


def test_a_classification_folder_that_is_none_is_refused_before_training(tmp_path):
    s = settings()
    with pytest.raises(UserError, match=r"data\.classification=.*give one with train/CLASS"):
        made(replace(s, data=replace(s.data, classification=str(tmp_path))))


@pytest.mark.parametrize("method", [method for system in SYSTEMS for method in system.methods], ids=lambda method: method.name)
def test_small_recipes_run_without_a_folder_as_well(method):
    method.recipes["small"]().data.check()
