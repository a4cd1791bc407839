"""Which network a text stands for: a released name, an architecture file, or ratios in words; and what it costs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from binary.describing import data_of, description, network_of_file
from binary.width.model import build
from binary.width.networks import released, searched
from binary.width.settings import Settings
from binary.width.space import FOUND, RATIOS, VGG, Network, length, open_resnet, open_vgg, with_ratios
from common.errors import UserError

UNIFORM = {"VGG-small": open_vgg, "ResNet-18": open_resnet}
"""Names of the bodies at ratio 1."""
BIREAL = "Bi-Real-18"
"""Bi-Real Net of 18 layers (1808.00278): shortcuts around each convolution, real 1x1 convolutions in them."""
FORM = "6 ratios (VGG-small) or 12 (ResNet-18) with blanks between them, or one ratio behind the body: ResNet-18 2"


def describe(options: Any) -> dict[str, Any]:
    """Counts of a network: on the images of its run, else on 32x32 pixels for VGG-small and on 224x224 for ResNet-18."""
    network = read_network(options.arch)
    known = data_of(Path(options.arch)) if os.path.isfile(options.arch) else None
    side = known[1] if known else network.side if isinstance(network, VGG) else 224
    return description("binary-width", options.arch, network, build, side)


def read_network(text: str) -> Network:
    """The settled network that a text stands for.

    Args:
        text: a released name, an architecture file of a run, or `FORM`.

    Raises:
        UserError: the text is none of these.
    """
    if text in FOUND:
        return with_ratios(released(text), FOUND[text])
    if text == BIREAL:
        uniform = with_ratios(open_resnet(), (1,) * length(open_resnet()))
        return replace(uniform, shortcuts="convolutions", downsample="real", activations="sign")  # pyright: ignore[reportCallIssue]
    if os.path.isfile(text):
        return network_of_file(
            Path(text), "binary-width", Settings, searched, [("VGG-small", open_vgg()), ("ResNet-18", open_resnet())]
        )
    name, _, rest = text.partition(" ")
    body = UNIFORM.get(name)
    words = (rest.split() or ["1"]) if body else text.split()
    try:
        ratios = [float(word) for word in words]
    except ValueError:
        known = ", ".join([*FOUND, *UNIFORM, BIREAL])
        raise UserError(f"{text!r} is no released name ({known}), no architecture file and not of the form: {FORM}") from None
    if wrong := [word for word, ratio in zip(words, ratios, strict=True) if ratio not in RATIOS]:
        raise UserError(f"{text!r}: {wrong[0]} is no ratio; give {', '.join(f'{ratio:g}' for ratio in RATIOS)}")
    spaces = [body()] if body else [open_vgg(), open_resnet()]
    for space in spaces:
        if body and len(ratios) == 1:
            return with_ratios(space, ratios * length(space))
        if len(ratios) == length(space):
            return with_ratios(space, ratios)
    raise UserError(f"{text!r}: {len(ratios)} ratios; give {FORM}")
