"""Which network a text stands for, a published name, an architecture file or a genotype; and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from binary.cells.found import SIZES, published_network
from binary.cells.model import build
from binary.cells.networks import searched
from binary.cells.settings import Settings
from binary.cells.space import FORMS, Form, Network, alone, standalone
from binary.describing import data_of, description, network_of_file
from classification.cells.genotypes import from_text, to_text
from classification.cells.space import FIRST, SKELETONS, Genotype, genotype_of
from common.describe import is_file
from common.errors import UserError


def describe(options: Any) -> dict[str, Any]:
    """Counts of the network in which a cell is trained alone: on the images of its run, else on those of its skeleton."""
    network, side = read_network(options.arch, options.form, options.skeleton)
    told = description("bnas-kim", options.arch, network, build, side)
    return {**told, "genotype": to_text(genotype_of(network))}


def read_network(text: str, form: Form | None, skeleton: str | None) -> tuple[Network, int]:
    """The settled network that a text stands for, and the side of its images.

    Args:
        text: a published name, `Genotype(normal=[...], ...)`, or an architecture file of a run.
        form: layers of the cells of a genotype; None for those that have its operations.
        skeleton: network around the cells of a genotype; None for cifar.

    Raises:
        UserError: the text is none of these, or the form has not its operations.
    """
    if text in SIZES:
        network = published_network(text)
        return network, SKELETONS[network.skeleton].image
    if "Genotype(" in text:
        own: Form = form or ("kim" if "bin_" in text else "separable")
        genotype = from_text(text, "genotype", FORMS[own])
        check_nodes(genotype)
        network = standalone(genotype, own, skeleton or "cifar")
        return network, SKELETONS[network.skeleton].image
    if not is_file(text, SIZES, ", and no genotype"):
        raise UserError(f"{text!r} is no published name ({', '.join(SIZES)}), no architecture file and no genotype")
    file = Path(text)
    known = data_of(file)
    return network_of_file(file, "bnas-kim", Settings, trained, papers()), known[1] if known else SKELETONS["cifar"].image


def check_nodes(genotype: Genotype) -> None:
    """Refuses a node without inputs: it would be left out of the cell, and the counts be of another network.

    Raises:
        UserError: names the cell and the node.
    """
    for kind, cell in (("normal", genotype.normal), ("reduce", genotype.reduction)):
        if empty := [number for number, node in enumerate(cell.nodes, FIRST) if not node.edges]:
            raise UserError(
                f"genotype: node {empty[0]} of the {kind} cell has no inputs; give it two, none among them if need be"
            )


def trained(settings: Settings, classes: int, side: int) -> Network:
    """The open network of a run that is trained alone."""
    return alone(searched(settings, classes), width=settings.network.width, cells=settings.network.cells)


def papers() -> list[tuple[str, Network]]:
    """The networks of the papers' own sizes, open."""
    from binary.cells.recipes import RECIPES

    made = {method: recipes["paper"]() for method, recipes in RECIPES.items()}
    return [(method, trained(settings, SKELETONS["cifar"].classes, 0)) for method, settings in made.items()]
