"""Names of files that stand in other files (lists, annotations): what they may be."""

from __future__ import annotations

import os
from pathlib import PurePosixPath, PureWindowsPath

LONGEST = 255
"""Bytes of one part of a path, on the file systems in use."""


def broken_name(name: str) -> str:
    """Why a text cannot be the path of a file inside a data folder, in words; empty if it can."""
    if not name.strip():
        return "is empty"
    if "\0" in name:
        return "holds a zero character"
    path = PurePosixPath(name)
    if path.is_absolute() or PureWindowsPath(name).drive:
        return "is an absolute path; names are relative to the data folder"
    if ".." in path.parts:
        return "leaves the data folder (..)"
    try:
        longest = max(len(os.fsencode(part)) for part in path.parts)
    except UnicodeEncodeError:
        return "holds half of a character"
    except ValueError:
        return "names no file"
    return f"has a part of {longest:,} bytes, {LONGEST} are the most" if longest > LONGEST else ""
