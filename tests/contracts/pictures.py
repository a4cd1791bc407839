"""How each task of pictures reads a data folder, `predict` a file and `use.py` a file: what contract tests compare."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classification.data import classification_folder
from classification.export import write_use as classifying
from classification.facts import ClassificationFacts
from common.data.reader import Unusable
from detection.data import coco_folder
from detection.export import write_use as detecting
from detection.facts import DetectionFacts
from detection.heads import Postprocess
from gan.data import folder as translation_folder
from gan.data.images import squeezed
from gan.export import write_use as translating
from gan.facts import TranslationFacts
from segmentation.data import folder as segmentation_folder
from segmentation.export import write_use as segmenting
from segmentation.facts import SegmentationFacts
from superres.channels import apart
from superres.data import folder as superres_folder
from superres.export import write_use as write_upscaling
from superres.facts import SuperResFacts

SIDE = 64
Pixels = NDArray[np.uint8]
Seen = dict[str, Pixels]
SPLITS = ("train", "val", "test")


def colours(width: int = SIDE, height: int = SIDE) -> Pixels:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns * 255 // (width - 1), rows * 255 // (height - 1), (rows * 7 + columns) % 256], axis=2).astype(
        np.uint8
    )


@dataclass(frozen=True, kw_only=True)
class Task:
    """How a task reads a picture.

    Attributes:
        lay: (folder, (split, name) -> writes the picture there) makes a data set of that picture.
        read: the data set's folder, its side -> what training, validation and testing see of one picture.
        predict: file, (height, width) of the network -> what `predict` sees.
        script: folder, (height, width) -> writes `use.py`.
        tolerance: most by which the script may differ, of 255.
    """

    lay: Callable[[Path, Callable[[Path], None], tuple[int, int]], None]
    read: Callable[[Path, int], Seen]
    predict: Callable[[Path, tuple[int, int]], Pixels]
    script: Callable[[Path, tuple[int, int]], None]
    tolerance: int = 0


def lay_classes(root: Path, save: Callable[[Path], None], _: tuple[int, int]) -> None:
    for split in SPLITS:
        for label in "ab":
            save(root / split / label / f"{split}_{label}")


def read_classes(root: Path, side: int) -> Seen:
    data = classification_folder(root, size=side)
    return {split.name: split.images(split.labels[:1])[0].permute(1, 2, 0).numpy() for split in data.splits}


def lay_pairs(root: Path, save: Callable[[Path], None], size: tuple[int, int]) -> None:
    for split in SPLITS:
        save(root / split / split)
        (root / f"{split}annot").mkdir()
        values = np.arange(size[0] * size[1], dtype=np.uint8).reshape(size) % 2
        Image.fromarray(values).save(root / f"{split}annot" / f"{split}.png")
    (root / "classes.txt").write_text("a\nb\n")


def read_pairs(root: Path, side: int) -> Seen:
    return {split.name: split[0].image.permute(1, 2, 0).numpy() for split in segmentation_folder(root).splits}


def lay_coco(root: Path, save: Callable[[Path], None], size: tuple[int, int]) -> None:
    (root / "annotations").mkdir(parents=True)
    for split in SPLITS:
        save(root / "images" / split)
        name = next((root / "images").glob(f"{split}.*")).name
        image = {"id": 1, "file_name": name, "width": size[1], "height": size[0]}
        notes = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [4, 4, 20, 20]}]
        content = {"images": [image], "annotations": notes, "categories": [{"id": 1, "name": "x"}]}
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))


def read_coco(root: Path, side: int) -> Seen:
    data = coco_folder(root, size=(side, side))
    return {split.name: split[0].image.permute(1, 2, 0).numpy() for split in data.splits}


def lay_domains(root: Path, save: Callable[[Path], None], _: tuple[int, int]) -> None:
    for split in SPLITS:
        for domain in "AB":
            for i in range(2):
                save(root / f"{split}{domain}" / f"{split}{domain}{i}")


def read_domains(root: Path, side: int) -> Seen:
    data = translation_folder(root, size=side, val=None, direction="AtoB", skip_bad=False)
    return {split.name: split.inputs.at(0, side).permute(1, 2, 0).numpy() for split in data.splits}


def lay_large(root: Path, save: Callable[[Path], None], _: tuple[int, int]) -> None:
    for split in SPLITS:
        save(root / split / split)


def read_large(root: Path, side: int) -> Seen:
    data = superres_folder(root, scale=2, patch=32, val=None, skip_bad=False)
    return {split.name: split.pair(0)[1].permute(1, 2, 0).numpy() for split in data.splits}


def predict_classes(file: Path, size: tuple[int, int]) -> Pixels:
    facts = ClassificationFacts(classes=("a", "b"), image_size=size[0], mean=(0.5,) * 3, std=(1.0,) * 3)
    return facts.read(file).permute(1, 2, 0).numpy()


def predict_pairs(file: Path, size: tuple[int, int]) -> Pixels:
    return SegmentationFacts(classes=("a", "b"), palette=((0, 0, 0), (9, 9, 9)), size=size, limit=None).read(file)


def predict_coco(file: Path, size: tuple[int, int]) -> Pixels:
    return DetectionFacts(classes=("x",), canvas=size).read(file).image.permute(1, 2, 0).numpy()


def predict_domains(file: Path, size: tuple[int, int]) -> Pixels:
    return squeezed(TranslationFacts(size=size[0]).read(file), size[0]).transpose(1, 2, 0)


def predict_large(file: Path, size: tuple[int, int]) -> Pixels:
    facts = SuperResFacts(scale=2, patch=32)
    return np.asarray(apart(facts.read(file))[0])


def upscaling(folder: Path, _: tuple[int, int]) -> None:
    write_upscaling(folder, 2)


TASKS = {
    "classification": Task(
        lay=lay_classes,
        read=read_classes,
        predict=predict_classes,
        script=lambda folder, size: classifying(folder, size[0], ("a", "b")),
    ),
    "segmentation": Task(
        lay=lay_pairs,
        read=read_pairs,
        predict=predict_pairs,
        script=lambda folder, size: segmenting(folder, size, ("a", "b"), ((0, 0, 0), (9, 9, 9))),
    ),
    "detection": Task(
        lay=lay_coco,
        read=read_coco,
        predict=predict_coco,
        script=lambda folder, size: detecting(folder, size, ("x",), Postprocess()),
        tolerance=1,  # OpenCV's resize in training, Pillow's in the script
    ),
    "gan": Task(
        lay=lay_domains,
        read=read_domains,
        predict=predict_domains,
        script=lambda folder, size: translating(folder, size[0]),
    ),
    "superres": Task(lay=lay_large, read=read_large, predict=predict_large, script=upscaling),
}


def used(folder: Path, file: Path) -> Pixels:
    """What `use.py` gives the network of a file: its `read`, or the colours that `apart` gives, without onnxruntime."""
    names: dict = {"__name__": "use"}
    exec(compile((folder / "use.py").read_text(), "use.py", "exec", dont_inherit=True), names)
    try:
        if "apart" in names:
            return np.asarray(names["apart"](file)[0])
        given = names["read"](str(file))
    except names["Unusable"] as error:
        raise Unusable(*error.args) from None
    pixels = (given[0] if isinstance(given, tuple) else given)[0].transpose(1, 2, 0)
    return pixels if pixels.dtype == np.uint8 else np.round((pixels + 1) * 127.5).astype(np.uint8)


class Deep(Image.Image):
    """A picture that is saved as a PNG of 16 bits a colour, which Pillow reads and does not write."""

    def save(self, path: Path, **_: object) -> None:
        rows = b"".join(b"\0" + row.tobytes() for row in colours().astype(">u2") * 257)
        header = struct.pack(">IIBBBBB", *colours().shape[1::-1], 16, 2, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        parts = [struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks]
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def saver(image: Callable[[], Image.Image], suffix: str, **options: object) -> Callable[[Path], None]:
    def save(stem: Path) -> None:
        stem.parent.mkdir(parents=True, exist_ok=True)
        made = image()
        made.save(stem.with_name(f"{stem.name}.{suffix}"), exif=made.getexif(), **options)

    return save


def data_of(task: str, root: Path) -> Any:
    """The data set of a folder."""
    match task:
        case "classification":
            return classification_folder(root, size=SIDE)
        case "segmentation":
            return segmentation_folder(root)
        case "detection":
            return coco_folder(root)
        case "superres":
            return superres_folder(root, scale=2, patch=32, val=None, skip_bad=False)
        case _:
            return translation_folder(root, size=SIDE, val=None, direction="AtoB", skip_bad=False)
