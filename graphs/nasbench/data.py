"""Planetoid graphs (Yang et al. 2016) as the benchmark has them: raw features, not scaled, and the public split.

`graphs.data.planetoid` divides them by their sum in every node, as is usual; the benchmark's training script does not.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from common.errors import UserError
from graphs.data.raw import check_raw
from graphs.geometric import read_planetoid_data
from graphs.nasbench.sparse import Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One graph with labelled nodes."""

    x: Raw
    """Features, shape (nodes, features)."""
    edges: Tensor
    """Shape (2, edges), each edge in both directions."""
    y: Tensor
    """Class of each node, shape (nodes,)."""
    classes: int
    """How many there are."""
    train: Tensor
    """Indices of the nodes trained on."""
    valid: Tensor
    """Indices of those that an epoch is chosen by."""
    test: Tensor
    """Indices of those that it is judged by."""


def planetoid(folder: Path, name: str) -> Graph:
    """A graph with its public split: 20 nodes of each class, 500 and 1,000 nodes.

    Args:
        folder: Holds `<name>/raw/ind.<name>.*`.
        name: `Cora`, `CiteSeer` or `PubMed`.

    Raises:
        UserError: The files are missing, damaged, or hold more than data.
    """
    raw = folder / name / "raw"
    if not raw.is_dir():
        raise UserError(f"no folder {raw}: give one that holds {name}/raw with the Planetoid files, or set TASKNAS_DATA")
    check_raw(raw, name)  # the reader below would run what a pickle names
    with warnings.catch_warnings():  # the files name a class by where scipy had it once
        warnings.filterwarnings("ignore", "Please import `csr_matrix`", DeprecationWarning)
        data = read_planetoid_data(str(raw), name)
    x, edges, y = data.x, data.edge_index, data.y
    assert isinstance(x, Tensor) and isinstance(edges, Tensor) and isinstance(y, Tensor)
    train, valid, test = (mask.nonzero().squeeze(1) for mask in (data.train_mask, data.val_mask, data.test_mask))
    return Graph(
        x=Raw.of(x),
        edges=edges,
        y=y,
        classes=int(y.max()) + 1,
        train=train,
        valid=valid,
        test=test,
    )
