"""Pictures of how well the nodes of a graph are classified: by class, and by how many neighbours a node has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from graphs.phases import right

BINS = (0, 1, 2, 3, 4, 6, 9, 17)
"""The least number of neighbours of every group of nodes."""
MOST_CLASSES = 20
"""With more, a confusion matrix cannot be read."""


def draw_results(
    scores: Float[Tensor, "m k"], labels: Tensor, degrees: Float[Tensor, " m"], classes: Sequence[str], folder: Path
) -> list[dict[str, str]]:
    """Writes `confusion.png` (where a node has one of at most twenty classes) and `degrees.png`.

    Args:
        scores: of the nodes.
        labels: of the nodes, as `NodeData` has them.
        degrees: neighbours of each.
        classes: names.
        folder: where to; made if needed.

    Returns:
        Rows of `file` and `caption`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    if not labels.is_floating_point() and len(classes) <= MOST_CLASSES:
        _confusion(scores, labels, classes).savefig(folder / "confusion.png", metadata={"Software": None})
        rows.append({"file": "confusion.png", "caption": "Test nodes: the class found (columns) for each true class (rows)"})
    _degrees(right(scores, labels), degrees).savefig(folder / "degrees.png", metadata={"Software": None})
    rows.append({"file": "degrees.png", "caption": "Test accuracy of nodes by their number of neighbours"})
    return rows


def _confusion(scores: Tensor, labels: Tensor, classes: Sequence[str]) -> Figure:
    from sklearn.metrics import confusion_matrix  # a second, which runs need not wait for before their last stage

    table = confusion_matrix(labels.numpy(), scores.argmax(1).numpy(), labels=range(len(classes)))
    shares = table / table.sum(1, keepdims=True).clip(1)
    figure = Figure(figsize=(4.6, 4.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(table.tolist()):
        for j, n in enumerate(row):
            axes.text(j, i, str(n), ha="center", va="center", fontsize=8, color="white" if shares[i, j] > 0.5 else "black")
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks(range(len(classes)), labels=[name[:12] for name in classes])
    axes.set_xlabel("found")
    axes.set_ylabel("true")
    return figure


def _degrees(hits: Tensor, degrees: Tensor) -> Figure:
    hits = hits.double() if hits.ndim == 1 else hits.double().mean(1)
    group = torch.bucketize(degrees.long(), torch.tensor(BINS[1:]), right=True)
    figure = Figure(figsize=(4.6, 4.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    names, heights, counts, errors = [], [], [], []
    for i, least in enumerate(BINS):
        own = hits[group == i]
        if len(own):
            last = BINS[i + 1] - 1 if i + 1 < len(BINS) else None
            names.append(f"{least}+" if last is None else str(least) if last == least else f"{least}-{last}")
            heights.append(float(own.mean()))
            errors.append(float((own.mean() * (1 - own.mean()) / len(own)).sqrt()))
            counts.append(len(own))
    axes.bar(range(len(names)), heights, yerr=errors, color="#1565c0", ecolor="#555555")
    for i, n in enumerate(counts):
        axes.text(i, 0.02, str(n), ha="center", color="white", fontsize=8)
    axes.set_xticks(range(len(names)), labels=names)
    axes.set_ylim(0, 1)
    axes.set_xlabel("neighbours (in the bars: nodes; whiskers: one standard error)")
    axes.set_ylabel("test accuracy")
    return figure
