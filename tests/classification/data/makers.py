"""Small data sets in every layout, as the distributors write them."""

import io
import pickle
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

CIFAR10 = [f"data_batch_{i}" for i in range(1, 6)]
NAMES10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def records(count, classes=10, seed=0):
    """Pixels, shape (count, 3072), and labels that go round the classes."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 3072), dtype=np.uint8), [i % classes for i in range(count)]


class _Python2(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings, which is how CIFAR's files were made."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        self.write(b"T" + len(value).to_bytes(4, "little") + value)
        self.memoize(value)

    dispatch[bytes] = save_bytes


def python2_pickle(value) -> bytes:
    out = io.BytesIO()
    _Python2(out, protocol=2).dump(value)
    return out.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")


def dump(value, how) -> bytes:
    return python2_pickle(value) if how == "python2" else pickle.dumps(value, protocol=how)


def cifar10_pickles(folder: Path, how="python2", per_file=20) -> Path:
    folder.mkdir(parents=True)
    for i, name in enumerate([*CIFAR10, "test_batch"]):
        pixels, labels = records(per_file, seed=i)
        (folder / name).write_bytes(dump({b"data": pixels, b"labels": labels, b"batch_label": b"x"}, how))
    (folder / "batches.meta").write_bytes(dump({b"label_names": [name.encode() for name in NAMES10], b"num_vis": 3072}, how))
    return folder


def cifar100_pickles(folder: Path, classes=4) -> Path:
    folder.mkdir(parents=True)
    for i, (name, count) in enumerate((("train", 24), ("test", 8))):
        pixels, labels = records(count, classes, seed=i)
        batch = {b"data": pixels, b"fine_labels": labels, b"coarse_labels": [label // 2 for label in labels]}
        (folder / name).write_bytes(python2_pickle(batch))
    meta = {b"fine_label_names": [f"fine{i}".encode() for i in range(classes)], b"coarse_label_names": [b"a", b"b"]}
    (folder / "meta").write_bytes(python2_pickle(meta))
    return folder


def cifar10_bins(folder: Path, per_file=20) -> Path:
    folder.mkdir(parents=True)
    for i, name in enumerate([*CIFAR10, "test_batch"]):
        pixels, labels = records(per_file, seed=i)
        np.concatenate([np.array(labels, np.uint8)[:, None], pixels], axis=1).tofile(folder / f"{name}.bin")
    (folder / "batches.meta.txt").write_text("\n".join(NAMES10) + "\n\n")
    return folder


def archive_arrays(counts=None, classes=("cat", "dog")) -> dict:
    """The arrays of a small npz, and the pictures that went in, under `<split>_pictures`."""
    arrays = {"classes": np.array(classes)}
    for seed, (split, count) in enumerate((counts or {"train": 8, "val": 4, "test": 6}).items()):
        pictures = np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        files = []
        for picture in pictures:
            out = io.BytesIO()
            Image.fromarray(picture).save(out, "WEBP", lossless=True)
            files.append(np.frombuffer(out.getvalue(), np.uint8))
        arrays[f"{split}_pictures"] = pictures
        arrays[f"{split}_bytes"] = np.concatenate(files)
        arrays[f"{split}_offsets"] = np.cumsum([0, *(len(file) for file in files)]).astype(np.int32)
        arrays[f"{split}_labels"] = (np.arange(count) % len(classes)).astype(np.uint8)
    return arrays


def write_archive(folder: Path, arrays: dict) -> Path:
    folder.mkdir(exist_ok=True)
    np.savez(folder / "cifar10_webp.npz", **{key: value for key, value in arrays.items() if not key.endswith("_pictures")})
    return folder


def image_tree(root: Path, splits=("train", "val", "test"), classes=("cat", "dog", "owl"), count=6, side=20) -> Path:
    """Folders of PNG, JPEG and WebP files; an empty name in `splits` stands for class folders alone."""
    for seed, split in enumerate(splits):
        rng = np.random.default_rng(seed)
        for label in classes:
            (root / split / label).mkdir(parents=True)
            for i in range(count):
                suffix = ("png", "jpg", "webp")[i % 3]
                pixels = rng.integers(0, 256, (side + 4, side, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / label / f"{i}.{suffix}")
    return root
