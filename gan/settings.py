"""Settings and options that every search of picture-to-picture generators has. No torch here: `--help` reads them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from common.errors import UserError, check_least
from common.options import RunOptions, without_default
from common.stages.settings import RunSettings
from gan.layout import check_layout

Adversarial = Literal["hinge", "lsgan"]
LEAST_SIDE = 24
"""Side of the smallest pictures that a discriminator takes, in pixels."""


LARGEST = {"photographs": 88, "textures": 96}
"""Embedded pictures -> their largest side, in pixels: a split has a part of each photograph."""


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
    """Pictures that candidates are evaluated on; of a folder they are held out of its training pictures, a tenth by default."""
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

    def check(self) -> None:
        """Refuses a folder without a known layout and what the embedded pictures cannot be, before anything heavy is imported.

        Raises:
            UserError: the folder has no known layout, or the pictures would be larger than a split's part of their photographs.
        """
        if self.folder is not None:
            check_layout(Path(self.folder))
            return
        most = LARGEST.get(self.embedded, self.size)
        if self.size > most:
            raise UserError(
                f"data.size={self.size}: embedded {self.embedded} have sides of at most {most}; give --data FOLDER, or "
                "--set data.size=64 data.load=72"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class GameSettings:
    """What a generator and its discriminator play for."""

    adversarial: Adversarial
    """Hinge or least squares."""
    recon: float
    """Weight of the mean absolute difference between a picture and its target."""
    discriminator: int
    """Width of the discriminator's first layer (ndf)."""
    cycle: float = 10.0
    """CycleGAN's weight of the mean absolute difference after there and back."""
    identity: float = 0.5
    """Share of it for leaving pictures of the target domain as they are."""
    pool: int = 50
    """Generated pictures that its discriminators see again."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a weight is below 0, or the discriminator has no width.
        """
        check_least(self, "game", ("recon", "cycle", "identity", "pool"), 0)
        check_least(self, "game", ("discriminator",), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationSettings(RunSettings):
    """What the settings of every system of this task begin with: the data, and how generated pictures are scored."""

    data: DataSettings
    score: Literal["Frechet", "L1", "mIoU"] = "Frechet"
    """Score that is searched for: the Fréchet distance or, in pairs, the mean absolute difference or a segmenter's agreement."""
    features: str | None = None
    """File of torchvision's Inception v3 weights, by which the Fréchet distance is FID; a small fixed network by default."""
    segmenter: str | None = None
    """For `mIoU`: `package.module:function` that makes a network from pictures in [-1, 1] to scores of classes."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range, or a segmenter is given without need or missing.
        """
        RunSettings.__post_init__(self)  # not super(): slots make the class anew
        if (self.score == "mIoU") != (self.segmenter is not None):
            raise UserError(f"score={self.score!r} with segmenter={self.segmenter!r}: they belong together; give both or neither")


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationOptions(RunOptions):
    """Options of every run of this task."""

    features: Annotated[str | None, without_default("FILE")] = None
    """File of torchvision's Inception v3 weights, by which the Fréchet distance is FID."""

    def change(self, settings: Any) -> Any:
        """See `RunOptions.change`."""
        return settings if self.features is None else replace(settings, features=self.features)


def score_notes(settings: TranslationSettings) -> list[str]:
    """What a reader of the report must know about the scores of a run."""
    if settings.features is None:
        distance = (
            "Frechet is a Fréchet distance of 64 features of a small network of fixed random weights. It is no FID: it compares "
            "generators on these pictures, and its values mean nothing elsewhere."
        )
    else:
        distance = "FID is measured with torchvision's Inception v3 weights, which differ a little from those of published FIDs."
    return [distance, "L1 is a share of the whole range of values, 0 to 1."]
