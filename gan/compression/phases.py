"""How students learn: from their teacher, against its discriminator (paper, section 3.1, equations 1 to 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.stages.settings import PhaseSettings
from common.streams import derive
from common.supernet import conv2d
from common.train.step import Step
from gan.compression.model import TAPS, ResnetGenerator
from gan.compression.settings import Settings
from gan.game import Game, weighted
from gan.phases import Played

if TYPE_CHECKING:
    from common.task import Kind
    from gan.compression.task import CompressionTask


def phases(task: CompressionTask, kind: Kind) -> Sequence[Distil]:
    """The widest student, then all of them; or a single one. Each plays against the discriminator of the phase before."""
    s: Settings = task.settings
    steps = [("distil", s.distil), ("supernet", s.supernet)] if s.distil.steps else [("supernet", s.supernet)]
    before = ["teacher", *(name for name, _ in steps)]

    def distil(name: str, settings: PhaseSettings, begin: str, end: str | None) -> Distil:
        return Distil(
            name=name,
            settings=settings,
            game=Game(
                settings=task.game,
                paired=task.data.paired,
                begin=task.discriminator_file(begin),
                end=None if end is None else task.discriminator_file(end),
            ),
            weight=task.game.distil,
            split=task.data.train,
            augmentation=task.augmentation,
            teacher=task.teacher,
            teacher_width=4 * s.teacher.width,
        )

    match kind:
        case "supernet":
            return [distil(name, settings, begin, name) for (name, settings), begin in zip(steps, before, strict=False)]
        case "standalone":
            return [distil("finetune", s.finetune, before[-1] if s.inherits else "teacher", None)]
        case "relaxed":
            return []


class _Student(nn.Module):
    """A student, its discriminator, and the 1x1 convolutions that bring its maps to the teacher's width.

    The convolutions are sliced along their inputs where the student's width is open; their outputs are the teacher's always.
    """

    def __init__(self, generator: ResnetGenerator, discriminator: nn.Module, teacher_width: int, seed: int) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(derive(seed, "adaptors"))
            self.adaptors = nn.ModuleList(conv2d(generator.trunk, teacher_width, 1) for _ in range(TAPS + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Distil(Played):
    """A student learns to make the target (in pairs) or its teacher's picture, its teacher's inner maps, and to fool.

    Its adaptors begin anew in every phase and learn with the generator. The supernet and every network alone learn alike.

    Attributes:
        weight: of the distance to the teacher's inner maps; 0 trains without.
        teacher: gives the trained teacher on a device.
        teacher_width: channels of its inner maps.
    """

    weight: float
    teacher: Callable[[torch.device], ResnetGenerator]
    teacher_width: int

    def wrap(self, network: nn.Module, seed: int) -> nn.Module:
        """The student, a discriminator and adaptors."""
        assert isinstance(network, ResnetGenerator)
        return _Student(network, self.game.discriminator(seed), self.teacher_width, seed)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor], step: Step) -> Mapping[str, Tensor]:
        """The game's losses, the distance to the target or the teacher's picture, and that to the teacher's maps."""
        student: Any = model
        inputs, targets = batch
        fake, taps = student.generator.with_taps(inputs)
        losses = self.game.played(student.discriminator, inputs, targets, fake, fake)
        aim = targets
        if self.weight or not self.game.paired:
            with torch.no_grad():
                picture, theirs = self.teacher(inputs.device).with_taps(inputs)
            aim = targets if self.game.paired else picture
            if self.weight:
                apart = [F.mse_loss(fit(own), true) for fit, own, true in zip(student.adaptors, taps, theirs, strict=True)]
                losses["loss_distil"] = self.weight * torch.stack(apart).sum()
        return losses | weighted({"loss_recon": (self.game.settings.recon, F.l1_loss(fake, aim))})
