"""Super-resolution: data, metrics and pictures, for the networks of any system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from common.objective import Objective
from common.system_task import SystemTask
from common.task import Calibration
from superres.data import SuperResData, batch_at
from superres.data.load import load_data
from superres.facts import SuperResFacts
from superres.metrics import psnr_y, ssim_y
from superres.pictures import draw_strips
from superres.upscaling import upscaled

if TYPE_CHECKING:
    from common.task import SplitName


class SuperResTask(SystemTask):
    """Super-resolution of pictures at one scale. The settings of its systems extend `superres.settings.SuperResSettings`."""

    kind = "superres"
    facts_of = SuperResFacts

    @staticmethod
    def read(settings: Any) -> SuperResData:
        """See `load_data`."""
        return load_data(settings.data)

    @property
    def facts(self) -> SuperResFacts:
        """See `SystemTask.facts`."""
        data = self.settings.data
        return SuperResFacts(scale=data.scale, patch=data.patch)

    @property
    def own_objectives(self) -> tuple[Objective, ...]:
        """PSNR of the Y channel, and multiply-adds with those of transposed convolutions."""
        return (Objective("PSNR", "max", "dB"), Objective("macs_deconv", "min", "MACs"))

    @property
    def scores(self) -> Sequence[str]:
        """See `SystemTask.scores`."""
        return ("PSNR", "SSIM")

    @property
    def calibration(self) -> Calibration:
        """On patches of the training split."""
        return Calibration(
            batches=self._calibration_batches,
            forward=lambda network, low: network(low.to(next(network.parameters()).device)),
        )

    def _calibration_batches(self, batches: int, batch: int) -> Iterator[Tensor]:
        data = self.settings.data
        for number in range(batches):
            yield batch_at(self.data.train, number, batch, 0, "calibration", data.patch, data.flip)[0]

    @torch.no_grad()
    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """Means over the pictures of a split: `PSNR` in dB and `SSIM`, of the Y channel without a border of `scale` pixels.

        Pictures larger than a tile go through the network in tiles (`superres.upscaling.upscaled`): a network whose receptive
        field reaches beyond their margin scores a little differently than on whole pictures.

        On the test split also `PSNR NAME` and `SSIM NAME` for each benchmark in it, and the self-ensemble where the settings
        ask for it.
        """
        chosen, scale = self.data.scored(split, limit), self.settings.data.scale
        device = next(network.parameters()).device
        found: dict[str, list[float]] = {}
        for index, group in enumerate(chosen.groups):
            low, high = chosen.pair(index)
            ensemble = self.settings.ensemble and split == "test"
            made = upscaled(network, low[None].to(device, torch.float32), scale, ensemble=ensemble)[0].cpu()
            scores = {"PSNR": float(psnr_y(made, high, scale)), "SSIM": float(ssim_y(made, high, scale))}
            for name, value in scores.items():
                found.setdefault(name, []).append(value)
                if group and split == "test":
                    found.setdefault(f"{name} {group}", []).append(value)
        return {name: sum(values) / len(values) for name, values in found.items()}

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """Crops of test pictures: low resolution, bicubic, the network's and the true one; and both differences."""
        return draw_strips(network, self.data.test, folder, count, self.settings.data.scale)
