"""Translation of pictures as a task of the core: GAN Compression's generators on pairs of pictures or on two domains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from common.cost.bounds import check_budget
from common.cost.count import count, output_elements
from common.cost.price import Metric, Price
from common.errors import UserError
from common.objective import Objective
from common.overrides import override
from common.run.checkpoint import load_weights
from common.space import Arch, decode
from common.supernet import opened
from gan.compression.model import ResnetGenerator, build
from gan.compression.phases import Distil
from gan.compression.settings import Settings
from gan.compression.space import Generator, arch_of, choices, open_space, uniform
from gan.compression.transfer import begin_with
from gan.data import Augmentation, Images, Split, TranslationData, embedded, folder, ordered
from gan.export import export
from gan.features import InceptionFeatures, SmallFeatures
from gan.game import Game
from gan.metrics import Frechet, mean_iou, paired_scores, segmenter
from gan.pictures import draw_strips
from gan.settings import DataSettings, GameSettings
from gan.teachers import CycleGAN, Pix2Pix, ThereAndBack

if TYPE_CHECKING:
    from common.stages.settings import PhaseSettings
    from common.task import Phase, SplitName

EVAL_PIXELS = 1 << 19
"""Most pixels generated at once: 32 pictures of 128x128."""
EMBEDDED_VAL = 64
"""Embedded pictures in the validation split by default."""


def load_data(settings: DataSettings) -> TranslationData:
    """The data of a run.

    Raises:
        UserError: the folder cannot be used, or no pictures can be made as asked.
    """
    if settings.folder is not None:
        path, chosen = Path(settings.folder), settings
        return folder(path, size=chosen.size, val=chosen.val, direction=chosen.direction, skip_bad=chosen.skip_bad)
    val = EMBEDDED_VAL if settings.val is None else settings.val
    return embedded(settings.embedded, size=settings.size, train=settings.train, val=val, test=settings.test)


class TranslationTask:
    """Generators searched by GAN Compression on one data set; see `common.task.CalibratedTask` and `TunedTask`.

    Attributes:
        weights: the folder of the run's weights: the teacher's, the discriminators' after each phase.
    """

    kind = "gan"

    def __init__(self, settings: Settings, weights: Path, data: TranslationData | None = None) -> None:
        """Reads the data.

        Args:
            settings: of the run.
            weights: folder of the run's weights.
            data: what was read before.

        Raises:
            UserError: the data cannot be used, or do not fit the settings.
        """
        self.settings = settings
        self.weights = weights
        s = settings.data
        self.data = load_data(s) if data is None else data
        mirrored = s.folder is None and s.embedded == "digits"  # a mirrored digit is another one
        self.augmentation = Augmentation(size=s.size, load=s.load, flip=s.flip and not mirrored)
        if settings.score != "Frechet" and not self.data.paired:
            raise UserError(f"score={settings.score!r}: without pairs there is nothing to compare with; search for Frechet")
        self.space = open_space(settings.space, settings.blocks, settings.dropout)
        self.distance = "Frechet" if settings.features is None else "FID"
        goal = self.distance if settings.score == "Frechet" else settings.score
        self.objectives = (
            Objective(goal, "max" if goal == "mIoU" else "min"),
            Objective("macs", "min", "MACs"),
        )
        self.baseline = self._widest_uniform()
        self.features = SmallFeatures() if settings.features is None else InceptionFeatures(Path(settings.features))
        self.segmenter = None if settings.segmenter is None else segmenter(settings.segmenter)
        self._check_taken()
        self._teachers: dict[torch.device, ResnetGenerator] = {}
        self._distances: dict[tuple[str, int | None, torch.device], Frechet] = {}

    @property
    def game(self) -> GameSettings:
        """What is played for, by the data's kind."""
        return self.settings.paired if self.data.paired else self.settings.unpaired

    # ---- networks

    @property
    def teacher_net(self) -> Generator:
        """The teacher's description."""
        s = self.settings
        return uniform(s.teacher.width, blocks=s.blocks, mobile=s.teacher.mobile, dropout=s.dropout)

    def teacher_network(self, seed: int) -> nn.Module:
        """What is trained to get a teacher: its generator, or two of opposite directions where there are no pairs."""
        if self.data.paired:
            return build(self.teacher_net, seed)
        return ThereAndBack(lambda i: build(self.teacher_net, seed + i))

    @property
    def teacher_file(self) -> Path:
        """Where the trained teacher's weights are."""
        return self.weights / "teacher.safetensors"

    def _check_taken(self) -> None:
        """Another run's teacher must be there, unless it was taken already."""
        run = self.settings.teacher.run
        if run is None or self.teacher_file.exists():
            return
        for file in (self.teacher_file, self.discriminator_file("teacher")):
            if not (source := Path(run) / "weights" / file.name).is_file():
                raise UserError(f"teacher.run={run}: it has no {source}; give the folder of a run that trained its teacher")

    def teacher(self, device: torch.device) -> ResnetGenerator:
        """The trained teacher, which is not trained any more, on a device."""
        if device not in self._teachers:
            network = build(self.teacher_net)
            load_weights(self.teacher_file, network)
            self._teachers[device] = network.to(device).eval().requires_grad_(False)
        return self._teachers[device]

    def supernet(self, seed: int) -> nn.Module:
        """The generator with every width open; before a distilled start it has the teacher's most important filters."""
        network = build(opened(self.space), seed)
        if self.settings.distil.steps and self.teacher_file.exists():
            begin_with(self.teacher(torch.device("cpu")), network)
        return network

    def network(self, arch: Arch, seed: int) -> nn.Module:
        """The generator of an architecture, with fresh weights."""
        return build(decode(self.space, arch), seed)

    # ---- training

    def teacher_phase(self) -> Phase:
        """How the teacher is trained."""
        kind = Pix2Pix if self.data.paired else CycleGAN
        return kind(
            name="teacher",
            settings=self.settings.train_teacher,
            game=Game(settings=self.game, paired=self.data.paired, end=self.discriminator_file("teacher")),
            split=self.data.train,
            augmentation=self.augmentation,
        )

    def phases(self, kind: Literal["supernet", "standalone"]) -> Sequence[Phase]:
        """The widest student, then all of them; or a single one. Each plays against the discriminator of the phase before."""
        s = self.settings
        steps = [("distil", s.distil), ("supernet", s.supernet)] if s.distil.steps else [("supernet", s.supernet)]
        before = ["teacher", *(name for name, _ in steps)]
        if kind == "standalone":
            return [self._distil("finetune", s.finetune, before[-1], None)]
        return [self._distil(name, phase, last, name) for (name, phase), last in zip(steps, before, strict=False)]

    def discriminator_file(self, phase: str) -> Path:
        """Where the discriminator's weights after a phase are."""
        return self.weights / f"{phase}-discriminator.safetensors"

    def _distil(self, name: str, settings: PhaseSettings, before: str, end: str | None) -> Distil:
        return Distil(
            name=name,
            settings=settings,
            game=Game(
                settings=self.game,
                paired=self.data.paired,
                begin=self.discriminator_file(before),
                end=None if end is None else self.discriminator_file(end),
            ),
            split=self.data.train,
            augmentation=self.augmentation,
            teacher=self.teacher,
            teacher_width=4 * self.settings.teacher.width,
        )

    def tuned(self, words: Sequence[str]) -> TranslationTask:
        """See `common.task.TunedTask`."""
        return TranslationTask(override(self.settings, words), self.weights, self.data)

    def calibration(self, batches: int, batch: int) -> Sequence[Any]:
        """Nothing: instance normalisation has no statistics to estimate."""
        return ()

    def calibrate(self, network: nn.Module, batch: Any) -> object:
        """Never called: see `calibration`."""
        return None

    # ---- scores

    @torch.no_grad()
    def metrics(self, network: nn.Module, split: SplitName, limit: int | None = None) -> dict[str, float]:
        """How good the pictures made of a split's inputs are.

        `Frechet` (or `FID`): their distance from the split's targets; without pairs, on the test split, from all true pictures
        of the domain outside the validation split. In pairs also `L1`, `PSNR`, `SSIM` (`gan.metrics.paired_scores`) and, with a
        segmenter, `mIoU`; without, `L1_teacher`, the mean absolute difference to the teacher's pictures, 0..1.
        """
        chosen = self.data.val if split == "val" else self.data.test
        chosen = chosen if limit is None else chosen.head(limit)
        device = next(network.parameters()).device
        generated = [network(x.to(device)) for x in self._pictures(chosen.inputs)]
        found = {self.distance: self._distance(split, limit, chosen, device).distance(generated)}
        if not self.data.paired:
            teacher = self.teacher(device)
            theirs = (teacher(x.to(device)) for x in self._pictures(chosen.inputs))
            return found | {"L1_teacher": paired_scores(zip(generated, theirs, strict=True))["L1"]}
        found |= paired_scores(zip(generated, self._pictures(chosen.targets), strict=True))
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

    # ---- costs

    @cached_property
    def price(self) -> Price:
        """The table of costs of the space, for one picture of the run's size."""
        side = self.settings.data.size
        with torch.device("meta"):
            network = build(opened(self.space))
        return Price(network, (torch.empty(1, 3, side, side, device="meta"),), self.space, convention=output_elements)

    def costs(self, arch: Arch) -> dict[str, int]:
        """Parameters, and MACs as the paper counts them (`output_elements`), for one picture of the run's size."""
        return self.price.price(arch)

    @cached_property
    def teacher_costs(self) -> dict[str, int]:
        """The same of the teacher."""
        side = self.settings.data.size
        with torch.device("meta"):
            counted = count(build(self.teacher_net), (torch.empty(1, 3, side, side),), convention=output_elements)
        return {"params": counted.params, "macs": counted.macs}

    def check_budget(self, metric: str, upper: float) -> None:
        """See `common.stages.run.RunTask`."""
        name: Metric = "params" if metric == "params" else "macs"
        check_budget(self.price, name, upper, metric)

    @cached_property
    def uniform_archs(self) -> dict[int, Arch]:
        """Width -> the architecture with that base width everywhere, from wide to narrow."""
        chosen = choices(self.settings.space)
        return {width: arch_of(self.space, [width] * len(chosen.positions())) for width in chosen.widths()}

    def _widest_uniform(self) -> Arch:
        """The widest generator of one width that keeps the budget, or the narrowest one: what a search has to beat."""
        every = list(self.uniform_archs.values())
        return next((arch for arch in every if self.keeps_budget(arch)), every[-1])

    def keeps_budget(self, arch: Arch) -> bool:
        """Whether an architecture keeps the limits of the settings."""
        return all(self.costs(arch)[name] <= upper for name, upper in self.settings.budget.items())

    # ---- presentation

    def pictures(self, network: nn.Module, folder: Path, count: int) -> list[dict[str, str]]:
        """Test inputs, each beside what the teacher and the network make of it and, in pairs, the true picture."""
        split = self.data.test.head(count)
        return draw_strips(split, self.teacher(torch.device("cpu")), network, self.settings.data.size, self.data.paired, folder)

    def export(self, network: nn.Module, folder: Path) -> float:
        """See `gan.export.export`."""
        return export(network, self.settings.data.size, folder).max_abs_diff
