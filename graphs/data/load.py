"""What a command line names -> the data."""

from __future__ import annotations

from pathlib import Path

from common.errors import UserError
from graphs.data.digits import digits_graph
from graphs.data.library import library
from graphs.data.nodes import NodeData
from graphs.data.planetoid import found_in, planetoid
from graphs.data.raw import ORIGIN
from graphs.settings import DataSettings


def load(folder: str | Path | None = None, name: str | None = None) -> NodeData:
    """The embedded digits, a Planetoid data set or a class's; the same for every seed.

    Args:
        folder: of the files, or None.
        name: None with no folder for the digits; of a Planetoid data set in `folder`, such as Cora; or, with a colon, the import
            path of a class (see `library`, which imports and runs it and lets it write into `folder`).

    Raises:
        UserError: the combination means nothing, or the data cannot be used.
    """
    if name is not None and ":" in name:
        return library(name, folder)
    DataSettings(folder=None if folder is None else str(folder), name=name).check()
    if folder is None:
        return digits_graph()
    if name is None:
        names = found_in(Path(folder).expanduser())
        there = f"it has {', '.join(names)}" if names else f"it has no Planetoid data set (get one from {ORIGIN}, data/)"
        raise UserError(f"{folder}: a folder needs the name of a data set in it; {there}: name one")
    return planetoid(folder, name)
