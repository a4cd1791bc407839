"""Translation with a teacher: the large generator that is compressed, and the files that its training leaves in a run folder."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from common.cost.conventions import output_elements
from common.describe import counted
from common.run.checkpoint import load_weights
from gan.compression.model import ResnetGenerator, build
from gan.compression.settings import StudentGame
from gan.compression.space import Generator, uniform
from gan.compression.transfer import begin_with
from gan.game import Game
from gan.metrics import Reference
from gan.phases import CycleGAN, Pix2Pix, ThereAndBack
from gan.task import TranslationTask

if TYPE_CHECKING:
    from common.task import Phase


class CompressionTask(TranslationTask):
    """The task of a GAN Compression run: its generators are students of a teacher."""

    @property
    def game(self) -> StudentGame:
        """What a student and its discriminator play for, by the kind of the data."""
        return self.settings.paired if self.data.paired else self.settings.unpaired

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

    @property
    def teacher_file(self) -> Path:
        """File of the trained teacher's weights."""
        return self.weights / "teacher.safetensors"

    def discriminator_file(self, phase: str) -> Path:
        """File of the discriminator's weights after a phase."""
        return self.weights / f"{phase}-discriminator.safetensors"

    @cached_property
    def teacher_costs(self) -> dict[str, int]:
        """Costs of the teacher, for one picture of the run's size."""
        cost = counted(lambda: build(self.teacher_net), self.facts.example, output_elements)
        return {"params": cost.params, "macs": cost.macs}

    @cached_property
    def _teachers(self) -> dict[torch.device, ResnetGenerator]:
        return {}

    def teacher(self, device: torch.device) -> ResnetGenerator:
        """The trained teacher, which is not trained any more, on a device."""
        if device not in self._teachers:
            network = build(self.teacher_net)
            load_weights(self.teacher_file, network)
            self._teachers[device] = network.to(device).eval().requires_grad_(False)
        return self._teachers[device]

    @property
    def reference(self) -> Reference:
        """The teacher."""
        return Reference(name="teacher", others="compressed", network=self.teacher)

    def supernet(self, seed: int) -> nn.Module:
        """The generator with every width open; before a distilled start it has the teacher's most important filters."""
        network = super().supernet(seed)
        if self.settings.distil.steps and self.teacher_file.exists():
            assert isinstance(network, ResnetGenerator)
            begin_with(self.teacher(torch.device("cpu")), network)
        return network
