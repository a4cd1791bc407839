"""Classification of images by binary networks: the task of `classification`, with the costs of binary networks."""

from __future__ import annotations

from torch import nn

from classification.task import ClassificationTask
from common.objective import Objective


class BinaryTask(ClassificationTask):
    """See `ClassificationTask`. The settings of its systems extend `binary.settings.BinarySettings`."""

    kind = "binary"

    @staticmethod
    def deployed(network: nn.Module) -> nn.Module:
        """The network with packed convolutions; see `binary.deploy.conversion.packed`."""
        from binary.deploy.conversion import packed  # numba takes a second to import, and most runs do not pack

        return packed(network)

    @property
    def own_objectives(self) -> tuple[Objective, Objective]:
        """Accuracy, and operations: real multiply-adds and a 64th of the binary ones."""
        return (Objective("accuracy"), Objective("ops", "min", "OPs"))
