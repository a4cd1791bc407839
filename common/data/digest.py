"""Digest of the content of a data set: the same data at another place have the same one, other data do not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from common.data.pictures import in_threads
from common.errors import UserError


def digest(files: Sequence[Path], marks: Iterable[bytes]) -> str:
    """The first 16 hexadecimal digits of a SHA-256 over the bytes of files, in their order, and over what else is data.

    Names and times of files do not count.

    Args:
        files: that hold the items; one may be named several times.
        marks: labels, annotations and the order of items.

    Raises:
        UserError: a file cannot be read.
    """
    each = list(dict.fromkeys(files))
    found = dict(zip(each, in_threads(_of_file, each), strict=True))
    total = hashlib.sha256(str(len(files)).encode())
    for file in files:
        total.update(found[file])
    for mark in marks:
        total.update(hashlib.sha256(mark).digest())
    return total.hexdigest()[:16]


def _of_file(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}); make it readable, or restore it") from None
