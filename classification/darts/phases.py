"""How the family trains: weights and architecture in turn (DARTS, section 2.2), cells alone (appendix A.1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import exp
from typing import TYPE_CHECKING

from torch import nn

from classification.cells.network import set_drop_path, set_skip_dropout
from classification.darts.settings import Settings
from classification.darts.spaces import SpaceSettings
from classification.data import Augment, Split
from classification.data.curriculum import class_order, of_classes
from classification.phases import Classify
from common.engines import Gradient

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
                Classify(
                    name=n,
                    settings=s.weights,
                    split=half,
                    augment=plain,
                    curriculum=curriculum_of(s, train, half),
                    set_rates=partial(set_skip_rate, s) if isinstance(s.space, SpaceSettings) and s.space.skip_dropout else None,
                )
                for n, half in zip(names, splits, strict=True)
            ]


def curriculum_of(settings: Settings, train: Split, split: Split) -> list[tuple[float, Split]]:
    """The easiest classes of a split until options are dropped for the first time, more until the next, and so on (DA-NAS).

    Which classes are easy is a matter of all training pictures `train`, so that both halves of them see the same ones.
    """
    engine = settings.search.engine
    if not isinstance(engine, Gradient) or engine.shrink is None or not engine.shrink.curriculum:
        return []
    order = class_order(train)
    counts = [max(1, round(share * len(order))) for share in engine.shrink.curriculum]
    return [(at, of_classes(split, order[:count])) for at, count in zip(engine.shrink.at, counts, strict=False)]


def set_skip_rate(settings: Settings, network: nn.Module, progress: float) -> None:
    """The dropout behind skip connections when a share of a search is done: P-DARTS, as its released code has it.

    With E epochs (snapshots), of which the first w, rounded down, train weights alone, and a base b: b (E - e - 1) / E before the
    architecture learns, in epoch e, then b exp(-0.2 (e - w)).
    """
    engine = settings.search.engine
    assert isinstance(settings.space, SpaceSettings)
    base, epochs, begin = settings.space.skip_dropout, 1, 0.0
    if isinstance(engine, Gradient):
        epochs, begin = engine.snapshots, engine.arch.begin
    epoch = int(progress * epochs)
    warm = progress < begin
    set_skip_dropout(network, base * (epochs - epoch - 1) / epochs if warm else base * exp(-0.2 * (epoch - int(begin * epochs))))
