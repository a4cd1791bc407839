"""The command `data`: what a run would find in a data folder, before it is started. No torch here, unless pictures are drawn."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import tyro

from common.errors import UserError
from common.overrides import override

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

SHOWN = 16
"""Items that are drawn."""


class Data(Protocol):
    """What a task's reader gives, `TASK.data.load.load_data(settings)`."""

    def describe(self) -> dict[str, Any]:
        """The entry `data` of `config.json`."""
        ...

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Split -> class -> what there is of it."""
        ...

    def files(self) -> Mapping[str, Sequence[Path]]:
        """The picture files of each split."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LookOptions:
    """Options of `data`."""

    data: str | None = None
    """Data folder; none for the embedded data."""
    name: str | None = None
    """Graphs: the data set in the folder, or a class by its import path, package.module:Class."""
    skip_bad: bool = False
    """Leave damaged files out, and list them, instead of refusing the data."""
    set: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE")] = ()
    """Settings of the data by their names in config.json, e.g. data.size=64."""
    pictures: Annotated[str | None, tyro.conf.arg(metavar="OUT.png")] = None
    """Draw a few training items as networks see them into this PNG file."""


def data_command(task: str) -> Callable[[LookOptions], None]:
    """The command of a task package.

    Args:
        task: name of the package.
    """

    def data(options: LookOptions) -> None:
        """Look at data before a run: splits, classes, pictures, what is left out and why, as one JSON object; no training.

        What a run would refuse is refused with the same words.

        Args:
            options: which data.
        """
        settings = data_settings(task, options)
        target = None if options.pictures is None else _target(Path(options.pictures))
        if target is not None:
            _save(sheet(importlib.import_module(f"{task}.data.preview").preview(settings, SHOWN)), target)
        found: Data = importlib.import_module(f"{task}.data.load").load_data(settings)
        print(json.dumps(looked(task, found), indent=2))

    data.__annotations__ = {"options": LookOptions, "return": None}
    return data


def data_settings(task: str, options: LookOptions) -> Any:
    """The settings of data that a command line asks for.

    Raises:
        UserError: an option does not fit the task.
    """
    settings: Any = importlib.import_module(f"{task}.settings").DataSettings()
    if options.name is not None:
        if not any(field.name == "name" for field in fields(settings)):
            raise UserError(f"--name {options.name}: data of {task} are a folder and have no name; leave --name out")
        settings = replace(settings, name=options.name)
    settings = replace(settings, folder=options.data, skip_bad=options.skip_bad)
    return override(settings, [word.removeprefix("data.") for word in options.set])


def looked(task: str, found: Data) -> dict[str, Any]:
    """What is printed of data: what a run would write of them, the counts of classes, and what pictures there are."""
    from common.data.seen import seen

    files = found.files()
    pictures = {"pictures": seen(files)} if any(files.values()) else {}
    return {"task": task, **found.describe(), "counts": found.counts(), **pictures}


def sheet(items: Sequence[tuple[Image.Image, str]], columns: int = 4) -> Image.Image:
    """Pictures in a grid, each with a line of text below it.

    Args:
        items: pictures, at least one, and their lines.
        columns: of the grid.
    """
    from PIL import Image, ImageDraw

    width, height = (max(size) + 6 for size in zip(*(picture.size for picture, _ in items), strict=True))
    line = 16
    rows = -(-len(items) // columns)
    whole = Image.new("RGB", (min(columns, len(items)) * width, rows * (height + line)), "white")
    pen = ImageDraw.Draw(whole)
    for place, (picture, text) in enumerate(items):
        x, y = place % columns * width, place // columns * (height + line)
        whole.paste(picture, (x, y))
        pen.text((x + 2, y + picture.height + 2), text[: width // 6], fill="black")
    return whole


def _target(file: Path) -> Path:
    if file.suffix.lower() != ".png":
        raise UserError(f"--pictures {file} is no name of a PNG picture; give one that ends in .png")
    if file.is_dir() or not file.parent.is_dir():
        raise UserError(f"--pictures {file} cannot be written; give a file in a folder that exists")
    return file


def _save(picture: Image.Image, file: Path) -> None:
    try:
        picture.save(file)
    except OSError as error:
        raise UserError(f"--pictures {file} cannot be written ({error.strerror or error}); give another name") from None
