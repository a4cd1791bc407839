"""A graph in an `.npz` file of the user's, in the form that `predict` takes, with labels and masks. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.npz import BadNpz, read_npz
from common.errors import UserError
from graphs.data.arrays import GraphSet, one_graph
from graphs.data.check import check, check_shape, numbered
from graphs.data.masks import completed

RULE = "give an .npz file with x (nodes, features) and edge_index (2, edges)"
TRAINED = (
    f"{RULE}, y (nodes,) with class numbers or (nodes, classes) with 0 and 1, and optionally train_mask, val_mask and test_mask "
    "(nodes,) and classes (names)"
)
MASKS = ("train_mask", "val_mask", "test_mask")
_USED = ("x", "edge_index", "y", *MASKS, "classes")


def own_graph(file: str | Path) -> GraphSet:
    """The graph of an `.npz` file as training, validation and test nodes.

    Arrays: `x`, numbers of shape (n, features); `edge_index`, whole numbers of shape (2, e), both directions of an undirected
    edge; `y`, class numbers of shape (n,), below 0 for nodes without a label, or 0 and 1 of shape (n, classes) where a node may
    have several; `train_mask`, `val_mask` and `test_mask` of shape (n,), which `graphs.data.masks.completed` makes where they
    are missing; `classes`, names in label order. Labels count only inside the masks. Other arrays are not used, which a note
    says.

    Raises:
        UserError: the file is missing or damaged, lacks an array, or the graph is unusable.
    """
    path = Path(file).expanduser()
    arrays = read_arrays(path, TRAINED)
    name = str(path)
    for key in ("x", "edge_index", "y"):
        if key not in arrays:
            raise UserError(f"{name}: {key} is missing; {TRAINED}")
    x, edge_index = features(arrays["x"], name), _whole(arrays["edge_index"], "edge_index", name)
    y = _labels(arrays["y"], name)
    check_shape(y, len(x), name, y.shape[1] if y.ndim == 2 else None)
    masks, notes = completed({key: _mask(arrays[key], key, len(x), name) for key in MASKS if key in arrays}, y, name)
    names = [str(label) for label in arrays["classes"].ravel().tolist()] if "classes" in arrays else []
    if len(set(names)) < len(names):
        raise UserError(f"{name}: classes holds a name twice; give every class a name of its own")
    classes, (y,), more = numbered([(y, np.any(masks, axis=0))], name, names)
    unused = [key for key in arrays if key not in _USED]
    if unused:
        more.append(f"{name}: {', '.join(unused)} {'is' if len(unused) == 1 else 'are'} not used")
    train, val, test = one_graph(x, edge_index, y, masks)
    found = GraphSet(
        name=name, classes=classes, train=(train,), val=(val,), test=(test,), multilabel=y.ndim == 2, notes=(*notes, *more)
    )
    return check(found)


def read_arrays(file: Path, rule: str) -> dict[str, NDArray[Any]]:
    """Every array of an `.npz` file, by name.

    Args:
        file: the file.
        rule: what to give, for the message.

    Raises:
        UserError: the file is missing, damaged, or no `.npz` file.
    """
    try:
        return read_npz(file)
    except FileNotFoundError:
        raise UserError(f"{file}: there is no such file; {rule}") from None
    except BadNpz as error:
        raise UserError(f"{file}: {error}; {rule}") from None


def features(given: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Numbers of any kind as float32.

    Raises:
        UserError: they are no numbers.
    """
    if given.dtype.kind not in "fiub":
        raise UserError(f"{name}: x is {given.dtype}: must be numbers; convert it to float32")
    with np.errstate(over="ignore"):  # what becomes infinite is refused with its place
        return np.ascontiguousarray(given, dtype=np.float32)


def _whole(given: NDArray[Any], key: str, name: str) -> NDArray[np.int64]:
    if given.dtype.kind not in "iu":
        raise UserError(f"{name}: {key} is {given.dtype}: must be whole numbers; convert it to int64")
    return given.astype(np.int64)


def _labels(given: NDArray[Any], name: str) -> NDArray[Any]:
    """Class numbers, int64 of shape (n,), or 0 and 1, float32 of shape (n, classes)."""
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim == 2 and given.dtype.kind in "fiub":
        return given.astype(np.float32)
    return _whole(given, "y", name)


def _mask(given: NDArray[Any], key: str, nodes: int, name: str) -> NDArray[np.bool_]:
    if given.shape != (nodes,):
        raise UserError(f"{name}: {key} has shape {given.shape}: must be ({nodes},), one value per node; correct it")
    if given.dtype.kind not in "biu" or not np.isin(given, (0, 1)).all():
        raise UserError(f"{name}: {key} is {given.dtype}: must be True and False, or 1 and 0; convert it to bool")
    return given.astype(bool)
