"""The command line of the project: `tasknas --help`, also `python -m tasknas --help`. No torch here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from common.script import check_command, spoken_errors
from tasknas.commands import PROGRAM, groups, help_text


def main(argv: Sequence[str] | None = None) -> None:
    """Runs one command line; bad input is one line on standard error and exit status 2.

    Args:
        argv: words after the program's name; those of this process by default.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    with spoken_errors():
        if words[:1] in ([], ["-h"], ["--help"]):
            print(help_text())
        elif words[0] == "--version":
            print(f"{PROGRAM} {installed_version()}")
        else:
            entries = {entry.name: entry for group in groups() for entry in group.entries}
            check_command(PROGRAM, words[0], entries)
            entries[words[0]].run(words)


def installed_version() -> str:
    """The version that is installed."""
    try:
        return version(PROGRAM)
    except PackageNotFoundError:
        return "(a source tree that is not installed)"


if __name__ == "__main__":
    main()
