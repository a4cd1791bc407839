"""DARTS networks: one build for standalone networks and supernets (arXiv 1806.09055; skeletons as in the official code)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

import torch
from torch import nn

from classification.cells.cell import RealParts
from classification.cells.network import check, seeded
from classification.cells.space import Network
from classification.darts.nasbench201 import CellNetwork, build_cells
from common.cost.bounds import cheapest
from common.cost.conventions import conv_linear
from common.cost.costs import Counted, Entry, Tabulated
from common.cost.price import Price
from common.space import Arch, decode
from common.supernet import opened


def build(net: Network | CellNetwork, seed: int = 0) -> nn.Module:
    """The module of a description, open or settled; weights (torch's initial ones, as in the paper) are a function of `seed`.

    Raises:
        UserError: a description that no network fits: an unknown operation or skeleton, an edge from a node that does not come
            before, a width that cannot be halved or shared out.
    """
    if isinstance(net, CellNetwork):
        return build_cells(net, seed)
    check(net)
    return seeded(net, RealParts(), seed)


def cost_tables(alone: Network, size: int) -> Tabulated:
    """Tables of what open networks cost, for one image: those that are trained alone, without the second classifier.

    Pools cost as little as `none`: the cheapest architecture bounds what is derived without it too.

    Args:
        alone: open description.
        size: side of the image, in pixels.
    """
    return Tabulated(partial(_tables, replace(alone, auxiliary=False), size))


@lru_cache(maxsize=8)  # variants of a task and resumed runs ask for the same tables, which take a second
def _tables(whole: Network, size: int) -> dict[str, Entry]:
    with torch.device("meta"):
        price = Price(build(opened(whole)), (torch.empty(1, 3, size, size),), whole, convention=conv_linear)
    return {"params": Entry(price, "params"), "macs": Entry(price, "macs")}


def counted(space: Network, alone: Callable[[Network], Network], tables: Tabulated, size: int) -> Counted:
    """The same costs, counted network by network: sooner there where few are asked for."""

    def network(arch: Arch) -> nn.Module:
        return build(replace(alone(decode(space, arch)), auxiliary=False))

    return Counted(
        network,
        lambda: (torch.empty(1, 3, size, size),),
        lambda: cheapest(tables.price("macs")[0], "macs").arch,
        convention=conv_linear,
    )
