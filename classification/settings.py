"""Settings of classification data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass


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
        """Refuses nothing: the embedded digits come in every size."""
