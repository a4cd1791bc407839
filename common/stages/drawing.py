"""A picture of what a search found, for architectures that are more than a chain of blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from common.run.files import write_atomic
from common.space import Arch
from common.stages.context import Context, Named


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Writes a picture of the found architecture to `drawing.svg`, which the report shows in place of its own drawing."""

    search: Named
    """Stage whose architecture is drawn."""
    draw: Callable[[Arch], str]
    """Gives SVG text."""
    name: str = "drawing"
    parallel: ClassVar[bool] = False

    def run(self, context: Context) -> dict[str, object]:
        """Draws it."""
        write_atomic(context.folder.path / "drawing.svg", self.draw(context.found(self.search)).encode())
        return {}
