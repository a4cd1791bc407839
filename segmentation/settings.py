"""Settings of segmentation data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segmentation.layout import check_layout


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

    def check_layout(self) -> None:
        """See `common.data.layout.Laid`."""
        if self.folder is not None:
            check_layout(Path(self.folder))
