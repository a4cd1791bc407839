"""Which architecture a text stands for: a published name, an architecture file, or genes as the paper writes them."""

from __future__ import annotations

from pathlib import Path

from common.describe import Read, check_name, check_own_space, is_file, read_file
from common.errors import UserError
from common.space import decisions
from detection.detnas.space import (
    PUBLISHED,
    SIZES,
    arch_of_genes,
    classifier,
    genes_of,
    parse_genes,
    published_classifier,
    space_for,
)


def read_arch(text: str, space: str | None) -> Read:
    """Size, open classifier and architecture that `text` stands for.

    Args:
        text: a published name, a file written by a run or by `common.arch.save`, or a gene string.
        space: size of the space that a gene string belongs to; by its length if none is given.

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
    """A file of a classifier or detector, or of a backbone alone; of the smaller size where two have its blocks."""
    wholes = {name: classifier(name) for name in SIZES}
    forms = [(name, form) for name, net in wholes.items() for form in (net, net.backbone) if space in (None, name)]
    try:
        name, _, arch = read_file(path, forms, "DetNAS")
    except UserError:
        every = [(name, form) for name, net in wholes.items() for form in (net, net.backbone)]
        own, found, _ = read_file(path, every, "DetNAS")  # of another size, or damaged: says so
        raise UserError(
            f"{path} is an architecture of space {own} ({len(decisions(found))} blocks), not {space}; leave --space out"
        ) from None
    return Read(name, wholes[name], arch_of_genes(wholes[name], genes_of(arch)))
