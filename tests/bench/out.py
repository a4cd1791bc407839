"""Where a page, or a folder of rows, is written: looked at before hours of work go into it."""

from __future__ import annotations

import os
from pathlib import Path

from common.errors import UserError


def check_out(page: Path) -> None:
    """Makes the folder of a page.

    Raises:
        UserError: the page cannot be written there.
    """
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {page}: {error.strerror} ({page.parent}); give a file in a folder that can be written") from None
    if page.is_dir() or not os.access(page.parent, os.W_OK) or (page.exists() and not os.access(page, os.W_OK)):
        raise UserError(f"--out {page}: no file can be written there; give another")


def make_folder(folder: Path) -> None:
    """Makes a folder of rows, if there is none.

    Raises:
        UserError: there is a file in its place, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {folder}: {error.strerror}; give a folder, or the name of a new one") from None
