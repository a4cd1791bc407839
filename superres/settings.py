"""Settings and options that every search of super-resolution networks has. No torch here: `--help` reads them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from common.errors import UserError, check_least
from common.options import RunOptions, without_default
from common.stages.settings import RunSettings
from superres.layout import check_layout

Scale = Literal[2, 3, 4]
"""How many times larger a network makes a picture, in height and in width."""
LEAST_LOW_PATCH = 12
"""Least side of a low-resolution patch, in pixels: PSNR in a search leaves out a border of scale + 6 pixels of the large one."""
EMBEDDED_SIDE = 271
"""Shorter side of the smallest training part of an embedded photograph, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which pictures, and how training patches are cut out of them."""

    folder: str | None = None
    """A folder of high-resolution pictures, in one of the layouts of `superres.data.folder`; none for embedded photographs."""
    skip_bad: bool = False
    """Leave damaged and small pictures out, and list them, instead of refusing the folder."""
    scale: Scale = 2
    """How many times larger than its input the output of a network is, in height and in width."""
    patch: int = 96
    """Side of high-resolution training patches, in pixels; a multiple of `scale`, and at least 12 times it."""
    flip: bool = True
    """Mirror training patches and turn them by quarter turns at random."""
    val: int | None = None
    """Pictures that candidates are evaluated on: the first ones of a validation set, all by default. Without such a set they are
    held out of the training pictures, a tenth by default."""
    test: int | None = None
    """Pictures that networks are tested on: the first ones of the test split, all by default."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        least = LEAST_LOW_PATCH * self.scale
        if self.patch < least or self.patch % self.scale:
            raise UserError(f"data.patch={self.patch}: give a multiple of {self.scale} (data.scale), {least} at least")
        for name in ("val", "test"):
            if getattr(self, name) is not None:
                check_least(self, "data", (name,), 1)

    def check(self) -> None:
        """Refuses a folder without a known layout and patches larger than the photographs, before anything heavy is imported.

        Raises:
            UserError: the folder has no known layout, or an embedded photograph has no room for a patch.
        """
        if self.folder is not None:
            check_layout(Path(self.folder))
            return
        most = EMBEDDED_SIDE // self.scale * self.scale
        if self.patch > most:
            raise UserError(
                f"data.patch={self.patch}: patches of embedded photographs have at most {most} pixels a side; give --data "
                f"FOLDER, or --set data.patch={48 * self.scale}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperResSettings(RunSettings):
    """What the settings of every system of this task begin with: the data, and how networks are tested."""

    data: DataSettings
    ensemble: bool = False
    """Whether test scores are those of the self-ensemble: the mean of what a network makes of the eight flips and quarter turns
    of a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperResOptions(RunOptions):
    """Options of every run of this task."""

    scale: Annotated[Scale | None, without_default("2|3|4")] = None
    """How many times larger networks make a picture; patches get the nearest smaller side that is a multiple of it."""

    def change(self, settings: Any) -> Any:
        """See `RunOptions.change`."""
        if self.scale is None:
            return settings
        patch = max(settings.data.patch // self.scale, LEAST_LOW_PATCH) * self.scale
        return replace(settings, data=replace(settings.data, scale=self.scale, patch=patch))


def score_notes() -> list[str]:
    """What a reader of the report must know about the scores of a run."""
    return [
        "PSNR and SSIM are those of the brightness Y, without a border of as many pixels as the scale, of values rounded to "
        "whole numbers, for pictures in tiles of at most 272 pixels a side; test PSNR and SSIM are means over all test "
        "pictures, and those of each benchmark stand beside. Low-resolution pictures are made with Pillow's bicubic filter.",
    ]
