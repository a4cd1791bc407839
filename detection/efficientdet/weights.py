"""Published weights of EfficientDet: the state of effdet's networks (github.com/rwightman/efficientdet-pytorch) under our names.

>>> renamed("backbone.blocks.1.0.conv_pwl.weight")
'backbone.stages.1.0.main.project.weight'
>>> renamed("fpn.cell.0.fnode.4.combine.resample.1.conv.bn.bias")
'neck.layers.0.nodes.4.edges.1.project.1.bias'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from common.describe import check_name
from common.foreign_weights import load_strictly, read_state
from common.space import decode
from detection.build import build
from detection.efficientdet.space import PUBLISHED, detector, family, published
from detection.heads import EfficientHead
from detection.mm import Detector

MAPS = 3
"""Maps that the backbone returns; effdet counts the levels of the pyramid from the first of them."""
_FIRST = {"conv_dw": "depthwise", "bn1": "norm2", "conv_pw": "project", "bn2": "norm3"}
"""Parts of a block without expansion: those of the first stage."""
_OTHER = {"conv_pw": "expand", "bn1": "norm1", "conv_dw": "depthwise", "bn2": "norm2", "conv_pwl": "project", "bn3": "norm3"}
_EXCITE = {"se.conv_reduce": "se.reduce", "se.conv_expand": "se.expand"}
_SEPARABLE = {"conv_dw": "depthwise", "conv_pw": "pointwise"}
_BLOCK = re.compile(r"backbone\.blocks\.(\d+)\.(\d+)\.(.+)\.(\w+)")
_PREFIXES = (
    (r"backbone\.conv_stem\.", r"backbone.stem.conv."),
    (r"backbone\.bn1\.", r"backbone.stem.norm."),
    (r"fpn\.resample\.(\d+)\.conv\.(conv|bn)\.", lambda m: f"neck.extra.{int(m[1]) - MAPS}.project.{_position(m[2])}."),
    (r"fpn\.cell\.(\d+)\.fnode\.(\d+)\.", r"neck.layers.\1.nodes.\2."),
    (r"combine\.edge_weights", r"fuse.weights"),
    (r"combine\.resample\.(\d+)\.conv\.(conv|bn)\.", lambda m: f"edges.{m[1]}.project.{_position(m[2])}."),
    (r"after_combine\.conv\.(conv_dw|conv_pw)\.", lambda m: f"conv.{_SEPARABLE[m[1]]}."),
    (r"after_combine\.conv\.bn\.", r"norm."),
    (r"^(class|box)_net\.", r"bbox_head.\1_net."),
    (r"conv_rep\.(\d+)\.(conv_dw|conv_pw)\.", lambda m: f"convs.{m[1]}.{_SEPARABLE[m[2]]}."),
    (r"predict\.(conv_dw|conv_pw)\.", lambda m: f"predict.{_SEPARABLE[m[1]]}."),
    (r"bn_rep\.(\d+)\.(\d+)\.bn\.", r"norms.\1.\2."),
)


def _position(part: str) -> int:
    return ("conv", "bn").index(part)


def renamed(name: str) -> str:
    """The name here of a tensor of effdet's; a name that follows none of its rules is left as it is."""
    if block := _BLOCK.fullmatch(name):
        stage, number, part, leaf = block.groups()
        parts = {**(_FIRST if stage == "0" else _OTHER), **_EXCITE}
        return f"backbone.stages.{stage}.{number}.main.{parts.get(part, part)}.{leaf}"
    for pattern, ours in _PREFIXES:
        name = re.sub(pattern, ours, name)
    return name


def translated(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state of effdet's with the names and the order of outputs that our networks have.

    effdet gives the four numbers of a box as (y, x, h, w), ours are (x, y, w, h).
    """
    result = {renamed(name): value for name, value in state.items()}
    for name in ("bbox_head.box_net.predict.pointwise.weight", "bbox_head.box_net.predict.pointwise.bias"):
        if name in result:
            order = torch.tensor([1, 0, 3, 2])
            boxes = result[name].unflatten(0, (-1, 4))
            result[name] = boxes[:, order].flatten(0, 1)
    return result


def load(file: Path, name: str, classes: int = 90) -> Detector:
    """A published network with its weights: `load(Path("tf_efficientdet_d0.pth"), "D0")`, then `detection.mm.predict`.

    Args:
        file: a state of effdet's `tf_efficientdet_d0` to `d7x`, written by `torch.save` or as safetensors.
        name: of the member, D0 to D7x.
        classes: that it tells apart; COCO's numbers reach to 90.

    Raises:
        UserError: no such member; the file cannot be read, or is of another member or other classes.
    """
    check_name(name, PUBLISHED, "member")
    state = translated(read_state(file, f"give effdet's tf_efficientdet_{name.lower()}"))
    head = EfficientHead(anchor_scale=PUBLISHED[name].anchor_scale)
    network = build(detector(decode(family("paper", classes, head), published(name))))
    named = {f"net.{key}": value for key, value in state.items()}
    load_strictly(network, named, str(file), f"EfficientDet-{name} of {classes} classes")
    return network.eval()
