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
from classification.cells.space import SKELETONS, genotype_of
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
        text: a published name, `Genotype(normal=[...], ...)`, or an architecture file.
        form: layers of the cells of a genotype, or of a file outside of its run; None where the operations tell it.
        skeleton: network around the cells of a genotype; None for cifar.

    Raises:
        UserError: the text is none of these, its form is not known or has not its operations, or an option is not read.
    """
    if text in SIZES:
        unread(f"{text} is a published network", form=form, skeleton=skeleton)
        network = published_network(text)
        return network, SKELETONS[network.skeleton].image
    if "Genotype(" in text:
        own = form_of(text, form)
        network = standalone(from_text(text, "genotype", FORMS[own], whole=True), own, skeleton or "cifar")
        return network, SKELETONS[network.skeleton].image
    if not is_file(text, SIZES, ", and no genotype"):
        raise UserError(f"{text!r} is no published name ({', '.join(SIZES)}), no architecture file and no genotype")
    file = Path(text)
    unread(f"{text} is a file", skeleton=skeleton)
    if (known := data_of(file)) is not None:
        unread(f"{text} is of a run, whose settings say it", form=form)
        return network_of_file(file, "bnas-kim", Settings, trained, []), known[1]
    spaces = papers(form_of(file.read_text(encoding="utf-8", errors="replace") if file.is_file() else "", form))
    return network_of_file(file, "bnas-kim", Settings, trained, spaces), SKELETONS["cifar"].image


def unread(why: str, form: Form | None = None, skeleton: str | None = None) -> None:
    """Refuses options that would have no effect.

    Raises:
        UserError: names the option.
    """
    for name, value in (("form", form), ("skeleton", skeleton)):
        if value is not None:
            raise UserError(f"--{name} {value}: {why}; leave --{name} out")


def form_of(text: str, form: Form | None) -> Form:
    """The form that is given, or the one that alone has the operations in a text.

    Raises:
        UserError: several forms have them.
    """
    if form is None and "bin_" not in text:
        raise UserError(
            "the operations do not say what layers the cells have; give --form separable (CP-NAS, BNAS of Chen et al.), "
            "--form grouped (BATS) or --form kim"
        )
    return form or "kim"


def trained(settings: Settings, classes: int, side: int) -> Network:
    """The open network of a run that is trained alone."""
    return alone(searched(settings, classes), width=settings.network.width, cells=settings.network.cells)


def papers(form: Form) -> list[tuple[str, Network]]:
    """The networks of the papers' own sizes with these layers, open."""
    from binary.cells.recipes import RECIPES

    made = {method: recipes["paper"]() for method, recipes in RECIPES.items()}
    fitting = {method: settings for method, settings in made.items() if settings.space.form == form}
    return [(method, trained(settings, SKELETONS["cifar"].classes, 0)) for method, settings in fitting.items()]
