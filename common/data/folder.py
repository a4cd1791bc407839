"""The one walk over a data folder: which files are data, what is left out and why, and which file a name stands for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from common.data.problems import listing
from common.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""Endings of picture files, in lower case."""
ENDINGS = "/".join(suffix[1:] for suffix in SUFFIXES)
"""The endings, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What a folder holds.

    Attributes:
        files: regular files, by links as well, sorted by path.
        left_out: what is no data, each with its reason, named below the data folder.
    """

    files: tuple[Path, ...]
    left_out: tuple[str, ...]

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The files that are pictures by their endings."""
        return tuple(file for file in self.files if file.suffix.lower() in SUFFIXES)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is never data: hidden, or what macOS puts into archives."""
    return name.startswith(".") or name == "__MACOSX"


def walk(folder: Path, root: Path, *, deep: bool = True) -> Walk:
    """The files in a folder of a data set.

    Hidden files and folders (`.ipynb_checkpoints`, `.DS_Store`), `__MACOSX`, links that lead nowhere or back to a folder already
    walked through, and what is neither file nor folder (pipes, devices) are no data. Links to files and folders are followed.

    Args:
        folder: where to look.
        root: the data set, which `left_out` names files below.
        deep: look into the folders below as well; else they are left out.

    Raises:
        UserError: a folder cannot be listed.
    """
    files: list[Path] = []
    left_out: list[str] = []
    # The folders above as well: a link to one of them leads back here.
    above = folder.resolve()
    walked = {_identity(place): _below(place, root.resolve()) for place in (above, *above.parents)}
    waiting = [folder]
    while waiting:
        for entry in sorted(_entries(waiting.pop()), key=lambda entry: entry.name):
            path = Path(entry.path)
            reason = _reason(entry, walked, deep)
            if reason:
                left_out.append(f"{_below(path, root)}{reason}")
            elif entry.is_dir():
                walked[_identity(path)] = _below(path, root)
                waiting.append(path)
            else:
                files.append(path)
    return Walk(files=tuple(sorted(files)), left_out=tuple(sorted(left_out)))


def hidden_in(folder: Path, root: Path) -> list[str]:
    """What is hidden right in `folder`, named below the data folder, with the reason.

    Raises:
        UserError: the folder cannot be listed.
    """
    return sorted(f"{_below(Path(entry.path), root)}{_hidden(entry)}" for entry in _entries(folder) if is_hidden(entry.name))


def folders(folder: Path) -> tuple[str, ...]:
    """Names of the folders in `folder` that may hold data, sorted; none if there is no such folder.

    Raises:
        UserError: the folder cannot be listed.
    """
    if not folder.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in _entries(folder) if not is_hidden(entry.name) and _is(entry, "dir")))


def is_file(path: Path) -> bool:
    """Whether a name leads to a regular file; names that no file can have do not."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # longer than file systems take, or with a zero byte
        return False


def inside(root: Path, path: Path) -> bool:
    """Whether `path`, as it is spelled, lies in the data folder; links in the folder may lead elsewhere."""
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(root))


def in_hidden(root: Path, path: Path) -> bool:
    """Whether `path`, inside the data folder, is hidden there or lies in a hidden folder."""
    return any(is_hidden(part) for part in Path(os.path.abspath(path)).relative_to(os.path.abspath(root)).parts)


def left_out_notes(left_out: Iterable[str]) -> list[str]:
    """The note that tells of what is no data; none if there is nothing of the kind."""
    found = sorted(set(left_out))
    return [f"left out, as no data: {listing(found, 'entries')}"] if found else []


def _reason(entry: os.DirEntry[str], walked: dict[tuple[int, int], str], deep: bool) -> str:
    """Why an entry of a folder is no data, as it follows its name, or an empty string."""
    if is_hidden(entry.name):
        return _hidden(entry)
    if _is(entry, "dir"):
        first = walked.get(_identity(Path(entry.path)))
        if first is not None:
            return f"/ (a link to the folder {first}/, which is read already)"
        return "" if deep else "/ (a folder, where pictures are expected)"
    if _is(entry, "file"):
        return ""
    return " (a link that leads nowhere)" if entry.is_symlink() else " (no regular file)"


def _hidden(entry: os.DirEntry[str]) -> str:
    return "/ (hidden)" if _is(entry, "dir") else " (hidden)"


def _is(entry: os.DirEntry[str], kind: str) -> bool:
    try:
        return entry.is_dir() if kind == "dir" else entry.is_file()
    except OSError:  # a link to itself
        return False


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError as error:
        raise UserError(f"{folder} cannot be listed ({error.strerror}): give a folder that can be read") from None


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
