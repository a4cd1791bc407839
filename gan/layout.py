"""The layouts of folders for image-to-image translation, told apart by folders alone. No torch here."""

from __future__ import annotations

from pathlib import Path

from common.errors import UserError

KNOWN = (
    "trainA/, trainB/, testA/, testB/ (unpaired, as CycleGAN's); A/train/, A/test/, B/train/, B/test/ (pairs of one name); "
    "train/X/, train/Y/, test/X/, test/Y/ (pairs of one name); or train/, test/ with A|B side by side in each file (as pix2pix's)"
)
_PLACES = ("trainA", "trainB", "A/train", "B/train", "train")


def check_layout(path: Path) -> None:
    """Refuses what cannot have any of the layouts.

    Raises:
        UserError: it is no folder, or has no folder of training pictures.
    """
    if not path.is_dir():
        raise UserError(f"{path} is not a folder: give one with {KNOWN}")
    if not any((path / place).is_dir() for place in _PLACES):
        raise UserError(f"{path} has no known layout: give a folder with {KNOWN}")
