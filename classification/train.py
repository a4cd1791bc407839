"""Search, train and describe classifiers: `python -m classification.train darts --recipe smoke`."""

from __future__ import annotations

from typing import Annotated

import tyro

from classification.darts.settings import RECIPES
from classification.systems import SYSTEMS
from common.options import RunOptions, settings_of
from common.script import describe_system, main


def darts(run: RunOptions) -> None:
    """DARTS, first order: search the cells of a classifier by gradients (arXiv 1806.09055), from images to a report.

    Args:
        run: what to run, where and how.
    """
    _search("darts", run)


def darts2(run: RunOptions) -> None:
    """DARTS, second order: the architecture's gradient looks one step of the weights ahead (arXiv 1806.09055).

    Args:
        run: what to run, where and how.
    """
    _search("darts2", run)


def snas(run: RunOptions) -> None:
    """SNAS: architectures are sampled, softly, and learn with the weights from all training images (arXiv 1812.09926).

    Args:
        run: what to run, where and how.
    """
    _search("snas", run)


def pc_darts(run: RunOptions) -> None:
    """PC-DARTS: operations see a quarter of the channels, and edges have weights of their own (arXiv 1907.05737).

    Args:
        run: what to run, where and how.
    """
    _search("pc-darts", run)


def gdas(run: RunOptions) -> None:
    """GDAS: one operation per edge is sampled in each step and computed alone (arXiv 1910.04465).

    Args:
        run: what to run, where and how.
    """
    _search("gdas", run)


def _search(method: str, run: RunOptions) -> None:
    settings = settings_of(RECIPES[method], run)
    from classification.darts import pipeline

    pipeline.run(settings, run)


def describe(
    system: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SYSTEM")],
    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")],
    skeleton: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
) -> None:
    """Parameters and MACs of an architecture (of: darts) as one JSON object, without data or training.

    Args:
        system: name of the system: darts.
        arch: a published name (DARTS_V2), or a file with an architecture or a genotype: Genotype(normal=[...], ...), or its rows.
        skeleton: network around the cells: cifar (36 channels, 20 cells; the default) or imagenet (48 channels, 14 cells).
    """
    describe_system(SYSTEMS, system, arch, skeleton)


COMMANDS = {"darts": darts, "darts2": darts2, "snas": snas, "pc-darts": pc_darts, "gdas": gdas, "describe": describe}
"""What can be asked for on the command line."""

if __name__ == "__main__":
    main("python -m classification.train", COMMANDS)
