"""NAS-FPN's detectors: one backbone and one head, and a pyramid with open decisions (1904.07392, section 3)."""

from __future__ import annotations

from dataclasses import replace

from common.errors import UserError
from common.space import Arch
from detection.backbones.descriptions import SMALL_SHUFFLENET, Backbone, ResNet
from detection.description import DetectorNet
from detection.heads import RetinaNet
from detection.nas_fpn.settings import PyramidSettings
from detection.necks.merges import NASFPN, PUBLISHED, Cell, Wiring, grammar


def backbone_named(name: str) -> Backbone:
    """A backbone by its name in `detection.nas_fpn.settings.BACKBONES`."""
    return SMALL_SHUFFLENET if name == "shufflenet-tiny" else ResNet(depth=int(name.removeprefix("resnet-")))


def space(backbone: str, pyramid: PyramidSettings, head: RetinaNet, classes: int) -> DetectorNet:
    """The open detector: every wiring of the pyramid.

    Args:
        backbone: its name.
        pyramid: levels, cells and sizes.
        head: anchors, losses and post-processing.
        classes: of the data.
    """
    neck = NASFPN(
        wiring=grammar(pyramid.levels, pyramid.between),
        width=pyramid.width,
        stacks=pyramid.stacks,
        gate=pyramid.gate,
        lite=pyramid.lite,
    )
    strides = tuple(2**level for level in pyramid.levels)
    return DetectorNet(
        backbone=backbone_named(backbone),
        neck=neck,
        head=replace(head, strides=strides, neck_channels=pyramid.width),
        classes=classes,
    )


def arch_of(net: DetectorNet, wiring: Wiring) -> Arch:
    """The architecture of an open detector with this wiring.

    Raises:
        UserError: it is no wiring of the grammar.
    """
    assert isinstance(net.neck, NASFPN)
    given = net.neck.wiring
    choices: dict[str, int] = {}
    try:
        for i, (decision, level) in enumerate(zip(given.between, wiring.between, strict=True)):
            choices[f"neck.wiring.between.{i}"] = decision.options.index(level)
        choices["neck.wiring.order"] = given.order.options.index(wiring.order)
        for i, (one, cell) in enumerate(zip(given.cells, wiring.cells, strict=True)):
            choices[f"neck.wiring.cells.{i}.inputs"] = one.inputs.rank(cell.inputs)
            choices[f"neck.wiring.cells.{i}.op"] = one.op.options.index(cell.op)
    except ValueError:
        levels = ", ".join(map(str, given.levels))
        raise UserError(
            f"the wiring is none of the grammar's of levels {levels} and {len(given.between)} cells between"
        ) from None
    return Arch(choices)


def top_down(levels: tuple[int, ...], between: int) -> Wiring:
    """A hand-made wiring in the manner of FPN (1612.03144): each output adds its input and the output above it.

    The intermediate cells, which FPN has none of, add neighbouring inputs; their maps are orphans of their level.
    """
    n = len(levels)
    cells = [Cell(inputs=(i % (n - 1), i % (n - 1) + 1), op="sum") for i in range(between)]
    cells.append(Cell(inputs=(n - 2, n - 1), op="sum"))
    for i in range(1, n):
        cells.append(Cell(inputs=(n - 1 - i, n + between + i - 1), op="sum"))
    placed = tuple(levels[i % (n - 1) + 1] for i in range(between))
    return Wiring(levels=levels, between=placed, order=tuple(reversed(levels)), cells=tuple(cells))


def hand_made(net: DetectorNet) -> dict[str, Arch]:
    """Further hand-made architectures of an open detector: the published wiring, where the levels are its levels."""
    assert isinstance(net.neck, NASFPN)
    same = net.neck.wiring.levels == PUBLISHED.levels and len(net.neck.wiring.between) == len(PUBLISHED.between)
    return {"published": arch_of(net, PUBLISHED)} if same else {}
