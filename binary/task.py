"""Classification of images by binary networks: the task of `classification`, with costs and a teacher of binary networks."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from binary.real import outside_of
from classification.task import ClassificationTask
from common.objective import Objective
from common.run.checkpoint import load_weights
from common.space import decode

if TYPE_CHECKING:
    import torch
    from torch import nn

    from common.task import Outside


class BinaryTask(ClassificationTask):
    """See `ClassificationTask`. The settings of its systems extend `binary.settings.BinarySettings`."""

    kind = "binary"

    @staticmethod
    def deployed(network: nn.Module) -> nn.Module:
        """The network with packed convolutions; see `binary.deploy.conversion.packed`."""
        from binary.deploy.conversion import packed  # numba takes a second to import, and most runs do not pack

        return packed(network)

    @property
    def own_objectives(self) -> tuple[Objective, ...]:
        """Accuracy, and operations: real multiply-adds and a 64th of the binary ones."""
        return (Objective("accuracy"), Objective("ops", "min", "OPs"))

    @cached_property
    def untrained_teacher(self) -> Outside:
        """What a teacher is before it is trained, and its cost: the baseline with real weights."""
        description = self.networks.alone(decode(self.space, self.baseline))
        return outside_of(self.networks.build, description, self.facts.example())

    @property
    def teacher_file(self) -> Path:
        """File of the trained teacher's weights."""
        return self.weights / "teacher.safetensors"

    @cached_property
    def _teachers(self) -> dict[torch.device, nn.Module]:
        return {}

    def teacher(self, device: torch.device) -> nn.Module:
        """The trained teacher, which is not trained any more, on a device.

        Raises:
            UserError: its file is missing or damaged.
        """
        if device not in self._teachers:
            network = self.untrained_teacher.build(0)
            load_weights(self.teacher_file, network)
            self._teachers[device] = network.to(device).eval().requires_grad_(False)
        return self._teachers[device]
