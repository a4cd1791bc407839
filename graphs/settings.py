"""Settings of graph data, options of a run on graphs. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

from common.errors import UserError
from common.options import RunOptions, without_default

CLASS = "or name a PyG data set, or a class of your own, as package.module:Class"
"""How data that lie in no folder are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which graph."""

    folder: str | None = None
    """A graph in an `.npz` file, or the folder of a Planetoid data set or of a PyG data set; none for the embedded graph."""
    name: str | None = None
    """Data set in the folder (Cora, CiteSeer, PubMed, or an `.npz` file), or a PyG data set by its import path,
    `package.module:Class`."""
    normalise: bool | None = None
    """Divide the features of every node by their sum; by default those of Planetoid data sets alone."""
    skip_bad: bool = False
    """A graph is one piece: no part of a graph can be left out."""

    def __post_init__(self) -> None:
        """Checks what can be asked for.

        Raises:
            UserError: damaged parts are to be left out.
        """
        if self.skip_bad:
            raise UserError("--skip-bad: a graph is one piece, nothing of it can be left out; fix the data instead")

    def check(self) -> None:
        """Refuses the name of a data set that lies nowhere, before anything heavy is imported.

        Raises:
            UserError: it needs a folder.
        """
        if self.folder is None and self.name is not None and ":" not in self.name:
            raise UserError(
                f"data set {self.name!r} needs the folder that holds it; without one there are the embedded digits (no name "
                f"either) and classes, such as torch_geometric.datasets:KarateClub: give a folder, {CLASS}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOptions(RunOptions):
    """Options of a run on graphs."""

    name: Annotated[str | None, without_default("NAME")] = None
    """Data set in the folder (Cora, CiteSeer, PubMed, or an .npz file), or one of PyG, or a class of your own in PyG's manner, by
    its import path, package.module:Class."""

    def change(self, settings: Any) -> Any:
        """See `RunOptions.change`."""
        return replace(settings, data=replace(settings.data, name=self.name))
