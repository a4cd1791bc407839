"""Which architecture a text stands for, the hand-made wiring `unet` or an architecture file, and what it costs."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from common.cost.conventions import conv_linear
from common.describe import Read, check_name, counted, read_file
from common.errors import UserError
from segmentation.dcnas.derive import network_of
from segmentation.dcnas.model import build
from segmentation.dcnas.segmentor import segmentor
from segmentation.dcnas.sizes import SIZES
from segmentation.dcnas.wirings import unet
from segmentation.heads import DecodeHead

CONVENTION = (
    "{} classes at {}x{} (height x width): MACs of convolutions, all trainable parameters, of the network without orphans; with "
    "the decode head, and of the backbone alone"
)


def describe(options: Any) -> dict[str, Any]:
    """Counts of the network of an architecture, as it is trained at last: without orphans, its operators on all channels."""

    name, space, arch = read_arch(options.arch, options.space)
    size, network = SIZES[name], network_of(space, arch)
    height, width = size.image
    head = DecodeHead(channels=size.head)
    pixels = torch.empty(1, 3, height, width, dtype=torch.uint8, device="meta")
    cost = counted(lambda: segmentor(network, head, size.classes), lambda: (pixels,), conv_linear)
    inner = counted(lambda: build(network), lambda: (pixels.float(),), conv_linear)
    return {
        "system": "dcnas",
        "arch": options.arch,
        "space": name,
        "convention": CONVENTION.format(size.classes, height, width),
        "params": cost.params,
        "macs": cost.macs,
        "params_backbone": inner.params,
        "macs_backbone": inner.macs,
        "cells": f"{len(network.cells)} of {len(space.cells)}",
        "description": asdict(network),
    }


def read_arch(text: str, space: str | None) -> Read:
    """Name of the size, open description and architecture that `text` stands for.

    Args:
        text: `unet`, or an architecture file.
        space: name of the size; by default `paper` for `unet`, and for a file the one it was written for.

    Raises:
        UserError: no such size or file, or a damaged file.
    """
    check_name(space, SIZES)
    if text == "unet":
        name = space or "paper"
        net = SIZES[name].space()
        return Read(name, net, unet(net))
    if os.path.isdir(text):
        raise UserError(f"{text} is a folder; of a run, give {os.path.join(text, 'best', 'arch.json')}")
    if not os.path.isfile(text):
        raise UserError(f"{text}: no such file, and the one wiring that has a name is unet; give unet or an architecture file")
    spaces = [(name, size.space()) for name, size in SIZES.items() if space in (None, name)]
    return Read(*read_file(Path(text), spaces, "DCNAS"))
