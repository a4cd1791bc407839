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

COLOURS = 96
"""Of the palette: a picture has some dozens of kB."""
PANELS = ("mean", "10 % quantile: the unlucky", "90 % quantile: the lucky")


def curves(file: Path, title: str, unit: str, results: Mapping[str, NDArray[np.float64]]) -> None:
    """Draws mean and quantiles of (seeds, queries) values, a panel each, one colour for each name, into a PNG file."""
    figure = Figure(figsize=(13, 4.6), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(PANELS))
    ranges: list[list[float]] = [[] for _ in PANELS]
    for number, (name, values) in enumerate(results.items()):
        known = np.flatnonzero(~np.isnan(values).any(axis=0))  # a first result may cost more than one query
        if not len(known):
            continue
        colour = "black" if name.startswith("random") else f"C{(number - 1) % 10}"
        style = "--" if name.startswith("random") else "-" if number <= 10 else ":"
        lines = [values[:, known].mean(axis=0), *np.quantile(values[:, known], (0.1, 0.9), axis=0)]
        late = known >= values.shape[1] // 15  # the first queries would squeeze all that follows
        for panel, line, seen in zip(panels, lines, ranges, strict=True):
            panel.plot(known + 1, line, style, color=colour, label=name, linewidth=1.4)
            seen += (line[late] if late.any() else line).tolist()
    for panel, name, seen in zip(panels, PANELS, ranges, strict=True):
        if seen:
            margin = 0.03 * (max(seen) - min(seen)) or 1.0
            panel.set_ylim(min(seen) - margin, max(seen) + margin)
        panel.set_title(name, fontsize=10)
        panel.set_xlabel("queries")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel(f"result of the best so far [{unit}]")
    panels[0].legend(fontsize=7, loc="lower right")
    figure.suptitle(title)
    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png")
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(small, format="png", optimize=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, small.getvalue())
