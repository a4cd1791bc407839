"""DCNAS as the laws and `describe` see it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from common.arch import load
from common.cost.count import count
from common.errors import UserError
from common.space import Arch, decisions, space_fingerprint
from common.task import System
from segmentation.dcnas.derive import network_of
from segmentation.dcnas.model import build
from segmentation.dcnas.opened import open_run
from segmentation.dcnas.segmentor import segmentor
from segmentation.dcnas.sizes import SIZES
from segmentation.dcnas.space import SKIP, Network, dcnas_space, neighbour_space
from segmentation.dcnas.wirings import unet
from segmentation.heads import DecodeHead

CONVENTION = (
    "{} classes at {}x{} (height x width): MACs of convolutions, all trainable parameters, of the network without orphans; with "
    "the decode head, and of the backbone alone"
)

_TINY = {"layers": 3, "width": 4, "strides": (2, 4), "operators": ("ir_k3_e3", "ir_k5_e3", SKIP)}

SPACES: dict[str, Callable[[], Network]] = {
    "tiny dense": partial(dcnas_space, **_TINY, partial=1),
    "tiny sampled": partial(dcnas_space, **_TINY, inputs=3, gradual=False, partial=2),
    "tiny neighbour": partial(neighbour_space, **_TINY, partial=1),
}
"""Spaces of the same form as those of `SIZES`, small enough for tests."""


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests; of sizes that no stride divides."""
    return (torch.zeros(2, 3, 18, 21),)


def read_arch(text: str, space: str | None) -> tuple[str, Network, Arch]:
    """Name of the size, open description and architecture that `text` stands for; arguments and errors as in `describe`."""
    if space is not None and space not in SIZES:
        raise UserError(f"space {space!r} does not exist; choose one of {', '.join(SIZES)}")
    if text == "unet":
        name = space or "paper"
        net = SIZES[name].space()
        return name, net, unet(net)
    if os.path.isdir(text):
        raise UserError(f"{text} is a folder; of a run, give {os.path.join(text, 'best', 'arch.json')}")
    if not os.path.isfile(text):
        raise UserError(f"{text}: no such file, and the one wiring that has a name is unet; give unet or an architecture file")
    path = Path(text)
    written, named = _written_for(path)
    spaces = {name: size.space() for name, size in SIZES.items() if space in (None, name)}
    fitting = [name for name, net in spaces.items() if space_fingerprint(net) == written]
    # Read as the space that differs least from it, the file's own fault is what is left to complain about.
    name = fitting[0] if fitting else min(spaces, key=lambda other: len(decisions(spaces[other]).keys() ^ named))
    return name, spaces[name], load(path, spaces[name])


def _written_for(path: Path) -> tuple[object, set[str]]:
    """Fingerprint of a file's space and the decisions it settles; nothing where it is damaged, which `load` explains."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return data["space"], set(data["choices"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None, set()


def describe(text: str, space: str | None) -> dict[str, Any]:
    """Counts of the network of an architecture, as it is trained at last: without orphans, its operators on all channels.

    Args:
        text: `unet`, or an architecture file.
        space: name of the size; by default `paper` for `unet`, and for a file the one it was written for.

    Raises:
        UserError: no such size or file, or a damaged file.
    """
    name, opened, arch = read_arch(text, space)
    size, network = SIZES[name], network_of(opened, arch)
    height, width = size.image
    with torch.device("meta"):
        backbone = build(network)
        whole = segmentor(network, DecodeHead(channels=size.head), size.classes)
    pixels = torch.empty(1, 3, height, width, dtype=torch.uint8, device="meta")
    cost, inner = count(whole, (pixels,)), count(backbone, (pixels.float(),))
    return {
        "system": "dcnas",
        "arch": text,
        "space": name,
        "convention": CONVENTION.format(size.classes, height, width),
        "params": cost.params,
        "macs": cost.macs,
        "params_backbone": inner.params,
        "macs_backbone": inner.macs,
        "cells": f"{len(network.cells)} of {len(opened.cells)}",
        "description": asdict(network),
    }


SYSTEM = System(
    name="dcnas",
    title="DCNAS",
    paper="arXiv:2003.11883",
    spaces=SPACES,
    build=build,
    example=example,
    published={},
    describe=describe,
    open_run=open_run,
)
"""DCNAS; the paper's architecture is published as a figure alone."""
