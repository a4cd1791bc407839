"""Settings of segmentation data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError
from segmentation.layout import check_layout

MULTIPLE = 32
"""Sides of embedded scenes are multiples of it."""
LARGEST_SCENE = 288
"""Largest side of an embedded scene, in pixels: the photographs have no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which pictures, and how they are read and varied."""

    folder: str | None = None
    """A folder in one of the layouts of `segmentation.data.folder`; none for the embedded scenes."""
    size: int | None = None
    """Long side that larger pictures are reduced to, in pixels; side of the scenes (by default the crop's, at least 64)."""
    skip_bad: bool = False
    """Leave damaged pictures and classes that nobody learns out, and list them, instead of refusing the folder."""
    crop: tuple[int, int] = (64, 64)
    """Height and width of what is cut out of training pictures, in pixels."""
    scale: tuple[float, float] = (0.5, 2.0)
    """Lowest and highest factor that training pictures are scaled by before."""
    flip: bool = True
    """Mirror training pictures at random. The embedded scenes never are: a mirrored digit is another one."""
    classes: int = 5
    """Embedded scenes: digits 0 to classes - 1 appear; the background is one class more."""
    train: int = 1024
    """Embedded scenes in the training split."""
    val: int = 256
    """Embedded scenes in the validation split."""
    test: int = 256
    """Embedded scenes in the test split."""

    @property
    def scene(self) -> int:
        """Side of the embedded scenes, in pixels."""
        return self.size or max(64, -(-max(self.crop) // MULTIPLE) * MULTIPLE)

    def check(self) -> None:
        """Refuses a folder without a known layout and what the embedded scenes cannot be, before anything heavy is imported.

        Raises:
            UserError: the folder has no known layout, or the scenes would be larger than their photographs.
        """
        if self.folder is not None:
            check_layout(Path(self.folder))
        elif self.scene > LARGEST_SCENE:
            raise UserError(
                f"embedded scenes of {self.scene} pixels: {LARGEST_SCENE} are the most; give --data FOLDER, or "
                "--set data.crop=[64,64] data.size=64"
            )
