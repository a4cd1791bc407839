"""The paper's notation: `7@256` is the published pyramid, stacked seven times, of 256 channels."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from common.cost.conventions import conv_linear
from common.describe import Read, check_name, counted, is_file, read_file, settings_of_run
from common.errors import UserError
from common.overrides import from_plain
from common.space import Arch, decode
from detection.build import build
from detection.description import DetectorNet
from detection.heads import RetinaNet
from detection.nas_fpn.settings import BACKBONES
from detection.nas_fpn.space import space
from detection.necks.merges import NASFPN, PUBLISHED, merges
from detection.necks.settings import SHAPES, PyramidSettings
from detection.necks.wirings import arch_of

CONVENTION = "the whole RetinaNet (90 classes) at the size given, MACs of convolutions"
HEAD = RetinaNet(head_norm="separate")
"""The head of the paper's tables: BatchNorm of its own for each level (official code)."""


def published_space(stacks: int, width: int, backbone: str = "resnet-50", lite: bool = False) -> DetectorNet:
    """The open detector that published pyramids belong to."""
    return space(backbone, PyramidSettings(stacks=stacks, width=width, lite=lite), HEAD, 90)


def describe(options: Any) -> dict[str, Any]:
    """Counts of an architecture as a RetinaNet for 90 classes, and its merging cells."""
    if options.size < 1:
        raise UserError(f"--size {options.size}: give the side of the image in pixels, 640 say")
    if not options.backbone.startswith("timm:"):
        check_name(options.backbone, BACKBONES, "backbone")
    read = read_arch(options.arch, options.backbone)
    net = decode(read.space, read.arch)
    side = options.size
    cost = counted(lambda: build(net), lambda: (torch.empty(1, 3, side, side, dtype=torch.uint8),), conv_linear)
    return {
        "system": "nas-fpn",
        "arch": options.arch,
        "backbone": options.backbone,
        "size": side,
        **{name: getattr(net.neck, name) for name in ("stacks", "width", "lite")},
        "convention": CONVENTION,
        "cells": [
            {
                "level": cell.level,
                "op": cell.op,
                "inputs": list(cell.inputs),
                "orphans": list(cell.orphans),
                "output": cell.output,
            }
            for cell in merges(net.neck.wiring)
        ],
        "params": cost.params,
        "macs": cost.macs,
    }


def read_arch(text: str, backbone: str) -> Read:
    """Name of the space, open detector and architecture that `text` stands for.

    Args:
        text: `STACKS@WIDTH` for the published pyramid (`7@256`), with `lite:` before it for its Lite variant; or an architecture
            file, whose pyramid has the sizes of the run that the file lies in. One of no run is stacked seven times at 256
            channels.
        backbone: name of the backbone.

    Raises:
        UserError: neither.
    """
    if named := re.fullmatch(r"(lite:)?(\d{1,3})@(\d{1,5})", text):
        lite, stacks, width = bool(named[1]), int(named[2]), int(named[3])
        if not stacks or not width:
            raise UserError(f"{text!r}: give one stack and one channel at least, 7@256 say")
        net = published_space(stacks, width, backbone, lite)
        return Read("paper", net, arch_of(net, PUBLISHED))
    if "@" in text and not Path(text).exists():
        raise UserError(f"{text!r}: write STACKS@WIDTH, 7@256 say, with lite: before it for separable convolutions")
    if not is_file(text, ["7@256", "lite:7@64"], ""):
        raise UserError(f"{text!r} is no published name (7@256, lite:7@64) and no architecture file")
    sizes = pyramid_of_run(Path(text))
    forms = [(str(i), _form(replace(sizes, levels=shape[0], between=shape[1]), backbone)) for i, shape in enumerate(SHAPES)]
    name, net, arch = read_file(Path(text), forms, "NAS-FPN")
    return Read(name, net, Arch(arch))


def pyramid_of_run(file: Path) -> PyramidSettings:
    """The pyramid of the run that an architecture file lies in; the paper's for a file of no run.

    Raises:
        UserError: the run's config.json is damaged.
    """
    given = settings_of_run(file).get("pyramid")
    if not isinstance(given, dict):
        return PyramidSettings()
    return replace(from_plain(PyramidSettings, given, f"the run of {file}: config.json: settings.pyramid"), anytime=False)


def _form(pyramid: PyramidSettings, backbone: str) -> DetectorNet:
    head = replace(HEAD, anchor_sizes=tuple(4.0 * 2**level for level in pyramid.levels))
    net = space(backbone, pyramid, head, 90)
    assert isinstance(net.neck, NASFPN)
    return net
