"""Settings that every search of picture-to-picture generators has. No torch here: `--help` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from common.errors import UserError, check_least


Adversarial = Literal["hinge", "lsgan"]
LEAST_SIDE = 24
"""Side of the smallest pictures that a discriminator takes, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which pictures, and how they are read and varied."""

    folder: str | None = None
    """A folder of pairs or of two domains, in one of the layouts of `gan.data.folder`; none for embedded pictures."""
    skip_bad: bool = False
    """Leave damaged pictures out, and list them, instead of refusing the folder."""
    embedded: Literal["digits", "photographs", "textures"] = "photographs"
    """Embedded pictures: edges of digits or of photographs with what they are edges of (pairs), or two photographs' textures."""
    direction: Literal["AtoB", "BtoA"] = "AtoB"
    """From which domain of a folder to which."""
    size: int = 256
    """Side of the pictures, in pixels; a multiple of 4."""
    load: int = 286
    """Side that training pictures are scaled to before a square of `size` is cut out of them."""
    flip: bool = True
    """Mirror training pictures at random. The embedded digits never are: a mirrored digit is another one."""
    train: int = 256
    """Embedded pictures in the training split."""
    val: int | None = None
    """Pictures that candidates are judged on; of a folder they are held out of its training pictures, a tenth by default."""
    test: int = 64
    """Embedded pictures in the test split."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "data", ("train",), 1)
        check_least(self, "data", ("test",), 2)
        if self.size < LEAST_SIDE or self.size % 4:
            raise UserError(f"data.size={self.size}: give a multiple of 4, {LEAST_SIDE} at least")
        if self.load < self.size:
            raise UserError(
                f"data.load={self.load}: pictures of {self.size} pixels are cut out of larger ones; give data.size or more"
            )
        if self.val is not None and self.val < 2:
            raise UserError(f"data.val={self.val}: statistics are taken over 2 pictures or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class GameSettings:
    """What a generator and its discriminator play for."""

    adversarial: Adversarial
    """Hinge or least squares."""
    recon: float
    """Weight of the mean absolute difference between a picture and its target: the true one in pairs, else the teacher's."""
    distil: float
    """Weight of the difference between a student's inner maps and its teacher's; 0 trains without."""
    discriminator: int
    """Width of the discriminator's first layer (ndf)."""
    cycle: float = 10.0
    """CycleGAN's weight of the mean absolute difference after there and back; of teachers without pairs alone."""
    identity: float = 0.5
    """Share of it for leaving pictures of the target domain as they are."""
    pool: int = 50
    """Generated pictures that its discriminators see again."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a weight is below 0, or the discriminator has no width.
        """
        check_least(self, "game", ("recon", "distil", "cycle", "identity", "pool"), 0)
        check_least(self, "game", ("discriminator",), 1)
