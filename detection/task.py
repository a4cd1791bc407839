"""Detection as a task of the core: DetNAS's space on a detection data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from common.cost.bounds import check_budget
from common.cost.price import Metric, Price
from common.errors import UserError
from common.objective import Objective
from common.space import Arch, decode
from common.streams import derive
from common.supernet import opened
from detection import mm
from detection.data import Batch, Data, Split, coco_folder, crops, embedded, ordered
from detection.detections import Detections
from detection.detnas.classification import BoxCrops, Folder, Images
from detection.detnas.model import build
from detection.detnas.phases import Classify, Detect
from detection.detnas.settings import DataSettings, Settings
from detection.detnas.space import SIZES, DetectorNet, backbone, classifier, uniform_arch
from detection.export import export
from detection.heads import RetinaNet
from detection.pictures import draw_predictions

if TYPE_CHECKING:
    from common.task import Phase, SplitName

EVAL_BATCH = 64
"""Most images predicted at once."""
EVAL_PIXELS = 1 << 22
"""Most pixels predicted at once: 64 images of 256x256, 2 of 1344x1344."""
LARGEST_SCENE = 288
"""Side of the largest embedded scenes in pixels."""


def load_data(settings: DataSettings) -> Data:
    """The data of a run.

    Raises:
        UserError: the folder cannot be used.
    """
    if settings.folder is not None:
        return coco_folder(Path(settings.folder), settings.size, settings.skip_bad)
    size = settings.size or 64
    if size > LARGEST_SCENE:
        raise UserError(
            f"data.size={size}: embedded scenes have sides of at most {LARGEST_SCENE}; give --data FOLDER or --set data.size=64"
        )
    return embedded(
        classes=settings.classes,
        size=size,
        train=settings.train,
        val=settings.val,
        test=settings.test,
        digits_per_scene=(1, 2) if size <= 64 else (1, 4),
    )


class DetectionTask:
    """A detector searched by DetNAS on one data set; see `common.task.CalibratedTask`."""

    kind = "detection"

    def __init__(self, settings: Settings) -> None:
        """Reads the data.

        Args:
            settings: of the run.

        Raises:
            UserError: the data cannot be used, or the head does not fit the backbone.
        """
        self.settings = settings
        self.data = load_data(settings.data)
        folder = settings.data.classification
        if folder is not None and not (Path(folder) / "train").is_dir():
            raise UserError(f"data.classification={folder}: it has no folder train/; give one with train/CLASS/*.jpg")
        limit = settings.search.images
        if limit is not None and all(note["iscrowd"] for note in self.data.val.head(limit).coco["annotations"]):
            raise UserError(f"search.images={limit}: the first {limit} validation images hold no box to find; give more")
        self.space = DetectorNet(backbone=backbone(settings.space), head=settings.head, classes=len(self.data.classes))
        self.objectives = (Objective("AP50" if settings.recipe == "smoke" else "AP"), Objective("macs", "min", "MACs"))
        self.baseline = uniform_arch(self.space, 0)

    def supernet(self, seed: int) -> nn.Module:
        """The detector with every decision open."""
        return _build(opened(self.space), seed)

    def network(self, arch: Arch, seed: int) -> nn.Module:
        """The detector of an architecture."""
        return _build(decode(self.space, arch), seed)

    @cached_property
    def images(self) -> Images:
        """What backbones are pre-trained on."""
        data = self.settings.data
        if data.classification is not None:
            return Folder(Path(data.classification), data.crop)
        return BoxCrops(crops(self.data.train, data.crop), len(self.data.classes), flip=data.flip)

    def phases(self, kind: Literal["supernet", "standalone"]) -> Sequence[Phase]:
        """Warm-up and pre-training on single objects, then detection; phases of no steps are left out."""
        s = self.settings
        last = SIZES[s.space].last

        def classify(name: str, settings: Any, spread: bool = False) -> Classify:
            return Classify(
                name=name,
                settings=settings,
                images=lambda: self.images,
                last=last,
                label_smoothing=s.label_smoothing,
                dropout=s.dropout,
                spread=spread,
            )

        def detect(settings: Any) -> Detect:
            return Detect(name="detect", settings=settings, split=self.data.train, flip=s.data.flip)

        if kind == "standalone":
            chosen: list[Phase] = [classify("pretrain", s.retrain_pretrain), detect(s.retrain_detect)]
        else:
            chosen = [classify("warm-up", s.warm_up, spread=True), classify("pretrain", s.pretrain), detect(s.detect)]
        return [phase for phase in chosen if phase.settings.steps]

    def calibration(self, batches: int, batch: int) -> Iterable[Batch]:
        """The first training images, in order."""
        return ordered(self.data.train.head(batches * batch), batch)

    def calibrate(self, network: nn.Module, batch: Batch) -> object:
        """Runs the detector as far as its last normalisation.

        A box head has normalisations of its own: it sees the proposals it is trained on, as in the official code, where
        training forwards re-estimate the statistics. Which are sampled is a function of the run's seed and the images.
        """
        device = _device_of(network)
        images = batch.images.to(device)
        if isinstance(self.settings.head, RetinaNet):
            return network(images)
        boxes, labels = [b.to(device) for b in batch.boxes], [c.to(device) for c in batch.labels]
        seed = derive(self.settings.seed, "calibration", *batch.ids)
        return mm.losses(network, images, boxes, labels, seed=seed)  # pyright: ignore[reportArgumentType]

    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """COCO's average precisions in the pixels of the original images, 0..1."""
        chosen = self.data.val if split == "val" else self.data.test
        chosen = chosen if limit is None else chosen.head(limit)
        return mm.coco_metrics(chosen.coco, self.predictions(network, chosen), chosen.category_ids)

    def predictions(self, network: nn.Module, split: Split) -> dict[int, Detections]:
        """Detections by image id, boxes in the pixels of the original images."""
        found: dict[int, Detections] = {}
        height, width = split.canvas
        device = _device_of(network)
        for batch in ordered(split, max(1, min(EVAL_BATCH, EVAL_PIXELS // (height * width)))):
            for sample, one in zip(batch.samples, mm.predict(network, batch.images.to(device)), strict=True):  # pyright: ignore[reportArgumentType]
                boxes = sample.to_original(one.boxes.cpu())
                found[sample.image_id] = Detections(boxes=boxes, scores=one.scores.cpu(), labels=one.labels.cpu())
        return found

    @cached_property
    def prices(self) -> dict[str, tuple[Price, Metric]]:
        """Cost name -> the table it is read from, and the entry there."""
        large = classifier(self.settings.space)
        with torch.device("meta"):
            whole, body, published = build(opened(self.space)), build(opened(self.space.backbone)), build(opened(large))
        height, width = self.data.canvas
        scene = torch.empty(1, 3, height, width, dtype=torch.uint8, device="meta")
        image = torch.empty(1, 3, 224, 224, device="meta")
        detector = Price(whole, (scene,), self.space)
        return {
            "params": (detector, "params"),
            "macs": (detector, "macs"),
            "macs_backbone": (Price(body, (image,), self.space.backbone), "macs"),
            "macs_classifier": (Price(published, (image,), large), "macs"),
        }

    def costs(self, arch: Arch) -> dict[str, int]:
        """Parameters and MACs of the whole detector at the run's image size, and the paper's MACs at 224x224.

        `macs_backbone` is what the paper limits, `macs_classifier` what its tables print: with the ImageNet classifier.
        """
        bare = Arch({path.removeprefix("backbone."): option for path, option in arch.items()})
        forms = {id(self.prices["macs_backbone"][0]): bare}
        return {name: price.value(forms.get(id(price), arch), metric) for name, (price, metric) in self.prices.items()}

    def check_budget(self, metric: str, upper: float) -> None:
        """See `common.stages.run.RunTask`."""
        price, name = self.prices[metric]
        check_budget(price, name, upper, metric)

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """Test images with the true boxes in white and those found in the colour of their class."""
        split = self.data.test.head(count)
        return draw_predictions(split, self.predictions(network, split), folder)

    def export(self, network: nn.Module, folder: Path) -> float:
        """See `detection.export.export`."""
        assert isinstance(network, mm.Detector)
        return export(network, self.data.canvas, self.data.classes, folder).max_abs_diff


def _build(description: Any, seed: int) -> nn.Module:
    """Its convolutions are in channels-last order: a third faster on a CPU."""
    return build(description, seed).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _device_of(network: nn.Module) -> torch.device:
    """Where a network is: the images follow it."""
    return next(network.parameters()).device
