"""Classification of images by binary networks: the task of `classification`, with the costs of binary networks."""

from __future__ import annotations

from classification.task import ClassificationTask
from common.objective import Objective


class BinaryTask(ClassificationTask):
    """See `ClassificationTask`. The settings of its systems extend `binary.settings.BinarySettings`."""

    kind = "binary"

    @property
    def own_objectives(self) -> tuple[Objective, ...]:
        """Accuracy, and operations: real multiply-adds and a 64th of the binary ones."""
        return (Objective("accuracy"), Objective("ops", "min", "OPs"))
