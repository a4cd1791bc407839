"""Several runs side by side, as text."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from common.errors import UserError, cut, one_line
from common.run.digests import damaged_weights
from common.run.report.figures import best_so_far
from common.run.report.findings import Axis, Team, axis, split, teams
from common.run.report.load import Run, read_run
from common.run.report.text import DASH, duration, mean_sd, number

NOTE = 300
"""Characters of a note."""


def compare(folders: Sequence[Path]) -> str:
    """A table with one line a run: its best trial, then what was retrained as mean ± sd over (n) seeds or networks.

    Runs of unlike objectives may be mixed; each line names its own. Below the table stands a note for each damaged file.

    Raises:
        UserError: no folder is given, or one is no run folder.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not folders:
        raise UserError("compare: no run folder given; name at least one")
    runs = [read_run(Path(folder)) for folder in folders]
    columns = (
        "run", "system", "recipe", "seed", "metric", "trials", "search", "random search",
        "retrained on", "searched", "random", "baseline", "cost", "time",
    )  # fmt: skip
    table = Table(*columns, box=box.SIMPLE, pad_edge=False)
    for run in runs:
        name, *cells = _cells(run)
        table.add_row(one_line(name), *map(cut, cells))
    buffer = StringIO()
    Console(file=buffer, width=1000, color_system=None, force_terminal=False, emoji=False).print(table, markup=False)
    lines = [line.rstrip() for line in buffer.getvalue().splitlines()]
    notes = [f"note: {folder}: {cut(fault, NOTE)}" for folder, run in zip(folders, runs, strict=True) for fault in run.damage]
    notes += [f"note: {one_line(fault)}" for folder in folders for fault in damaged_weights(Path(folder))]
    return "\n".join([*(line for line in lines if line), *notes]) + "\n"


def _cells(run: Run) -> list[str]:
    known = axis(run)
    config = run.config
    head = [run.path.resolve().name, config.system, config.recipe, config.seed]
    time = duration(sum(stage.seconds for stage in run.stages)) if run.stages else DASH
    if known is None:
        return [*head, DASH, str(len(run.trials)), *[DASH] * 7, time]
    sides = teams(run, known)
    mine = next((side for side in sides if side.kind == "searched" and side.cost is not None), None)
    cost = f"{number(mine.cost)} {known.cost.unit or known.cost.name}" if mine and known.cost else DASH
    cells = [
        *head,
        known.score.name,
        str(len(run.trials)),
        _best(run, known, of_random=False),
        _best(run, known, of_random=True),
        split(run, known.score.name) or DASH,
        *(_of(sides, kind) for kind in ("searched", "random", "baseline")),
        cost,
        time,
    ]
    return cells


def _best(run: Run, known: Axis, *, of_random: bool) -> str:
    rows = run.random if of_random else run.trials
    curve = best_so_far([known.score_of(trial) for trial in rows], known.score.maximise)
    return number(curve[-1]) if curve else DASH


def _of(sides: Sequence[Team], kind: str) -> str:
    told = [(side.label, f"{mean_sd(side.summary)} ({side.summary.n})") for side in sides if side.kind == kind]
    if len(told) == 1:
        return told[0][1]
    return "; ".join(f"{label.removesuffix(f' ({kind})')}: {text}" for label, text in told) or DASH
