"""What is wrong with a folder of data, gathered so that one message tells of everything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from common.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SHOWN = 4  # problems told in words; the others are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Problems:
    """What is wrong with a data set.

    Attributes:
        fatal: only a repair of the files helps.
        skippable: leaving the named items out helps.
    """

    fatal: list[str] = field(default_factory=list)
    skippable: list[str] = field(default_factory=list)

    def report(self, folder: Path, *, skip: bool) -> None:
        """Raise if anything remains: always for fatal problems, for the skippable ones unless `skip`.

        Args:
            folder: the data set, to name it.
            skip: the user asked to have skippable problems left out.

        Raises:
            UserError: one line with the first few problems, the number of the others, and the remedy.
        """
        if self.fatal:
            raise UserError(f"{folder}: {listing(self.fatal)}; correct the files named")
        if self.skippable and not skip:
            raise UserError(
                f"{folder}: {listing(self.skippable)}; correct the files named, or pass --skip-bad to leave these out"
            )


def listing(problems: Sequence[str], what: str = "problems") -> str:
    """The first few in words, the others counted.

    Args:
        problems: a line each.
        what: they are, in the plural.
    """
    more = f"; ... and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    count = f"{len(problems)} {what}: " if len(problems) > 1 else ""
    return count + "; ".join(problems[:_SHOWN]) + more
