"""Networks of binary cells: one build for standalone networks and supernets, binary or not."""

from __future__ import annotations

from torch import nn

from binary.cells.grouped import GroupedParts
from binary.cells.kim import KimParts
from binary.cells.separable import SeparableParts
from binary.cells.space import FORMS, SHUFFLED, Network
from binary.phases import set_real
from binary.real import made_real, with_relu
from classification.cells.cell import Parts
from classification.cells.network import check as fits
from classification.cells.network import seeded
from common.errors import UserError
from common.paired import Paired


def parts_of(net: Network) -> Parts:
    """What makes the layers of a network's cells."""
    match net.form:
        case "kim":
            return KimParts()
        case "separable":
            return SeparableParts()
        case "grouped":
            return GroupedParts(net.groups)


def build(net: Network, seed: int = 0) -> nn.Module:
    """The module of a description, open or settled; weights (torch's initial ones) are a function of `seed`.

    Of a network with a parent both begin with the same numbers, and one path activates both.

    Raises:
        UserError: a description that no network fits.
    """
    check(net)
    network = precise(net, seeded(net, parts_of(net), seed))
    return Paired(child=network, parent=made_real(seeded(net, parts_of(net), seed))) if net.paired else network


def precise(net: Network, network: nn.Module) -> nn.Module:
    """The network with as much of it binary as its description says; it is changed in place."""
    match net.precision:
        case "binary":
            return network
        case "activations":
            set_real(network, True)
            return network
        case "weights":
            return with_relu(network)
        case "real":
            return made_real(network)


def check(net: Network) -> None:
    """Refuses a description that no network fits; errors as in `build`."""
    fits(net, FORMS[net.form])
    joined = [len(cell.concat) for cell in (net.normal, net.reduction)]
    if net.form == "kim" and joined[0] != joined[1]:
        raise UserError(
            f"the normal cell joins {joined[0]} nodes and the reduction cell {joined[1]}: their outputs are added "
            "up; join equally many"
        )
    seen = net.width // net.partial
    if net.form == "grouped" and (seen % net.groups or seen % SHUFFLED):
        raise UserError(
            f"an operation sees {seen} channels, in {net.groups} groups, and shuffles them in {SHUFFLED}: give a width that both "
            "numbers divide, or another number of groups"
        )
