"""Searches your own backbone inside a configuration of mmdetection: python examples/own_detector.py [--out FOLDER]

`configs/own_detector.py` is a RetinaNet, as mmdetection reads it. Its backbone is the class `OwnBackbone` below; the search
chooses the backbone's widths, kernels and depth. A supernet is trained with mmdetection's own losses, and backbones are
evaluated by COCO's average precision. The best one is written as a configuration with its weights. The pictures are synthetic:
handwritten digits on photographs. It takes a minute on one core and needs pip install 'tasknas[detection]'.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from common import (
    NetworkSettings,
    Objective,
    OneOf,
    OptimSettings,
    PathTrainSettings,
    Repeat,
    RetrainSettings,
    Run,
    TrainSettings,
    search_network,
)
from common.mm import built
from common.script import spoken_errors
from common.supernet import batch_norm, choose, conv2d, repeat
from detection.data import Split, embedded
from detection.detections import Detections
from detection.mm import coco_metrics, prepare

prepare()  # makes mmdetection importable beside a current torch
from mmdet.registry import MODELS  # noqa: E402
from mmdet.structures import DetDataSample  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.structures import InstanceData  # noqa: E402

CONFIG = Path(__file__).resolve().parent / "configs" / "own_detector.py"
CHANNELS = 48  # of the maps that the configuration's neck takes


@dataclass(frozen=True)
class Net:
    """The backbone's arguments in the configuration. `OneOf` is an open decision, `Repeat` an open number of blocks."""

    stem: Any = OneOf(8, 16)
    hidden: Any = (OneOf(16, 32, 48), OneOf(16, 32, 48))  # channels inside the blocks of a stage
    kernels: Any = (Repeat(OneOf(3, 5), OneOf(1, 2)), Repeat(OneOf(3, 5), OneOf(1, 2)))  # one kernel for each block of a stage


class Block(nn.Module):
    """A residual block."""

    def __init__(self, hidden: Any, kernel: Any) -> None:
        super().__init__()
        expand = choose(kernel, lambda size: conv2d(CHANNELS, hidden, size, bias=False))
        self.body = nn.Sequential(expand, batch_norm(hidden), nn.ReLU(), conv2d(hidden, CHANNELS, 1, bias=False))
        self.norm = batch_norm(CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the shape."""
        return relu(x + self.norm(self.body(x)))


class OwnBackbone(nn.Module):
    """Gives maps of strides 8 and 16. With fixed arguments it is a plain network, with open ones a supernet."""

    def __init__(self, stem: Any, hidden: Any, kernels: Any) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv2d(3, stem, 3, stride=2), batch_norm(stem), nn.ReLU(), conv2d(stem, CHANNELS, 3, stride=2), batch_norm(CHANNELS)
        )
        self.stages = nn.ModuleList()
        for width, blocks in zip(hidden, kernels, strict=True):
            chain = repeat(blocks, lambda i, kernel, width=width: Block(width, kernel))
            self.stages.append(nn.Sequential(conv2d(CHANNELS, CHANNELS, 3, stride=2), batch_norm(CHANNELS), nn.ReLU(), chain))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(n, 3, h, w) -> maps of h / 8 and h / 16."""
        maps = [relu(self.stem(x))]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return tuple(maps[1:])


MODELS.register_module(name="OwnBackbone", module=OwnBackbone, force=True)  # `force`: a configuration may import this file again


def build(net: Net) -> nn.Module:
    """The configuration's detector around the backbone of a description."""
    config = Config.fromfile(CONFIG).model
    return built("mmdet", config, OwnBackbone(**vars(net)), parts=("neck", "bbox_head"), seed=None)


ENGINE = ["search.engine.population=6", "search.engine.mutants=3", "search.engine.crossovers=3"]
DATA = embedded(classes=2, size=64, train=400, val=60, test=60)


def batch(split: Split, rows: list[int]) -> dict[str, list[Any]]:
    """Pictures with their boxes, as mmdetection's preprocessor takes them."""
    samples = []
    for row in rows:
        sample = DetDataSample(metainfo={"img_shape": (64, 64), "ori_shape": (64, 64), "scale_factor": (1.0, 1.0)})
        sample.gt_instances = InstanceData(bboxes=split[row].boxes, labels=split[row].labels)
        samples.append(sample)
    return {"inputs": [split[row].image for row in rows], "data_samples": samples}


def train_step(network: nn.Module, step: int) -> Tensor:
    """mmdetection's losses on a random batch."""
    rows = torch.randint(len(DATA.train), (16,)).tolist()
    losses = network(**network.data_preprocessor(batch(DATA.train, rows), True), mode="loss")
    return network.parse_losses(losses)[0]


def average_precision(network: nn.Module, split: Split) -> float:
    """COCO's average precision on all pictures of a split."""
    samples = network(**network.data_preprocessor(batch(split, list(range(len(split)))), False), mode="predict")
    found = [sample.pred_instances for sample in samples]
    detections = {i: Detections(boxes=f.bboxes, scores=f.scores, labels=f.labels) for i, f in enumerate(found, 1)}
    return coco_metrics(split.coco, detections, split.category_ids)["AP"]


def evaluate(network: nn.Module) -> float:
    """The score that the search maximises."""
    return average_precision(network, DATA.val)


def test(network: nn.Module) -> float:
    """The score that networks are compared by in the end."""
    return average_precision(network, DATA.test)


def write_config(run: Run) -> Path:
    """Writes the found detector as a configuration of mmdetection that begins with the trained weights."""
    config, weights = Config.fromfile(CONFIG), run.path / "found.pth"
    config.model.backbone = {"type": "OwnBackbone", **vars(run.description())}
    config.custom_imports = {"imports": ["own_detector"]}  # where OwnBackbone is; this folder must be on PYTHONPATH
    config.load_from = str(weights.resolve())
    torch.save(run.network().state_dict(), weights)
    config.dump(run.path / "found.py")
    return run.path / "found.py"


def main() -> None:
    """Searches, compares and writes the configuration."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="folder of the run; by default the next free one below runs/")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="other settings, by their names in config.json")
    options = parser.parse_args()
    optim = OptimSettings(name="adamw", lr=0.02, weight_decay=0.05, schedule="one-cycle", clip=10.0)
    run = search_network(
        build,
        Net(),
        evaluate,
        train_step,
        test=test,
        inputs=[torch.zeros(1, 3, 64, 64)],
        objectives=[Objective("AP"), Objective("macs", "min", "MACs")],
        settings=NetworkSettings(
            supernet=PathTrainSettings(steps=120, optim=optim),
            train=TrainSettings(steps=60, optim=optim),
            retrain=RetrainSettings(random_archs=1, seeds=1),
            retrain_from="supernet",
        ),
        overrides=["search.trials=12", "search.evaluation.calibration_batches=4", *ENGINE, *options.set],
        name="own detector",
        out=options.out,
    )
    print(f"report: {run.path / 'report.html'}\nfound: {run.description()}\nconfiguration: {write_config(run)}")


if __name__ == "__main__":
    with spoken_errors():  # a mistake in a setting is one line, without a traceback
        main()
