"""Searches your own backbone inside a configuration of mmsegmentation: python examples/own_segmentor.py [--out FOLDER]

`configs/own_segmentor.py` is a network, as mmsegmentation reads it. Its backbone is the class `OwnBackbone` below; the search
chooses the backbone's width, and which dilated convolutions each block adds up. A supernet is trained with mmsegmentation's own
loss, and backbones are evaluated by the mean intersection over union. The best one is written as a configuration with its
weights. The pictures are synthetic: handwritten digits on photographs. It takes a minute on one core and needs pip install
'tasknas[segmentation]'.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from common import (
    ManyOf,
    NetworkSettings,
    Objective,
    OneOf,
    OptimSettings,
    PathTrainSettings,
    RetrainSettings,
    Run,
    TrainSettings,
    search_network,
)
from common.mm import built
from common.script import spoken_errors
from common.supernet import batch_norm, choose_many, conv2d, depthwise
from segmentation.data import Split, embedded
from segmentation.mm import areas, iou_metrics, prepare

prepare()  # makes mmsegmentation importable beside a current torch
from mmengine.config import Config  # noqa: E402
from mmengine.structures import PixelData  # noqa: E402
from mmseg.registry import MODELS  # noqa: E402
from mmseg.structures import SegDataSample  # noqa: E402

CONFIG = Path(__file__).resolve().parent / "configs" / "own_segmentor.py"
CHANNELS = 32  # of the maps that the configuration's head takes


@dataclass(frozen=True)
class Net:
    """The backbone's arguments in the configuration. `OneOf` is an open decision, `ManyOf` an open subset."""

    hidden: Any = OneOf(16, 32, 48)  # channels inside the blocks
    dilations: Any = (ManyOf((1, 2, 4), 1, 2),) * 4  # of the convolutions that a block adds up: one or two of three


class Block(nn.Module):
    """A residual block that adds up depthwise convolutions of several dilations."""

    def __init__(self, hidden: Any, dilations: Any) -> None:
        super().__init__()
        self.expand = nn.Sequential(conv2d(CHANNELS, hidden, 1, bias=False), batch_norm(hidden), nn.ReLU())
        self.context = choose_many(dilations, lambda dilation: depthwise(hidden, 3, dilation=dilation, bias=False))
        self.project = nn.Sequential(batch_norm(hidden), nn.ReLU(), conv2d(hidden, CHANNELS, 1, bias=False), batch_norm(CHANNELS))

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the shape."""
        return relu(x + self.project(self.context(self.expand(x))))


class OwnBackbone(nn.Module):
    """Gives maps of strides 2 and 4. With fixed arguments it is a plain network, with open ones a supernet."""

    def __init__(self, hidden: Any, dilations: Any) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv2d(3, CHANNELS, 3, stride=2), batch_norm(CHANNELS), nn.ReLU())
        self.down = nn.Sequential(conv2d(CHANNELS, CHANNELS, 3, stride=2), batch_norm(CHANNELS), nn.ReLU())
        self.blocks = nn.Sequential(*[Block(hidden, taken) for taken in dilations])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) -> maps of h / 2 and h / 4."""
        fine = self.stem(x)
        return fine, self.blocks(self.down(fine))


MODELS.register_module(name="OwnBackbone", module=OwnBackbone, force=True)  # `force`: a configuration may import this file again


def build(net: Net) -> nn.Module:
    """The configuration's network around the backbone of a description."""
    config = Config.fromfile(CONFIG).model
    return built("mmseg", config, OwnBackbone(**vars(net)), parts=("decode_head",), seed=None)


ENGINE = ["search.engine.population=6", "search.engine.mutants=3", "search.engine.crossovers=3"]
DATA = embedded(classes=2, size=64, train=400, val=60, test=60)


def batch(split: Split, rows: list[int]) -> dict[str, list[Any]]:
    """Pictures with the class of each pixel, as mmsegmentation's preprocessor takes them."""
    samples = []
    for row in rows:
        sample = SegDataSample(metainfo={"img_shape": (64, 64), "ori_shape": (64, 64)})
        sample.gt_sem_seg = PixelData(data=split[row].labels[None].long())
        samples.append(sample)
    return {"inputs": [split[row].image for row in rows], "data_samples": samples}


def train_step(network: nn.Module, step: int) -> Tensor:
    """mmsegmentation's loss on a random batch."""
    rows = torch.randint(len(DATA.train), (16,)).tolist()
    losses = network(**network.data_preprocessor(batch(DATA.train, rows), True), mode="loss")
    return network.parse_losses(losses)[0]


def scores(network: nn.Module, split: Split) -> dict[str, float]:
    """Mean intersection over union (`mIoU`), and that of every class, on all pictures of a split."""
    samples = network(**network.data_preprocessor(batch(split, list(range(len(split)))), False), mode="predict")
    found = torch.stack([sample.pred_sem_seg.data[0] for sample in samples]).cpu()
    truth = torch.stack([sample.labels for sample in split])
    return iou_metrics(areas(found, truth, len(split.classes)), split.classes)


def evaluate(network: nn.Module) -> dict[str, float]:
    """What the search compares candidates by."""
    return scores(network, DATA.val)


def test(network: nn.Module) -> dict[str, float]:
    """What networks are compared by in the end."""
    return scores(network, DATA.test)


def write_config(run: Run) -> Path:
    """Writes the found network as a configuration of mmsegmentation that begins with the trained weights."""
    config, weights = Config.fromfile(CONFIG), run.path / "found.pth"
    config.model.backbone = {"type": "OwnBackbone", **vars(run.description())}
    config.custom_imports = {"imports": ["own_segmentor"]}  # where OwnBackbone is; this folder must be on PYTHONPATH
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
        objectives=[Objective("mIoU"), Objective("macs", "min", "MACs")],
        settings=NetworkSettings(
            supernet=PathTrainSettings(steps=120, optim=optim),
            train=TrainSettings(steps=60, optim=optim),
            retrain=RetrainSettings(random_archs=1, seeds=1),
        ),
        overrides=["search.trials=12", "search.evaluation.calibration_batches=4", *ENGINE, *options.set],
        name="own segmentor",
        out=options.out,
    )
    print(f"report: {run.path / 'report.html'}\nfound: {run.description()}\nconfiguration: {write_config(run)}")


if __name__ == "__main__":
    with spoken_errors():  # a mistake in a setting is one line, without a traceback
        main()
