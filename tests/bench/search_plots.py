"""Curves by number of queries, as small pictures."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from common.run.files import write_atomic

COLOURS = 64
"""Of the palette: enough for lines and bands, and a picture of a few dozen kB."""


def curves(file: Path, title: str, unit: str, results: Mapping[str, NDArray[np.float64]]) -> None:
    """Draws mean and 10-90 % band of (seeds, queries) values, one colour for each name, into a PNG file."""
    figure = Figure(figsize=(9, 5.5), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    bottoms, tops = [], []
    for number, (name, values) in enumerate(results.items()):
        known = np.flatnonzero(~np.isnan(values).any(axis=0))  # a first result may cost more than one query
        if not len(known):
            continue
        low, high = np.quantile(values[:, known], (0.1, 0.9), axis=0)
        mean = values[:, known].mean(axis=0)
        style = "--" if name.startswith("random") else "-" if number < 10 else ":"
        axes.plot(known + 1, mean, style, color=f"C{number % 10}", label=name, linewidth=1.6)
        axes.fill_between(known + 1, low, high, color=f"C{number % 10}", alpha=0.10, linewidth=0)
        late = known >= values.shape[1] // 15  # the first queries would squeeze all that follows
        bottoms.append(low[late].min() if late.any() else low.min())
        tops.append(high.max())
    if bottoms:
        margin = 0.03 * (max(tops) - min(bottoms)) or 1.0
        axes.set_ylim(min(bottoms) - margin, max(tops) + margin)
    axes.set_xlabel("queries")
    axes.set_ylabel(f"result of the best so far [{unit}]")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png")
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(small, format="png", optimize=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, small.getvalue())
