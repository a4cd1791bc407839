"""Describe classifiers: `python -m classification.train describe darts --arch DARTS_V2`."""

from __future__ import annotations

import json
from typing import Annotated

import tyro

from classification.systems import SYSTEMS
from common.errors import UserError
from common.script import main


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
    if system not in SYSTEMS:
        raise UserError(f"system {system!r} does not exist; choose one of {', '.join(SYSTEMS)}")
    print(json.dumps(SYSTEMS[system]().describe(arch, skeleton), indent=2))


if __name__ == "__main__":
    main("python -m classification.train", {"describe": describe})
