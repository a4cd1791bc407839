"""The command that started this process, as it can be typed again. No torch here."""

from __future__ import annotations

import os
import shlex
import shutil
import sys

SCRIPT = "tasknas"
"""Name of the console script."""


def typed() -> list[str]:
    """Words that start this process again from the current folder.

    The system starts the console script with Python's path and the script's; what was typed is the script alone. A path
    below the current folder is shortened, and so is that of a console script that the shell finds by its name.
    """
    words, script = list(sys.orig_argv), sys.argv[0]
    if os.path.basename(script) == SCRIPT and script in words:
        words = words[words.index(script) :]
        found = shutil.which(SCRIPT)
        if found is not None and os.path.exists(script) and os.path.samefile(found, script):
            words[0] = SCRIPT
    if os.path.isabs(words[0]) and words[0].startswith(os.getcwd() + os.sep):
        words[0] = os.path.relpath(words[0])
    return words


def portable() -> str:
    """The command without the folders of this machine's programs: `tasknas ...` or `python ...`."""
    first, *others = typed()
    return shlex.join([SCRIPT if os.path.basename(first) == SCRIPT else "python", *others])
