"""Names of files that stand in other files (lists, annotations): what they may be."""

from __future__ import annotations

import os

LONGEST = 255
"""Bytes of one part of a path, on the file systems in use."""


def broken_name(name: str) -> str:
    """Why a text cannot be the path of a file, in words; empty if it can (see `common.data.folder.inside` for where it leads)."""
    if not name.strip():
        return "is empty"
    if "\0" in name:
        return "holds a zero character"
    try:
        longest = max(len(os.fsencode(part)) for part in name.split("/"))
    except UnicodeEncodeError:
        return "holds half of a character"
    return f"has a part of {longest:,} bytes, {LONGEST} are the most" if longest > LONGEST else ""
