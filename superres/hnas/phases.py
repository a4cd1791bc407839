"""How HNAS trains: weights and controllers in turn, on pictures of their own each; a network alone on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from superres.data import parts
from superres.hnas.settings import Settings
from superres.phases import Upscale

if TYPE_CHECKING:
    from common.task import Kind, Phase
    from superres.task import SuperResTask


def phases(task: SuperResTask, kind: Kind) -> Sequence[Phase]:
    """In turn with controllers the weights learn from `share` of the training pictures, the controllers from the others."""
    s: Settings = task.settings
    train, upscale = task.data.train, partial(Upscale, patch=s.data.patch, flip=s.data.flip)
    match kind:
        case "standalone":
            return [upscale(name="train", settings=s.train, split=train)]
        case "supernet":
            return [upscale(name="weights", settings=s.weights, split=train)]
        case "relaxed":
            first, second = parts(train, s.share, s.seed)
            return [
                upscale(name="weights", settings=s.weights, split=first),
                upscale(name="controllers", settings=s.weights, split=second, scored=True),
            ]
