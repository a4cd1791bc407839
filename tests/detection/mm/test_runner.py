"""Registered backbones in mmengine's own training."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from detection import mm
from detection.heads import (
    SMALL_RETINANET,
)
from tests.detection.mm.tiny import Tiny


def test_register_refuses_a_second_class_of_one_name():
    mm.register("TestTwice", Tiny)
    mm.register("TestTwice", Tiny)
    with pytest.raises(ValueError, match="TestTwice"):
        mm.register("TestTwice", nn.Identity)


def test_a_registered_backbone_trains_with_mmengines_runner(tmp_path):
    rng = np.random.default_rng(0)
    coco = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "thing"}]}
    for i in range(1, 5):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
        coco["images"].append({"id": i, "file_name": f"{i}.png", "width": 64, "height": 64})
        coco["annotations"].append({"id": i, "image_id": i, "category_id": 1, "bbox": [8, 8, 24, 30], "area": 720, "iscrowd": 0})
    (tmp_path / "train.json").write_text(json.dumps(coco))
    mm.register("TestTiny", Tiny)
    from mmengine.runner import Runner

    from detection.mm.configs import retinanet_config

    model = retinanet_config(SMALL_RETINANET, [16, 24], [8, 16], 1)
    model["backbone"] = {"type": "TestTiny", "arch": "COCO_FPN_300M"}
    model["data_preprocessor"] = {"type": "DetDataPreprocessor", "mean": [0, 0, 0], "std": [255] * 3}
    config = {
        "model": model,
        "default_scope": "mmdet",
        "work_dir": str(tmp_path / "work"),
        "train_dataloader": {
            "batch_size": 2,
            "num_workers": 0,
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "dataset": {
                "type": "CocoDataset",
                "data_root": str(tmp_path),
                "ann_file": "train.json",
                "data_prefix": {"img": ""},
                "metainfo": {"classes": ("thing",)},
                "pipeline": [
                    {"type": "LoadImageFromFile"},
                    {"type": "LoadAnnotations", "with_bbox": True},
                    {"type": "PackDetInputs"},
                ],
            },
        },
        "train_cfg": {"type": "IterBasedTrainLoop", "max_iters": 2},
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.01}},
        "default_hooks": {"checkpoint": None},
        "log_level": "ERROR",
        "experiment_name": "registered",
    }
    runner = Runner.from_cfg(config)
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}
    trained = runner.train()
    assert isinstance(trained.backbone, Tiny)
    assert trained.backbone.arch == "COCO_FPN_300M"
    assert runner.iter == 2
    changed = [k for k, v in trained.state_dict().items() if k.startswith("backbone") and not torch.equal(v, before[k])]
    assert any(k.endswith("0.weight") for k in changed)
    assert not list(tmp_path.rglob("*.pth"))
