"""Which architecture a text stands for, a published name, an architecture file or the paper's genes, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from common.cost.conventions import conv_linear
from common.describe import Read, check_name, check_own_space, counted, is_file, read_file, settings_of_run
from common.errors import UserError
from common.space import Arch, decisions, decode, space_fingerprint
from detection.description import DetectorNet
from detection.detnas.model import build
from detection.detnas.space import (
    PUBLISHED,
    SIZES,
    Classifier,
    arch_of_genes,
    classifier,
    detector,
    genes_of,
    of_backbone,
    parse_genes,
    published_classifier,
    space_for,
)
from detection.heads import PAPER_FASTER_RCNN, SMALL_RETINANET
from detection.necks.settings import SHAPES, PyramidSettings

CONVENTION = "ImageNet classifier (1000 classes) at 224x224: MACs of convolutions and linear layers, all trainable parameters"


def describe(options: Any) -> dict[str, Any]:
    """Counts of an architecture under the convention of the paper's tables, and of the detector with it."""
    name, net, arch = read_arch(options.arch, options.space)
    whole = decode(net, arch)
    tiny, scaled = SIZES[name].last == 128, SIZES[name].scaled
    under = DetectorNet(backbone=whole.backbone, head=SMALL_RETINANET if tiny else PAPER_FASTER_RCNN, classes=5 if tiny else 80)
    size = (64, 64) if tiny else (800, 1344)
    full = counted(lambda: build(whole), lambda: (torch.empty(1, 3, 224, 224),), conv_linear)
    inner = counted(lambda: build(whole.backbone), lambda: (torch.empty(1, 3, 224, 224),), conv_linear)
    found = counted(lambda: build(under), lambda: (torch.empty(1, 3, *size, dtype=torch.uint8),), conv_linear)
    # The official code regresses boxes for the background class too: 4 more outputs of its last linear layer.
    official = {} if tiny else {"params_official": found.params + 4 * (PAPER_FASTER_RCNN.box_features + 1)}
    return {
        "system": "detnas",
        "arch": options.arch,
        "space": name,
        **({} if scaled else {"genes": " ".join(str(gene) for gene in genes_of(arch))}),
        "convention": CONVENTION,
        "params": full.params,
        "macs": full.macs,
        "params_backbone": inner.params,
        "macs_backbone": inner.macs,
        "detector": {
            "head": type(under.head).__name__,
            "classes": under.classes,
            "image": list(size),
            "params": found.params,
            "macs": found.macs,
            **official,
        },
        "description": asdict(whole),
    }


def read_arch(text: str, space: str | None) -> Read:
    """Size, open classifier and architecture that `text` stands for.

    Args:
        text: a published name, a file written by a run or by `common.arch.save`, or a gene string.
        space: size of the space that a gene string belongs to; by its length where none is given. A file of a run needs none.

    Raises:
        UserError: none of the three, or of another space.
    """
    if text in PUBLISHED:
        check_own_space(text, PUBLISHED[text].space, space)
        return Read(PUBLISHED[text].space, *published_classifier(text))
    check_name(space, SIZES)
    if is_file(text, PUBLISHED, " and no gene string"):
        return _from_file(Path(text), space)
    genes = parse_genes(text)
    name = space or space_for(len(genes))
    net = classifier(name)
    return Read(name, net, arch_of_genes(net, genes))


def _from_file(path: Path, space: str | None) -> Read:
    """A file of a classifier or detector, or of a backbone alone. Where two sizes have its decisions, its run says which."""
    wholes = {name: classifier(name) for name in SIZES}
    of_run = settings_of_run(path).get("space")
    if space is None and of_run in [*SIZES]:  # a run of another system may have anything under this name
        space = of_run
    forms = [(name, form) for name, net in wholes.items() for form in _forms(name, net) if space in (None, name)]
    try:
        name, _, arch = read_file(path, forms, "DetNAS")
    except UserError:
        every = [(name, form) for name, net in wholes.items() for form in _forms(name, net)]
        own, found, _ = read_file(path, every, "DetNAS")  # of another size, or damaged: says so
        raise UserError(
            f"{path} is an architecture of space {own} ({len(decisions(found))} decisions), not {space}; leave --space out"
        ) from None
    alike = [size for size, net in wholes.items() if space_fingerprint(net) == space_fingerprint(wholes[name])]
    if space is None and len(alike) > 1:
        raise UserError(
            f"{path} lies in no run, and may be of space {' or '.join(alike)}, which have the same decisions; "
            f"name it: --space {name}"
        )
    bare = {f"backbone.{path.removeprefix('backbone.')}": option for path, option in of_backbone(arch).items()}
    return Read(name, wholes[name], Arch(bare))


def _forms(size: str, net: Classifier) -> Iterator[Any]:
    """What a file of this size may be of: a classifier or detector, a backbone, a detector whose pyramid is searched as well."""
    yield net
    yield net.backbone
    for levels, between in SHAPES:
        head = replace(SMALL_RETINANET, anchor_sizes=tuple(4.0 * 2**level for level in levels))
        yield detector(size, head, 1, PyramidSettings(levels=levels, between=between))
