"""What the network of a genotype costs in the skeleton that its paper trains it in."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import torch

from classification.cells.genotypes import read_genotype, to_text
from classification.cells.space import SKELETONS, standalone
from classification.darts.model import build
from common.cost.conventions import conv_linear
from common.describe import counted

CONVENTION = (
    "{} skeleton of width {} and {} cells, {} classes at {}x{}: MACs of convolutions and linear layers, all trainable "
    "parameters, without the auxiliary classifier of training"
)


def describe(options: Any) -> dict[str, Any]:
    """Counts of the network in which a cell is trained and measured."""
    skeleton = options.skeleton or "cifar"
    genotype = read_genotype(options.arch)
    network = replace(standalone(genotype, skeleton), auxiliary=False)
    form = SKELETONS[skeleton]
    cost = counted(lambda: build(network), lambda: (torch.empty(1, 3, form.image, form.image),), conv_linear)
    with torch.device("meta"):
        beside = sum(p.numel() for p in build(replace(network, auxiliary=True)).get_submodule("auxiliary").parameters())
    return {
        "system": "darts",
        "arch": options.arch,
        "skeleton": skeleton,
        "convention": CONVENTION.format(skeleton, form.width, form.cells, form.classes, form.image, form.image),
        "params": cost.params,
        "macs": cost.macs,
        "params_auxiliary": beside,
        "genotype": to_text(genotype),
        "description": asdict(network),
    }
