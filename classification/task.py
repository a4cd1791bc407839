"""Classification as a task of the core: the cells of DARTS on a data set of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from classification.darts.model import build, check
from classification.darts.networks import by_hand, evaluated, searched
from classification.darts.phases import Classify
from classification.darts.settings import DataSettings, Settings
from classification.darts.space import Network, arch_of
from classification.data import (
    Augment,
    ClassificationData,
    Split,
    classification_folder,
    embedded,
    halves,
    ordered,
)
from classification.export import export
from classification.pictures import draw_predictions
from common.cost.bounds import check_budget
from common.cost.count import count
from common.cost.price import Metric, Price
from common.errors import UserError
from common.objective import Objective
from common.space import Arch, decode
from common.stages.settings import PhaseSettings
from common.supernet import opened

if TYPE_CHECKING:
    from common.task import Phase, SplitName

EVAL_BATCH = 250
"""Images classified at once."""
AUXILIARY_SIDES = range(32, 41)
"""Sides of images on which the second classifier's convolutions end at a single pixel."""


def load_data(settings: DataSettings) -> ClassificationData:
    """The data of a run.

    Raises:
        UserError: the folder cannot be used.
    """
    if settings.folder is None:
        return embedded(settings.size)
    folder = Path(settings.folder)
    return classification_folder(folder, size=settings.size, skip_bad=settings.skip_bad, mirrored=settings.flip)


class ClassificationTask:
    """Cells searched on one data set; see `common.task.PresentedTask` and `common.differentiable.strategies.PricedTask`.

    Networks stay in torch's own order of memory. Channels-last is a third faster on a CPU, but torch 2.14 aborts in the backward
    pass of strided 1x1 convolutions with one or two output channels.
    """

    kind = "classification"

    def __init__(self, settings: Settings) -> None:
        """Reads the data.

        Args:
            settings: of the run.

        Raises:
            UserError: the data cannot be used, or do not fit the settings.
        """
        self.settings = settings
        self.data = load_data(settings.data)
        size = self.data.image_size
        if settings.network.auxiliary and size not in AUXILIARY_SIDES:
            raise UserError(
                f"network.auxiliary={settings.network.auxiliary}: the second classifier reads images of {AUXILIARY_SIDES[0]} to "
                f"{AUXILIARY_SIDES[-1]} pixels, these have {size}; set network.auxiliary=0 or data.size=32"
            )
        self._enough(self.data.train, "train", settings.train)
        self.halves = (self.data.train, self.data.train) if settings.one_level else halves(self.data.train, settings.seed)
        for half in self.halves:
            self._enough(half, "weights", settings.weights)
        self.space = searched(settings, len(self.data.classes))
        check(opened(self.space))
        check(opened(evaluated(settings.network, self.space)))
        self.objectives = (Objective("accuracy"), Objective("macs", "min", "MACs"))
        found = arch_of(self.space, by_hand(settings.space.nodes))
        assert found is not None, "the space has every cell of two edges a node"
        self.baseline = found
        self._costs: dict[Arch, dict[str, int]] = {}

    def supernet(self, seed: int) -> nn.Module:
        """The network with every decision open."""
        return build(opened(self.space), seed)

    def network(self, arch: Arch, seed: int) -> nn.Module:
        """The network in which the cells of an architecture are trained alone."""
        return build(self._evaluated(decode(self.space, arch)), seed)

    def phases(self, kind: Literal["supernet", "standalone"]) -> Sequence[Phase]:
        """In a search the weights learn from one half of the training split and the architecture from the other.

        Alone a network learns from all of it, with cutout, drop-path and a second classifier as the settings say.
        """
        s, padding = self.settings, self.data.image_size // 8  # 4 of 32 pixels
        if kind == "standalone":
            n = s.network
            alone = Augment(padding=padding, cutout=n.cutout)
            phase = Classify(
                name="train",
                settings=s.train,
                split=self.data.train,
                augment=alone,
                drop_path=n.drop_path,
                auxiliary=n.auxiliary,
            )
            return [phase]
        names = ("weights", "architecture")
        return [
            Classify(name=name, settings=s.weights, split=half, augment=Augment(padding=padding))
            for name, half in zip(names, self.halves, strict=True)
        ]

    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """Share of images whose class is found (0..1), and mean cross-entropy."""
        chosen = self.data.val if split == "val" else self.data.test
        chosen = chosen if limit is None else chosen.head(limit)
        right, loss = 0, 0.0
        for scores, labels in self._scores(network, chosen):
            right += int((scores.argmax(1) == labels).sum())
            loss += float(F.cross_entropy(scores.double(), labels, reduction="sum"))
        return {"accuracy": right / len(chosen), "loss": loss / len(chosen)}

    def costs(self, arch: Arch) -> dict[str, int]:
        """Parameters and MACs of the network of `network`, without the second classifier, for one image of the data."""
        if self.settings.budget:  # many are asked for: from tables
            return self._price.price(arch)
        if arch not in self._costs:
            with torch.device("meta"):
                cost = count(build(replace(self._evaluated(decode(self.space, arch)), auxiliary=False)), (self._image,))
            self._costs[arch] = {"params": cost.params, "macs": cost.macs}
        return self._costs[arch]

    def price(self, metric: str) -> tuple[Price, Metric]:
        """The price of the networks that are retrained, and the metric in it: `params` or `macs`."""
        return self._price, cast("Metric", metric)

    def check_budget(self, metric: str, upper: float) -> None:
        """See `common.stages.run.RunTask`. Pools cost as little as `none`: this bounds what is derived without it too."""
        price, name = self.price(metric)
        check_budget(price, name, upper, metric)

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """Test images with their true class and the one found."""
        split = self.data.test.head(count)
        found = [scores.softmax(1) for scores, _ in self._scores(network, split)]
        return draw_predictions(split, torch.cat(found) if found else torch.zeros(0, len(split.classes)), folder)

    def export(self, network: nn.Module, folder: Path) -> float:
        """See `classification.export.export`."""
        return export(network, self.data.image_size, self.data.scale, self.data.classes, folder).max_abs_diff

    @cached_property
    def _price(self) -> Price:
        whole = replace(self._evaluated(self.space), auxiliary=False)
        with torch.device("meta"):
            module = build(opened(whole))
        return Price(module, (self._image,), whole)

    @property
    def _image(self) -> Tensor:
        side = self.data.image_size
        return torch.empty(1, 3, side, side, device="meta")

    def _evaluated(self, net: Network) -> Network:
        return evaluated(self.settings.network, net)

    def _scores(self, network: nn.Module, split: Split) -> list[tuple[Tensor, Tensor]]:
        """Class scores and labels of all images of a split, batch by batch."""
        device = next(network.parameters()).device
        with torch.no_grad():
            return [(network(images.to(device)).detach().cpu(), labels) for images, labels in ordered(split, EVAL_BATCH)]

    @staticmethod
    def _enough(split: Split, name: str, phase: PhaseSettings) -> None:
        if len(split) < phase.batch:
            raise UserError(
                f"{name}.batch={phase.batch}: {split.name} has {len(split)} images; give more images or {name}.batch={len(split)}"
            )
