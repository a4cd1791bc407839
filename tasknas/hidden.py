"""Finds out whether a file of the user's hides one of this project's packages, such as a `common.py` beside their script.

Python looks for modules first in the folder of the script, or, with `python -m`, in the current folder. This module imports the
standard library alone: every other import could be the hidden one.
"""

from __future__ import annotations

import importlib.util
import os
import sys

BUILT_ON = {"binary": "classification"}
"""Package -> another one that it imports whenever it is imported."""
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def reason(name: str) -> str:
    """Says in one line which file hides the package `name`, and what to do; empty if none does.

    Args:
        name: a package that is installed beside this one.
    """
    spec = importlib.util.find_spec(name)
    if spec is None:
        return ""
    found = spec.origin or next(iter(spec.submodule_search_locations or ()), "")
    own = os.path.join(_ROOT, name)
    folder = os.path.dirname(found) if spec.origin else found
    if os.path.realpath(folder) == os.path.realpath(own):
        return reason(BUILT_ON[name]) if name in BUILT_ON else ""
    named = found if os.path.splitext(os.path.basename(found))[0] != "__init__" else folder
    return f"{named} hides the package {name} of tasknas ({os.path.join(own, '__init__.py')}): rename {named}"


def refuse(name: str) -> None:
    """Refuses to go on where a file of the user's hides the package `name`.

    Raises:
        ImportError: names both files.
        SystemExit: with status 2, and the same line on standard error, while `python -m` looks for its module: Python would
            print a traceback of its own there.
    """
    if line := reason(name):
        if sys.argv[:1] == ["-m"]:
            print(f"error: {line}", file=sys.stderr)
            raise SystemExit(2)
        raise ImportError(line, name=name)
