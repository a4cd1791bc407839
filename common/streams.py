"""Counter-based random streams: every draw is a function of (seed, names), so no generator state is ever stored.

`stream(seed, "paths", step)` gives the same numbers in any process, on any rank, before and after a resume.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

Name = str | int


def derive(seed: int, *names: Name) -> int:
    """A 63-bit key for (seed, names): different names give independent streams.

    >>> derive(0, "paths", 1) == derive(0, "paths", 1) != derive(0, "paths", 2)
    True
    """
    text = "\x1f".join([str(seed), *(f"{type(name).__name__}:{name}" for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *names: Name) -> Random:
    """A Python generator at the start of the stream `names`."""
    return Random(derive(seed, *names))


def numpy_stream(seed: int, *names: Name) -> np.random.Generator:
    """A NumPy generator (Philox, a counter-based bit generator) at the start of the stream `names`."""
    return np.random.Generator(np.random.Philox(key=derive(seed, *names)))


def torch_stream(seed: int, *names: Name, device: str = "cpu") -> torch.Generator:
    """A torch generator on `device` at the start of the stream `names`."""
    import torch

    return torch.Generator(device=device).manual_seed(derive(seed, *names))


def seed_layers(seed: int, device: torch.device) -> None:
    """Seeds the global generators that layers on `device` draw from (dropout), the CPU's among them.

    `torch.manual_seed` seeds those of every accelerator, present or not: a tenth of a millisecond.
    """
    import torch

    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)
