"""What binary networks cost: the vector of named costs that all systems of this task have."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from binary.layers.convolution import binary_convolution, is_binary
from binary.layers.signs import SIGNS, zero_one
from common.cost.conventions import contractions, nothing

WORD = 64
"""Binary multiply-adds that count as one operation (Bi-Real Net, 1808.00278, section 4.3)."""
BITS = 32
"""Bits of a real weight."""
BYTES = 4
"""Bytes of a number of a map."""


def _bits(module: nn.Module, name: str) -> int:
    return 1 if name == "weight" and is_binary(module) else BITS


def _bytes(args: object, kwargs: object, out: Tensor) -> int:
    return BYTES * out.numel()


STEPS = (*SIGNS.values(), zero_one)
CONVOLUTION = contractions.rules[F.conv2d]
BINARY = replace(
    contractions.extended("binary", dict.fromkeys((binary_convolution, *STEPS), nothing)),
    beside={
        "bops": {binary_convolution: CONVOLUTION},
        "activation_bytes": dict.fromkeys((binary_convolution, F.conv2d, F.linear), _bytes),
    },
    held={"bits": _bits},
    sums={
        "ops": {"macs": Fraction(1), "bops": Fraction(1, WORD)},
        "binary_weights": {"params": Fraction(BITS, BITS - 1), "bits": Fraction(-1, BITS - 1)},
    },
    like={binary_convolution: F.conv2d, **dict.fromkeys(STEPS, torch.relu)},
)
"""`params`; `macs` of real layers, every contraction; `bops`, multiply-adds of binary convolutions; `ops`, macs + bops / 64;
`bits` of all parameters, 1 for a binary weight and 32 for any other; `binary_weights`; `activation_bytes`, of the outputs of
convolutions and linear layers as float32, all together.

Norms, activations, sums and pooling count 0, as in the papers. A layer with binary weights is told by its class, not by its
numbers.
"""
