"""A hand-made wiring of DCNAS's spaces."""

from __future__ import annotations

from common.errors import UserError
from common.space import Arch
from segmentation.dcnas.space import SKIP, STEM, Network, cell_name, possible_inputs


def unet(space: Network, operator: str | None = None) -> Arch:
    """A U-Net-like wiring (arXiv 1505.04597): down to the coarsest stride, up again, each step up joined by the last map down.

    The stem is the finest map on the way down. With more layers than such a path has steps (6 for 4 strides), steps are
    repeated at their stride. The outputs at the coarser strides are the maps on the way up, passed on. The wiring is our own.

    In the dense space the other cells, which an architecture has all the same, read the stem and pass it on; `pruned` leaves them
    out. Where a cell can read the layer before it alone (`neighbour_space`), they carry the maps of their strides from layer to
    layer, so that those on the way down reach the way up.

    Args:
        space: a `dcnas_space` or `neighbour_space` of two inputs a cell at least.
        operator: of all cells on the path; the space's first one by default.

    Raises:
        UserError: the space lacks the layers, the connections or the operator.
    """
    strides = sorted({cell.stride for cell in space.cells.values()})
    steps = [*range(1, len(strides)), *range(len(strides) - 2, -1, -1)] or [0]
    layers = max(cell.layer for cell in space.cells.values())
    if layers < len(steps):
        raise UserError(f"{layers} layers: down to stride {strides[-1]} and up again takes {len(steps)}; give so many at least")
    wanted: dict[str, tuple[str, ...]] = {}
    path: set[str] = set()
    latest = {0: STEM}  # of each level; on the way up, what came down is joined
    carried = not all(STEM in possible_inputs(cell) for cell in space.cells.values())
    before, down = 0, True
    for layer in range(1, layers + 1):
        at = steps[(layer - 1) * len(steps) // layers]
        down = down and at >= before
        name = cell_name(strides[at], layer)
        wanted[name] = (latest[before],) if down or at == before else (latest[at], latest[before])
        now = {**latest, at: name}
        path.add(name)
        for level in set(range(min(layer, len(strides) - 1) + 1)) - {at} if carried else ():
            now[level] = cell_name(strides[level], layer)
            wanted[now[level]] = (latest[level] if level in latest else latest[level - 1],)
        latest, before = now, at
    if not carried:
        wanted |= {cell_name(strides[level], layers): (latest[level],) for level in range(1, len(strides))}
    return _arch(space, wanted, path, operator)


def _arch(space: Network, wanted: dict[str, tuple[str, ...]], path: set[str], operator: str | None) -> Arch:
    """The architecture in which the cells named read what is wanted; those on the path apply the operator, others pass on."""
    choices: dict[str, int] = {}
    for name, cell in space.cells.items():
        op = (operator or cell.op.options[0]) if name in path else SKIP
        if op not in cell.op.options:
            raise UserError(f"operator {op!r} is none of the space's; choose one of {', '.join(cell.op.options)}")
        known = possible_inputs(cell)
        inputs = wanted.get(name, (STEM,))
        if not set(inputs) <= set(known) or len(inputs) > cell.inputs.high:
            raise UserError(f"the wiring has cell {name} read {' and '.join(inputs)}; use a space of 2 inputs a cell at least")
        choices[f"cells.{name}.inputs"] = cell.inputs.rank(sorted(known.index(source) for source in inputs))
        choices[f"cells.{name}.op"] = cell.op.options.index(op)
    return Arch(choices)
