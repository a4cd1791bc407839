"""Settings of classification data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from classification.layout import check_layout


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which images, and how they are read."""

    folder: str | None = None
    """A folder in one of the layouts of `classification.data.classification_folder`; none for the embedded digits."""
    size: int = 32
    """Side of the square images in pixels."""
    skip_bad: bool = False
    """Leave damaged images out, and list them, instead of refusing the folder."""
    flip: bool = True
    """Mirror training images at random; wrong for letters and signs. The embedded digits never are."""

    def check(self) -> None:
        """Refuses a folder without a known layout, before anything heavy is imported. The embedded digits come in every size.

        Raises:
            UserError: names the folder and the layouts.
        """
        if self.folder is not None:
            check_layout(Path(self.folder))
