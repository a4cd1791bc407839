"""A COCO folder of 80 categories, whose numbers reach to 90, trains and is scored."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("mmdet")
from common.train.phase import train_phase
from detection.efficientdet.recipes import small
from detection.efficientdet.system import SYSTEM
from detection.heads import Postprocess
from detection.settings import DataSettings
from detection.task import DetectionTask


def test_a_coco_folder_trains_and_is_scored(tasknas_data):
    folder = tasknas_data / "detection" / "coco_mini"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is missing")
    recipe = small()
    settings = replace(
        recipe,
        data=DataSettings(folder=str(folder), size=96, skip_bad=True, flip=True),
        head=replace(recipe.head, postprocess=Postprocess(per_image=100, score_threshold=0.0, before_nms=200)),
        budget={},
        retrain_pretrain=replace(recipe.retrain_pretrain, steps=1, batch=8),
        retrain_detect=replace(recipe.retrain_detect, steps=2, batch=4),
    )
    task = SYSTEM.make(settings, Path("no weights"))
    assert isinstance(task, DetectionTask)
    assert len(task.data.classes) == 71  # of 80: the others have no box to learn from
    network = task.network(task.baseline, 0)
    for phase in task.phases("standalone"):
        assert train_phase(network, phase, seed=0)["loss"] > 0
    split = task.data.val.head(8)
    found = task.predictions(network.eval(), split)
    labels = {int(label) for one in found.values() for label in one.labels}
    assert len(found) == 8 and max(labels) > 40  # classes by their place in the list
    assert {split.category_ids[label] for label in labels} <= {note["id"] for note in split.coco["categories"]}
    assert set(task.metrics(network, "val", 8)) == set(task.scores)
