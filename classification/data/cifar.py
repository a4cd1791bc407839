"""CIFAR-10 and CIFAR-100 as A. Krizhevsky distributes them (2009): pickled batches and binary records.

The pickles hold dicts, lists, bytes and numpy arrays. Nothing else is unpickled, so a batch file cannot run code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.digits import SplitName
from common.data.pickles import DamagedPickle, ForbiddenPickle, read_pickle
from common.errors import UserError

_PIXELS = 3 * 32 * 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cifar:
    """One distribution, read.

    Attributes:
        classes: names in label order.
        images: of "train" and "test", uint8, shape (n, 3, 32, 32).
        labels: of "train" and "test", int64, shape (n,).
    """

    classes: tuple[str, ...]
    images: dict[SplitName, NDArray[np.uint8]]
    labels: dict[SplitName, NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a distribution is laid out.

    Attributes:
        folder: its usual name.
        train: files, in order.
        test: file.
        names: file with the class names.
        label: key of the labels in a pickle, or how many bytes precede a binary record's pixels; the last of them counts.
        names_key: key of the class names in a pickle.
    """

    folder: str
    train: tuple[str, ...]
    test: str
    names: str
    label: str | int
    names_key: str = ""

    def lies_in(self, path: Path) -> bool:
        """Whether `path` has any training file of this layout and its test file or names."""
        return any((path / file).is_file() for file in self.train) and any((path / f).is_file() for f in (self.test, self.names))


LAYOUTS = (
    Layout(
        folder="cifar-10-batches-py",
        train=tuple(f"data_batch_{i}" for i in range(1, 6)),
        test="test_batch",
        names="batches.meta",
        label="labels",
        names_key="label_names",
    ),
    Layout(
        folder="cifar-100-python", train=("train",), test="test", names="meta", label="fine_labels", names_key="fine_label_names"
    ),
    Layout(
        folder="cifar-10-batches-bin",
        train=tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
        test="test_batch.bin",
        names="batches.meta.txt",
        label=1,
    ),
    Layout(folder="cifar-100-binary", train=("train.bin",), test="test.bin", names="fine_label_names.txt", label=2),
)


def read_cifar(path: Path, layout: Layout) -> Cifar:
    """Read all files of a distribution and check them.

    Raises:
        UserError: a file is missing, cut off, damaged, holds anything but data, or has a label outside the classes.
    """
    for file in (*layout.train, layout.test, layout.names):
        if not (path / file).is_file():
            raise UserError(f"{path / file} is missing: {layout.folder} needs it; unpack the archive again")
    classes = _names(path / layout.names, layout)
    images: dict[SplitName, NDArray[np.uint8]] = {}
    labels: dict[SplitName, NDArray[np.int64]] = {}
    files: dict[SplitName, tuple[str, ...]] = {"train": layout.train, "test": (layout.test,)}
    for split, own in files.items():
        read = [_records(path / file, layout, len(classes)) for file in own]
        images[split] = np.concatenate([pixels for pixels, _ in read]).reshape(-1, 3, 32, 32)
        labels[split] = np.concatenate([found for _, found in read])
    return Cifar(classes=classes, images=images, labels=labels)


def _names(file: Path, layout: Layout) -> tuple[str, ...]:
    if not layout.names_key:
        return tuple(line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip())
    names = _unpickled(file).get(layout.names_key)
    if not isinstance(names, list) or not all(isinstance(name, bytes | str) for name in names):
        raise UserError(f"{file} has no list {layout.names_key!r} of class names: unpack the archive again")
    return tuple(name.decode(errors="replace") if isinstance(name, bytes) else name for name in names)


def _records(file: Path, layout: Layout, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels, shape (n, 3072), and labels of one file."""
    read = _binary(file, layout.label) if isinstance(layout.label, int) else _pickled(file, layout.label)
    pixels, labels = read
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        raise UserError(
            f"{file}: record {outside[0]} has label {labels[outside[0]]}, yet {layout.names} names {classes} classes "
            f"(labels 0 to {classes - 1}): unpack the archive again"
        )
    return pixels, labels


def _binary(file: Path, leading: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    data = np.fromfile(file, dtype=np.uint8)
    length = leading + _PIXELS
    if not len(data) or len(data) % length:
        raise UserError(
            f"{file} has {len(data):,} bytes, not a multiple of a record's {length:,}: it is cut off; unpack the archive again"
        )
    records = data.reshape(-1, length)
    return records[:, leading:], records[:, leading - 1].astype(np.int64)


def _pickled(file: Path, key: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    batch = _unpickled(file)
    pixels, labels = batch.get("data"), batch.get(key)
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != _PIXELS:
        raise UserError(f"{file}: 'data' is no uint8 array of shape (n, {_PIXELS}): unpack the archive again")
    if isinstance(labels, np.ndarray) and labels.ndim == 1 and labels.dtype.kind in "iu":
        labels = labels.tolist()
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise UserError(f"{file} has no list {key!r} of whole numbers: unpack the archive again")
    if len(labels) != len(pixels):
        raise UserError(f"{file} has {len(pixels)} images and {len(labels)} labels: unpack the archive again")
    # A label beyond 64 bits is outside the classes like any other.
    return pixels, np.array([label if -1 <= label < 1 << 62 else -1 for label in labels], dtype=np.int64)


def _unpickled(file: Path) -> dict[str, Any]:
    """The dict in a pickle, its keys as str."""
    try:
        found = read_pickle(file, "bytes")
    except ForbiddenPickle as error:
        raise UserError(
            f"{file} wants to load {error}: CIFAR's files hold arrays, lists and text only; do not trust it"
        ) from error
    except DamagedPickle as error:
        raise UserError(f"{file} is cut off or damaged ({error}): unpack the archive again") from error
    if not isinstance(found, dict):
        raise UserError(f"{file} holds a {type(found).__name__}, not a dict: unpack the archive again")
    named = {key.decode(errors="replace") if isinstance(key, bytes) else key: value for key, value in found.items()}
    return {key: value for key, value in named.items() if isinstance(key, str)}
