"""Write a run's `report.html`."""

from __future__ import annotations

from pathlib import Path


def write_report(folder_path: Path) -> Path:
    """Make `report.html` in run folder `folder_path` from the folder's files alone, and return its path.

    Works for a run of any task at any point: what has not been made yet is said to be missing. The same files give the
    same bytes. The file refers to nothing outside itself.

    Raises:
        UserError: the folder is no run folder, or cannot be written.
    """
    from common.run.files import write_atomic
    from common.run.report.page import render  # matplotlib, jinja: only when a report is made

    target = Path(folder_path) / "report.html"
    write_atomic(target, render(Path(folder_path)).encode("utf-8"))
    return target
