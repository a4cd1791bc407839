"""A picture of what a search found, for architectures that are more than a chain of blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from common.arch import from_labels
from common.run.files import write_atomic
from common.space import Arch
from common.stages.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Leaves the result of the search in `drawing.svg`, which the report shows in place of its own drawing."""

    draw: Callable[[Arch], str]
    """Gives SVG text."""
    name: str = "drawing"

    def run(self, context: Context) -> dict[str, object]:
        """Draws it."""
        arch = from_labels(context.task.space, context.folder.result("search")["arch"], "search result")
        write_atomic(context.folder.path / "drawing.svg", self.draw(arch).encode())
        return {}
