"""Kernels that a C++ compiler makes of packed.cpp, once for each compiler and processor.

The library lies in the folder of torch's own extensions. Its name has a digest of the source, of the compiler and of the
instructions of the processor: a folder that machines share has one for each kind of them.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from torch import Tensor

from binary.packed.processor import Sizes
from common.errors import UserError

COMPILERS = ("c++", "g++", "clang++")
"""Commands that are looked for where the environment variable CXX names none."""
FLAGS = ("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-Wno-psabi")
SOURCE = Path(__file__).with_name("packed.cpp")
REMEDY = "give kernel='numba', which needs no compiler"


class Compiled:
    """The two loops; see `binary.packed.processor.Kernels`."""

    def __init__(self, library: Path) -> None:
        """Loads a library that `build` has made."""
        loaded = ctypes.CDLL(str(library))
        array, number = ctypes.c_void_p, ctypes.c_int64
        self._pack, self._convolve = loaded.tasknas_pack, loaded.tasknas_convolve
        self._pack.argtypes = [array, array, ctypes.c_float, array, array, number, number]
        self._convolve.argtypes = [array, array, array, array, ctypes.c_float, array, array, number, number]
        self._pack.restype = self._convolve.restype = None

    def pack(
        self,
        x: Tensor,
        shift: Tensor,
        level: float,
        packed: Tensor,
        padding: tuple[int, int],
        group_channels: int,
        groups: int,
        repeats: int,
        first: int,
        last: int,
    ) -> None:
        """Packs rows `first` to `last` of the input."""
        output, lanes, pairs = (0,) * 3, (0,) * 3, (0, 0, 0, 0, *padding, 0, 0)
        sizes = _sizes(*packed.shape[1:], *output, x.shape[3], groups, group_channels, repeats, *lanes, *pairs, 0, 0)
        self._pack(x.data_ptr(), shift.data_ptr(), level, packed.data_ptr(), sizes, first, last)

    def convolve(
        self,
        packed: Tensor,
        lanes: Tensor,
        base: Tensor,
        corrections: Tensor,
        scale: float,
        out: Tensor,
        geometry: Sizes,
        first: int,
        last: int,
    ) -> None:
        """Computes output pixels `first` to `last`."""
        *pairs, group_channels, across = geometry
        sides = [side for pair in pairs for side in pair]
        channels = 0, 0, group_channels, 0  # what only `pack` reads
        sizes = _sizes(*packed.shape[1:], *out.shape[1:], *channels, *lanes.shape[:3], *sides, across, len(corrections))
        self._convolve(
            packed.data_ptr(),
            lanes.data_ptr(),
            base.data_ptr(),
            corrections.data_ptr(),
            scale,
            out.data_ptr(),
            sizes,
            first,
            last,
        )


def _sizes(*values: int) -> ctypes.Array[ctypes.c_int64]:
    """`Sizes` of packed.cpp."""
    return (ctypes.c_int64 * len(values))(*values)


@functools.cache
def compiled() -> Compiled:
    """The kernels, compiled where they were not before: a few seconds.

    Raises:
        UserError: there is no C++ compiler, or it fails.
    """
    return Compiled(build())


def build() -> Path:
    """The library, compiled where it is not there yet.

    Raises:
        UserError: there is no C++ compiler, or it fails.
    """
    compiler = _compiler()
    macros = _output([compiler, *FLAGS[:3], "-dM", "-E", "-x", "c++", os.devnull])  # tell its version and the instructions
    digest = hashlib.sha256("\n".join([*FLAGS, macros, SOURCE.read_text(encoding="utf-8")]).encode()).hexdigest()[:16]
    library = folder() / f"tasknas_packed_{digest}" / "packed.so"
    if library.is_file():
        return library
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as beside:
            made = Path(beside, library.name)
            _output([compiler, *FLAGS, str(SOURCE), "-o", str(made)])
            made.replace(library)  # of two processes that compile at once, neither loads half a file
    except OSError as error:
        raise UserError(f"{library}: kernel='compiled' cannot write it ({error.strerror}); set TORCH_EXTENSIONS_DIR") from error
    return library


def folder() -> Path:
    """Where torch keeps extensions: TORCH_EXTENSIONS_DIR, or a folder of the user's cache."""
    named = os.environ.get("TORCH_EXTENSIONS_DIR")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "torch_extensions"


def _compiler() -> str:
    named = os.environ.get("CXX")
    found = next(filter(None, map(shutil.which, [named] if named else COMPILERS)), None)
    if found is None:
        missing = f"CXX names {named}, which is no command here" if named else f"none of {', '.join(COMPILERS)} is here"
        raise UserError(f"kernel='compiled' needs a C++ compiler, and {missing}; install one, or {REMEDY}")
    return found


def _output(command: list[str]) -> str:
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        said = next((line for line in run.stderr.splitlines() if "error" in line), f"status {run.returncode}")
        raise UserError(f"kernel='compiled': {command[0]} fails ({said.strip()}); {REMEDY}")
    return run.stdout
