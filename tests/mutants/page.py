"""The page of a mutation run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tests.mutants.changes import Mutant


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a mutant.

    Attributes:
        mutant: the change.
        fate: `killed`, `timeout` or `survived`.
        tests: how many tests reach its lines.
        seconds: the trial took.
    """

    mutant: Mutant
    fate: str
    tests: int = 0
    seconds: float = 0.0

    def row(self) -> dict[str, object]:
        """One line of a log, as JSON has it."""
        return {**asdict(self.mutant), "fate": self.fate, "tests": self.tests, "seconds": round(self.seconds, 1)}

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Outcome:
        """What `row` wrote."""
        mutant = Mutant(*(row[name] for name in ("file", "line", "start", "end", "before", "after")))
        return cls(mutant=mutant, fate=row["fate"], tests=row["tests"], seconds=row["seconds"])

    @property
    def package(self) -> str:
        """Part of the core that the mutant is in."""
        return Path(self.mutant.file).parts[1]


def page(outcomes: Sequence[Outcome], reasons: Mapping[Mutant, str], seed: int) -> str:
    """The page as Markdown.

    Args:
        outcomes: of all mutants that were tried.
        reasons: why no test notices a mutant.
        seed: of the sample.
    """
    seconds = sum(outcome.seconds for outcome in outcomes)
    packages = list(dict.fromkeys(outcome.package for outcome in outcomes))
    rows = []
    for package in packages:
        fates = Counter(outcome.fate for outcome in outcomes if outcome.package == package)
        total, *others = fates.total(), *(fates[fate] for fate in ("killed", "timeout", "survived"))
        rows.append(f"| `common/{package}` | {total} | {' | '.join(map(str, others))} | {fates['survived'] / total:.1%} |")
    left = [outcome.mutant for outcome in outcomes if outcome.fate == "survived"]
    survivors = [
        f"| `{_cell(m.file)}`, line {m.line} | `{_cell(m.before)}` | `{_cell(m.after)}` | {reasons.get(m, '')} |" for m in left
    ]
    return "\n".join(
        [
            "# Planted mistakes",
            "",
            "How many small mistakes in the core the tests notice. A mutant is one change of one place of one file: another",
            "comparison, a number one larger, a statement or an argument left out. The tests of its file and those that run its",
            "line run with each; a test that fails, or does not end, has noticed it. All of them pass without a mutant under the",
            "same conditions. A survivor's reason says why no test can notice it, or why none should.",
            "",
            f"`make mutants`, seed {seed}, {date.today()}, two CPU cores: {seconds / 3600:.1f} hours of one core.",
            "",
            "| package | mutants | noticed | no end | survived | share |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "## Survivors",
            "",
            *(["| place | before | after | reason |", "|---|---|---|---|", *survivors] if left else ["None."]),
            "",
        ]
    )


def _cell(text: str) -> str:
    return " ".join(text.split())[:80].replace("|", "\\|").replace("`", "'")
