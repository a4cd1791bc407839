"""GAN Compression as the laws and `describe` see it."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from common.arch import load
from common.cost.count import conv_linear, count, output_elements
from common.errors import UserError
from common.space import decode
from common.task import PublishedNetwork, System
from gan.compression.model import build
from gan.compression.opened import open_run
from gan.compression.space import CHOICES, PUBLISHED, Generator, arch_of, open_space, parse, settled, written

SIDE = 256
"""Of the pictures that the published counts are of, in pixels."""
CONVENTION = (
    "a generator of 256x256 pictures: MACs of convolutions, transposed ones by their output, and one for each output of an "
    "instance normalisation, as the paper prints them; all trainable parameters"
)


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests."""
    return (torch.zeros(2, 3, 24, 24),)


def describe(text: str, space: str | None) -> dict[str, Any]:
    """Counts of a generator in the paper's convention, and what its convolutions truly compute.

    Args:
        text: a released name, a configuration (`32_32_48_32_48_48_16_16`), or an architecture file (of nine blocks).
        space: the choice set that a configuration or a file must be of; for a file the first that it fits by default.

    Raises:
        UserError: none of these, or of another space.
    """
    if space is not None:
        open_space(space)  # names those that exist
    name, net = read(text, space)
    with torch.device("meta"):
        network, picture = build(net), torch.empty(1, net.channels[0], SIDE, SIDE)
        counted = count(network, (picture,), convention=output_elements)
        true = count(network, (picture,), convention=conv_linear)
    return {
        "system": "gan-compression",
        "arch": text,
        "space": name,
        "convention": CONVENTION,
        "config": written(net),
        "params": counted.params,
        "macs": counted.macs,
        "macs_computed": true.macs,
        "description": asdict(net),
    }


def read(text: str, space: str | None) -> tuple[str | None, Generator]:
    """Space (None: of no choice set) and settled generator of `text`; arguments and errors as in `describe`."""
    if text in PUBLISHED:
        entry = PUBLISHED[text]
        if space not in (None, entry.space):
            raise UserError(f"{text} is a generator of {entry.space or 'no choice set'}, not of {space}; leave --space out")
        return entry.space, decode(*entry.open())
    if text.endswith(".json") or os.path.isfile(text):
        return _from_file(Path(text), space)
    if os.path.isdir(text):
        raise UserError(f"{text} is a folder; of a run, give {os.path.join(text, 'best', 'arch.json')}")
    if any(c.isalpha() for c in text):
        raise UserError(f"{text!r} is no released name ({', '.join(PUBLISHED)}), no arch.json and no configuration")
    net = settled(parse(text))
    if space is not None:
        arch_of(open_space(space), parse(text))
    return space, net


def _from_file(path: Path, space: str | None) -> tuple[str, Generator]:
    """The first choice set that holds the file's widths; nine blocks, whose number no file says."""
    errors: list[UserError] = []
    for name in CHOICES if space is None else (space,):
        try:
            return name, decode(open_space(name), load(path, open_space(name)))
        except UserError as error:
            errors.append(error)
    raise errors[0]


def _published(name: str) -> PublishedNetwork:
    entry = PUBLISHED[name]
    return PublishedNetwork(
        description=lambda: entry.open()[0], arch=lambda: entry.open()[1], params=entry.params, macs=entry.macs
    )


def _dense() -> Generator:
    """The tiny space with dense blocks: what the dense teacher is an instance of."""
    return replace(open_space("tiny", 3), mobile=False)


SYSTEM = System(
    name="gan-compression",
    title="GAN Compression",
    paper="arXiv:2003.08936",
    spaces={**{name: partial(open_space, name) for name in CHOICES}, "tiny dense": _dense},
    build=build,
    example=example,
    published={name: _published(name) for name in PUBLISHED},
    describe=describe,
    open_run=open_run,
)
"""GAN Compression."""
