"""How the family trains: weights and architecture in turn (DARTS, section 2.2), cells alone (appendix A.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from classification.darts.model import set_drop_path
from classification.darts.settings import Settings
from classification.data import Augment
from classification.phases import Classify

if TYPE_CHECKING:
    from classification.task import ClassificationTask
    from common.task import Kind, Phase


def phases(task: ClassificationTask, kind: Kind) -> Sequence[Phase]:
    """In a search the weights learn from one half of the training split and the architecture from the other.

    With a single level both learn from all of it. Alone, a network learns from all of it with cutout, drop-path and a second
    classifier as the settings say.
    """
    s: Settings = task.settings
    plain, train = Augment(padding=task.padding), task.data.train
    match kind:
        case "standalone":
            n = s.network
            return [
                Classify(
                    name="train",
                    settings=s.train,
                    split=train,
                    augment=Augment(padding=task.padding, cutout=n.cutout),
                    drop_path=n.drop_path,
                    set_drop_path=set_drop_path,
                    auxiliary=n.auxiliary,
                )
            ]
        case "supernet":
            return [Classify(name="weights", settings=s.weights, split=train, augment=plain)]
        case "relaxed":
            splits = task.halves if s.two_levels else (train, train)
            names = ("weights", "architecture")
            return [
                Classify(name=n, settings=s.weights, split=half, augment=plain) for n, half in zip(names, splits, strict=True)
            ]
