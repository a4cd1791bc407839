"""Search, train and describe segmentation networks: `python -m segmentation.train dcnas --recipe smoke`."""

from __future__ import annotations

from typing import Annotated

import tyro

from common.options import RunOptions, settings_of
from common.script import describe_system, main
from segmentation.dcnas.settings import RECIPES
from segmentation.systems import SYSTEMS


def dcnas(run: RunOptions) -> None:
    """DCNAS: search which cells of a network at all scales are connected, and how (arXiv 2003.11883), from images to a report.

    Args:
        run: what to run, where and how.
    """
    settings = settings_of(RECIPES, run)
    from segmentation.dcnas import pipeline

    pipeline.run(settings, run)


def describe(
    system: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SYSTEM")],
    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")],
    space: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
) -> None:
    """Parameters and MACs of an architecture (of: dcnas) as one JSON object, without data or training.

    Args:
        system: name of the system: dcnas.
        arch: unet (a hand-made wiring), or a file with an architecture.
        space: size of the search: smoke, small, paper, small-neighbour or paper-neighbour. By default the one that a file was
            written for, and paper for unet.
    """
    describe_system(SYSTEMS, system, arch, space)


if __name__ == "__main__":
    main("python -m segmentation.train", {"dcnas": dcnas, "describe": describe})
