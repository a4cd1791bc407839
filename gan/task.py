"""Translation of pictures: data, metrics and pictures, for the generators of any system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from common.errors import UserError
from common.objective import Objective
from common.system_task import SystemTask
from gan.data import Augmentation, Images, Split, TranslationData, ordered
from gan.data.load import load_data
from gan.facts import TranslationFacts
from gan.features import InceptionFeatures, SmallFeatures
from gan.metrics import Frechet, Reference, mean_iou, paired_scores, segmenter
from gan.pictures import draw_strips

if TYPE_CHECKING:
    from common.stages.settings import RunSettings
    from common.system import System
    from common.task import SplitName

EVAL_PIXELS = 1 << 19
"""Most pixels generated at once: 32 pictures of 128x128."""


class TranslationTask(SystemTask):
    """Translation of pictures on one data set. The settings of its systems extend `gan.settings.TranslationSettings`.

    Systems whose generators are compared with a reference generator extend this class; see `reference`.
    """

    kind = "gan"
    facts_of = TranslationFacts

    def __init__(self, system: System, settings: RunSettings, weights: Path, data: Any = None) -> None:
        """See `SystemTask`; refuses as well a score that needs pairs where there are none, and networks that cannot be read."""
        super().__init__(system, settings, weights, data)
        s = self.settings
        if s.score != "Frechet" and not self.data.paired:
            raise UserError(f"score={s.score!r}: without pairs there is nothing to compare with; search for Frechet")
        self.features = SmallFeatures() if s.features is None else InceptionFeatures(Path(s.features))
        self.segmenter = None if s.segmenter is None else segmenter(s.segmenter)
        self._distances: dict[tuple[str, int | None, torch.device], Frechet] = {}

    @staticmethod
    def read(settings: Any) -> TranslationData:
        """See `load_data`."""
        return load_data(settings.data)

    @property
    def facts(self) -> TranslationFacts:
        """See `SystemTask.facts`."""
        return TranslationFacts(size=self.settings.data.size)

    @property
    def own_objectives(self) -> tuple[Objective, ...]:
        """The score of the settings, and MACs."""
        goal = self.distance if self.settings.score == "Frechet" else self.settings.score
        return (Objective(goal, "max" if goal == "mIoU" else "min"), Objective("macs", "min", "MACs"))

    @property
    def scores(self) -> Sequence[str]:
        """See `SystemTask.scores`."""
        if self.data.paired:
            return (self.distance, "L1", "PSNR", "SSIM", *(("mIoU",) if self.settings.segmenter else ()))
        return (self.distance, *((f"L1_{self.reference.name}",) if self.reference else ()))

    @property
    def distance(self) -> str:
        """Name of the Fréchet distance."""
        return "Frechet" if self.settings.features is None else "FID"

    @property
    def reference(self) -> Reference | None:
        """The generator that others are compared with; None where a system has none."""
        return None

    @cached_property
    def augmentation(self) -> Augmentation:
        """Of training pictures: the embedded digits are never mirrored, a mirrored digit is another one."""
        s = self.settings.data
        mirrored = s.folder is None and s.embedded == "digits"
        return Augmentation(size=s.size, load=s.load, flip=s.flip and not mirrored)

    @torch.no_grad()
    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """Scores of the pictures made of a split's inputs.

        `Frechet` (or `FID`): their distance from the split's targets; without pairs, on the test split, from all true pictures
        of the domain outside the validation split. In pairs also `L1`, `PSNR`, `SSIM` (`gan.metrics.paired_scores`) and, with a
        segmenter, `mIoU`. Without pairs, but with a reference, `L1_NAME`: the mean absolute difference to the pictures of the
        reference, 0..1.
        """
        chosen = self.data.scored(split, limit)
        device = next(network.parameters()).device
        generated = [network(x.to(device)) for x in self._pictures(chosen.inputs)]
        found = {self.distance: self._distance(split, limit, chosen, device).distance(generated)}
        if self.data.paired:
            found |= paired_scores(zip(generated, self._pictures(chosen.targets), strict=True))
        elif self.reference is not None:
            reference = self.reference.network(device)
            theirs = (reference(x.to(device)) for x in self._pictures(chosen.inputs))
            found[f"L1_{self.reference.name}"] = paired_scores(zip(generated, theirs, strict=True))["L1"]
        if self.segmenter is not None:
            pairs = zip(generated, self._pictures(chosen.targets), strict=True)
            found["mIoU"] = mean_iou(self.segmenter.to(device), pairs)
        return found

    def _distance(self, name: str, limit: int | None, split: Split, device: torch.device) -> Frechet:
        key = name, limit, device
        if key not in self._distances:
            true = self._pictures(split.targets)
            if name == "test" and not self.data.paired:
                true = chain(true, self._pictures(self.data.train.targets))
            self._distances[key] = Frechet(self.features.eval().to(device), true, device)
        return self._distances[key]

    def _pictures(self, images: Images) -> Iterator[Tensor]:
        size = self.settings.data.size
        return ordered(images, size, max(1, min(64, EVAL_PIXELS // size**2)))

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """Test inputs, each beside what the reference (if any) and the network make of it and, in pairs, the true picture."""
        split = self.data.test.head(count)
        return draw_strips(split, network, self.settings.data.size, self.data.paired, folder, self.reference)
