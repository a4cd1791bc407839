"""What a command line names -> the data. No torch here, until a class is named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import UserError
from graphs.data.arrays import GraphSet
from graphs.data.digits import digits
from graphs.data.own import own_graph
from graphs.data.planetoid import found_in, planetoid
from graphs.data.raw import ORIGIN
from graphs.data.scale import normalised
from graphs.settings import CLASS, DataSettings

if TYPE_CHECKING:
    from graphs.data.nodes import NodeData


def load(folder: str | Path | None = None, name: str | None = None, normalise: bool | None = None) -> NodeData:
    """See `read`; as tensors."""
    from graphs.data.nodes import NodeData

    return NodeData.of(read(folder, name, normalise))


def load_data(settings: DataSettings) -> GraphSet:
    """The data of a run; see `read`.

    Raises:
        UserError: the data cannot be used.
    """
    return read(settings.folder, settings.name, settings.normalise)


def read(folder: str | Path | None = None, name: str | None = None, normalise: bool | None = None) -> GraphSet:
    """The embedded digits, a graph in an `.npz` file, a Planetoid data set or a class's; the same for every seed.

    Args:
        folder: of the files, or an `.npz` file, or None.
        name: None with no folder for the digits; of a Planetoid data set (such as Cora) or of an `.npz` file in `folder`; or,
            with a colon, the import path of a class (see `library`, which imports and runs it and lets it write into `folder`).
        normalise: whether the features of every node are divided by their sum; by default those of Planetoid data sets alone.

    Raises:
        UserError: the combination means nothing, or the data cannot be used.
    """
    found, usual = _read(None if folder is None else Path(folder).expanduser(), name)
    wanted = usual if normalise is None else normalise
    if wanted:
        found = normalised(found)
    elif not usual and normalise is None and folder is None and name is None:
        return found  # the notes of embedded data say what their features are
    said = "divided by their sum in every node" if wanted else "taken as they are"
    other = "false takes them as they are" if wanted else "true divides them by their sum in every node"
    return found.noted(f"{found.name}: features are {said} (data.normalise={other})")


def _read(folder: Path | None, name: str | None) -> tuple[GraphSet, bool]:
    """The data, and whether their features are usually normalised."""
    if name is not None and ":" in name:
        from graphs.data.library import library

        return library(name, folder).arrays, False
    DataSettings(folder=None if folder is None else str(folder), name=name).check()
    if folder is None:
        return digits(), False
    file = folder if folder.suffix == ".npz" and not folder.is_dir() else None
    if file is not None and name is not None:
        raise UserError(f"{file} is one graph, and --name {name} is a second name for it: leave --name out")
    if file is None and name is not None and name.endswith(".npz"):
        file = folder / name
    if file is not None:
        return own_graph(file), False
    if name is None:
        raise UserError(f"{folder}: a folder needs the name of a data set in it; {_there(folder)}: name one, {CLASS}")
    return planetoid(folder, name), True


def _there(folder: Path) -> str:
    names = [*found_in(folder), *sorted(path.name for path in folder.glob("*.npz"))]
    if names:
        return f"it has {', '.join(names)}"
    return f"it has no Planetoid data set (get one from {ORIGIN}, data/) and no graph in an .npz file"
