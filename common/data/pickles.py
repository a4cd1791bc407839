"""Pickles that users bring (Planetoid, CIFAR), opened so that no code runs and a few bytes take no memory.

The unpickler rebuilds arrays of numbers and Python's plain containers, and refuses every other name. Before that the operations
of the pickle are read without running them: an index of the memo beyond the file's size would allocate gigabytes, and tuples
nested a million deep would end the process when they are hashed.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

MOST_TUPLES = 10_000
"""Tuples and frozen sets in a pickle; an array needs about five."""

_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_NESTED = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET"}


class ForbiddenPickle(Exception):
    """A pickle asks for something that is no data; the message names it."""


class DamagedPickle(Exception):
    """A pickle cannot be read; the message is the reason, in a few words."""


def read_pickle(file: Path, encoding: str, more: Mapping[tuple[str, str], Any] | None = None) -> object:
    """What a pickle holds.

    Args:
        file: the pickle.
        encoding: of texts that Python 2 wrote; see `pickle.load`.
        more: names that it may ask for besides arrays, (module, name) -> what is called.

    Raises:
        ForbiddenPickle: it asks for any other name.
        DamagedPickle: it is cut off, altered, or breaks a limit.
    """
    try:
        data = file.read_bytes()
        _check(data)
        return _DataOnly(data, encoding, {**_ARRAYS, **(more or {})}).load()
    except (ForbiddenPickle, DamagedPickle):
        raise
    # Damaged pickles raise nearly anything; the documentation of `pickle` promises no list.
    except Exception as error:
        raise DamagedPickle(type(error).__name__) from error


def _check(data: bytes) -> None:
    nested = 0
    for operation, argument, _ in pickletools.genops(io.BytesIO(data)):
        if operation.name in _PUTS and isinstance(argument, int) and not 0 <= argument <= len(data):
            raise DamagedPickle(f"memo index {argument:,} in a file of {len(data):,} bytes")
        nested += operation.name in _NESTED
        if nested > MOST_TUPLES:
            raise DamagedPickle(f"more than {MOST_TUPLES:,} tuples")


class _DataOnly(pickle.Unpickler):
    def __init__(self, data: bytes, encoding: str, allowed: Mapping[tuple[str, str], Any]) -> None:
        super().__init__(io.BytesIO(data), encoding=encoding)
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle may call."""
        if (module, name) not in self._allowed:
            raise ForbiddenPickle(f"{module}.{name}")
        return self._allowed[module, name]


def _text(value: object) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


def _dtype(*arguments: object) -> np.dtype[Any]:
    """numpy.dtype of numbers alone: no objects, no records."""
    made = np.dtype(_text(arguments[0]))
    if made.kind not in "biuf":
        raise ForbiddenPickle(f"an array of {made}")
    # A copy, as pickles set the state of what they get.
    return np.dtype(made, copy=True)


def _encode(value: str, encoding: object) -> bytes:
    """How Python 3 writes bytes in old pickle protocols."""
    if _text(encoding) != "latin1":
        raise ForbiddenPickle(f"the codec {_text(encoding)}")
    return value.encode("latin1")


def _empty(*_: object) -> np.ndarray[Any, Any]:
    """An array before its state is set, which has its shape and its bytes: pickles give shape (0,) here, files may lie."""
    return np.empty(0, dtype=np.int8)


# Numpy keeps moving this one; an array says where it is.
_FROM_BUFFER = np.empty(1, dtype=np.uint8).__reduce_ex__(5)[0]
_ARRAYS: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): None,  # an argument of `_reconstruct`; it cannot be called
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _empty for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _FROM_BUFFER for core in ("core", "_core")},
}
