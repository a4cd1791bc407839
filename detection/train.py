"""Search, train and describe detectors: `python -m detection.train detnas --recipe smoke`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import tyro

from common.script import RunOptions, describe_system, main, settings_of
from detection.detnas.settings import RECIPES, Settings, with_head
from detection.systems import SYSTEMS


def resolve(options: RunOptions, head: str | None = None) -> Settings:
    """The settings of a DetNAS run.

    Raises:
        UserError: an unknown recipe, or an option that does not fit it.
    """

    def change(settings: Settings) -> Settings:
        if options.data is None:
            settings = replace(settings, data=replace(settings.data, flip=False))  # a mirrored digit is another one
        return settings if head is None else with_head(settings, head)

    return settings_of(RECIPES, options, change)


def detnas(run: RunOptions, head: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None) -> None:
    """DetNAS: search the backbone of a detector (arXiv 1903.10979), from images to a report.

    Args:
        run: what to run, where and how.
        head: retinanet or faster_rcnn, instead of the recipe's.
    """
    settings = resolve(run, head)
    from detection.detnas import pipeline

    pipeline.run(settings, run)


def describe(
    system: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SYSTEM")],
    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")],
    space: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
) -> None:
    """Parameters and MACs of an architecture as one JSON object, without data or training.

    Args:
        system: name of the system, e.g. detnas.
        arch: a published name (COCO_FPN_300M), an arch.json, or the paper's own notation ("2 1 2 0 ...").
        space: which of the system's spaces the architecture belongs to, where the notation does not tell.
    """
    describe_system(SYSTEMS, system, arch, space)


if __name__ == "__main__":
    main("python -m detection.train", {"detnas": detnas, "describe": describe})
