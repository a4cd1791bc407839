"""DetNAS as the laws and `describe` see it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from common.arch import load
from common.cost.count import count
from common.errors import UserError
from common.space import Arch, decisions, decode
from common.task import PublishedNetwork, System
from detection.detnas.model import build
from detection.detnas.opened import open_run
from detection.detnas.space import (
    PUBLISHED,
    SIZES,
    Backbone,
    Classifier,
    DetectorNet,
    arch_of_genes,
    classifier,
    genes_of,
    parse_genes,
    published_classifier,
    space_for,
)
from detection.heads import PAPER_FASTER_RCNN, SMALL_RETINANET

CONVENTION = "ImageNet classifier (1000 classes) at 224x224: MACs of convolutions and linear layers, all trainable parameters"


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests."""
    if space == "tiny detector":
        return (torch.zeros(2, 3, 64, 64, dtype=torch.uint8),)
    return (torch.zeros(2, 3, 64, 64),)


def tiny_detector() -> DetectorNet:
    """The open detector of the smoke recipe."""
    return DetectorNet(backbone=classifier("tiny").backbone, head=SMALL_RETINANET, classes=5)


def describe(text: str, space: str | None) -> dict[str, Any]:
    """Counts of an architecture under the convention of the paper's tables, and under others beside it.

    Args:
        text: a published name, a file written by a run or by `common.arch.save`, or a gene string.
        space: which space a gene string belongs to; by its length if none is given.

    Raises:
        UserError: none of the three, or of another space.
    """
    name, net, arch = read_arch(text, space)
    settled: Classifier = decode(net, arch)
    image = torch.empty(1, 3, 224, 224, device="meta")
    with torch.device("meta"):
        whole, body = build(settled), build(settled.backbone)
        full, inner = count(whole, (image,)), count(body, (image,))
        detector = DetectorNet(backbone=settled.backbone, head=PAPER_FASTER_RCNN, classes=80)
        if name == "tiny":
            detector = replace(detector, head=SMALL_RETINANET, classes=5)
        size = (64, 64) if name == "tiny" else (800, 1344)
        found = count(build(detector), (torch.empty(1, 3, *size, dtype=torch.uint8, device="meta"),))
    return {
        "system": "detnas",
        "arch": text,
        "space": name,
        "genes": " ".join(str(gene) for gene in genes_of(arch)),
        "convention": CONVENTION,
        "params": full.params,
        "macs": full.macs,
        "params_backbone": inner.params,
        "macs_backbone": inner.macs,
        "detector": {
            "head": type(detector.head).__name__,
            "classes": detector.classes,
            "image": list(size),
            "params": found.params,
            "macs": found.macs,
            **_background_deltas(detector, found.params),
        },
        "description": asdict(settled),
    }


def _background_deltas(detector: DetectorNet, params: int) -> dict[str, int]:
    """The official code regresses boxes for the background class too: 4 more outputs of its last linear layer."""
    if detector.head is not PAPER_FASTER_RCNN:
        return {}
    return {"params_official": params + 4 * (PAPER_FASTER_RCNN.box_features + 1)}


def read_arch(text: str, space: str | None) -> tuple[str, Classifier, Arch]:
    """Size of space, open classifier and architecture that `text` stands for; arguments and errors as in `describe`."""
    if text in PUBLISHED:
        net, arch = published_classifier(text)
        if space not in (None, PUBLISHED[text].space):
            raise UserError(f"{text} is an architecture of space {PUBLISHED[text].space}, not {space}; leave --space out")
        return PUBLISHED[text].space, net, arch
    if space is not None and space not in SIZES:
        raise UserError(f"space {space!r} does not exist; choose one of {', '.join(SIZES)}")
    if text.endswith(".json") or os.path.isfile(text):
        return _from_file(Path(text), space)
    if os.path.isdir(text):
        raise UserError(f"{text} is a folder; of a run, give {os.path.join(text, 'best', 'arch.json')}")
    if any(c.isalpha() for c in text):
        raise UserError(f"{text!r} is no published name ({', '.join(PUBLISHED)}), no arch.json and no gene string")
    genes = parse_genes(text)
    name = space or space_for(len(genes))
    net = classifier(name)
    return name, net, arch_of_genes(net, genes)


def _from_file(path: Path, space: str | None) -> tuple[str, Classifier, Arch]:
    """An arch file of a classifier or detector, or of a backbone alone; of the smaller size where two have its blocks."""
    wholes = {name: classifier(name) for name in SIZES}
    every: list[tuple[str, Classifier | Backbone]] = [
        (name, form) for name, net in wholes.items() for form in (net, net.backbone)
    ]
    named = _decisions_of(path)
    fitting = [name for name, form in every if decisions(form).keys() == named]
    if space and fitting and space not in fitting:
        raise UserError(f"{path} is an architecture of space {' or '.join(fitting)}, not {space}; leave --space out")
    forms = [(name, form) for name, form in every if space in (None, name)]
    # Read as the space that differs least from it, the file's own fault is what is left to complain about.
    name, form = min(forms, key=lambda candidate: len(decisions(candidate[1]).keys() ^ named))
    if named and not named & decisions(form).keys():
        raise UserError(f"{path}: decision {min(named)!r} is none of DetNAS's; give a file of this system")
    return name, wholes[name], arch_of_genes(wholes[name], genes_of(load(path, form)))


def _decisions_of(path: Path) -> set[str]:
    """The decisions that an arch file settles; none where it is damaged, which `load` explains."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return set()
    choices = data.get("choices") if isinstance(data, dict) else None
    return set(choices) if isinstance(choices, dict) else set()


def _published(name: str) -> PublishedNetwork:
    counts = {
        "COCO_FPN_300M": (3_533_112, 321_219_008),
        "COCO_RetinaNet_300M": (3_725_320, 324_342_464),
        "VOC_FPN_300M": (3_651_128, 349_524_544),
        "COCO_FPN_3.8G": (31_444_596, 4_085_874_080),
        "ShuffleNetV2_20": (3_156_920, 295_842_496),
    }
    params, macs = counts.get(name, (None, None))
    return PublishedNetwork(
        description=lambda: published_classifier(name)[0],
        arch=lambda: published_classifier(name)[1],
        params=params,
        macs=macs,
    )


def _space(name: str) -> Any:
    return tiny_detector() if name == "tiny detector" else classifier(name)


SYSTEM = System(
    name="detnas",
    title="DetNAS",
    paper="arXiv:1903.10979",
    spaces={name: partial(_space, name) for name in (*SIZES, "tiny detector")},
    build=build,
    example=example,
    published={name: _published(name) for name in PUBLISHED},
    describe=describe,
    open_run=open_run,
)
"""DetNAS."""
