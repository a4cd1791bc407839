"""The layouts of classification folders, told apart by folders and files alone. No torch here."""

from __future__ import annotations

from pathlib import Path

from common.data.folder import ENDINGS, is_hidden
from common.errors import UserError

ARCHIVE = "cifar10_webp.npz"
KNOWN = (
    f"known layouts: {ARCHIVE}; cifar-10-batches-py, cifar-100-python, cifar-10-batches-bin, cifar-100-binary; train/, val/ and "
    f"test/ with a folder of {ENDINGS} images per class; class folders alone"
)


def check_layout(path: Path) -> None:
    """Refuses what cannot have any of the layouts.

    Raises:
        UserError: it is no folder, or holds nothing.
    """
    if not path.is_dir():
        raise UserError(f"{path} is not a folder; {KNOWN}")
    if all(is_hidden(entry.name) for entry in path.iterdir()):
        raise UserError(f"{path} has no image in a class folder and is of no known layout; {KNOWN}")
