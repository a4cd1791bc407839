"""Wirings of NAS-FPN's pyramids made by hand."""

from __future__ import annotations

from common.errors import UserError
from common.space import Arch
from detection.description import DetectorNet
from detection.necks.merges import NASFPN, Cell, Wiring


def arch_of(net: DetectorNet, wiring: Wiring) -> Arch:
    """The architecture of an open detector, of which the pyramid alone is open, with this wiring.

    Raises:
        UserError: it is no wiring of the grammar.
    """
    assert isinstance(net.neck, NASFPN)
    return Arch(choices(net.neck, wiring))


def choices(net: NASFPN, wiring: Wiring) -> dict[str, int]:
    """The decisions of an open pyramid with this wiring, under the paths that they have in a detector.

    Raises:
        UserError: it is no wiring of the grammar.
    """
    given = net.wiring
    found: dict[str, int] = {}
    try:
        for i, (decision, level) in enumerate(zip(given.between, wiring.between, strict=True)):
            found[f"neck.wiring.between.{i}"] = decision.options.index(level)
        found["neck.wiring.order"] = given.order.options.index(wiring.order)
        for i, (one, cell) in enumerate(zip(given.cells, wiring.cells, strict=True)):
            found[f"neck.wiring.cells.{i}.inputs"] = one.inputs.rank(cell.inputs)
            found[f"neck.wiring.cells.{i}.op"] = one.op.options.index(cell.op)
    except ValueError:
        levels = ", ".join(map(str, given.levels))
        raise UserError(
            f"the wiring is none of the grammar's of levels {levels} and {len(given.between)} cells between"
        ) from None
    return found


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
