"""Arrays of an `.npz` file that a user brings: what it declares is compared with what it holds before memory is taken for it."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from common.data.damaged import NPZ_ERRORS


class BadNpz(Exception):
    """An archive cannot be read; the message is the reason, in a few words."""


class MissingArray(BadNpz):
    """An archive lacks an array; the message is its name."""


def read_npz(file: Path, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """Arrays of an archive; arrays of Python objects are refused, which could run code.

    Args:
        file: the archive.
        names: of the arrays; all by default.

    Raises:
        FileNotFoundError: there is no such file.
        MissingArray: an array is not there.
        BadNpz: the file is no archive of arrays, is cut off or altered, or declares arrays that it does not hold or that do not
            fit into memory.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            held = {info.filename.removesuffix(".npy"): info for info in archive.infolist() if info.filename.endswith(".npy")}
            if missing := [name for name in names or () if name not in held]:
                raise MissingArray(missing[0])
            chosen = {name: held[name] for name in (held if names is None else names)}
            _check_memory(chosen)
            return {name: _array(archive, name, info) for name, info in chosen.items()}
    except FileNotFoundError:
        raise
    except zipfile.BadZipFile as error:
        raise BadNpz(str(error)) from None
    except NPZ_ERRORS as error:
        raise BadNpz((str(error).splitlines() or [type(error).__name__])[0]) from None


def _check_memory(chosen: Mapping[str, zipfile.ZipInfo]) -> None:
    size, most = sum(info.file_size for info in chosen.values()), memory() // 2
    if size > most:
        raise BadNpz(f"its arrays take {size / 2**30:,.1f} GiB, and this machine has room for {most / 2**30:,.1f} GiB")


def memory() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _array(archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as stream:
        shape, dtype = _header(stream)
        if dtype.hasobject:
            raise BadNpz(f"array {name!r} holds Python objects; save it as numbers or texts")
        declared, held = math.prod(shape) * dtype.itemsize, info.file_size
        if min(shape, default=1) < 0 or declared > held or (dtype.itemsize == 0 and math.prod(shape) > held):
            raise BadNpz(f"array {name!r} declares {declared:,} bytes, and the file holds {held:,} for it")
    with archive.open(info) as stream:
        return npy.read_array(stream, allow_pickle=False)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(stream)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise BadNpz(f"numpy's format {version[0]}.{version[1]} is not known; write the file with numpy.savez")
    shape, _, dtype = readers[version](stream)
    return shape, dtype
