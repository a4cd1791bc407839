"""The one exception that is meant for the person at the keyboard, how it shows values, and the check that raises it most."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable

LONGEST = 80
"""Characters of a value that a message shows."""
MOST = 2_000
"""Characters of a message; the middle of a longer one is left out."""


class UserError(Exception):
    """Bad input: the message names the file or value, the rule it breaks and the remedy, in one line.

    Command lines print the message and exit with status 2; a traceback is never shown for it. Line ends and other control
    characters of values in the message are escaped.
    """

    def __init__(self, message: object = "") -> None:
        """Makes one line of `message`."""
        text = one_line(str(message))
        half = MOST // 2
        super().__init__(text if len(text) <= MOST else f"{text[:half]} ... {text[-half:]}")


class NotExported(UserError):
    """A network cannot be written as ONNX; its weights are kept, and a run goes on to its report."""


def one_line(text: str) -> str:
    """A text in which characters that do not show, or that move the cursor, are escaped as Python does.

    >>> one_line("a\\tb" + chr(27) + "[2J")
    'a\\\\tb\\\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\xa0" else c.encode("unicode_escape").decode() for c in text)


def cut(text: str, most: int = LONGEST) -> str:
    """The first characters of a text, in one line, with `...` where there are more."""
    text = one_line(text[: most + 1])
    return text if len(text) <= most else f"{text[: most - 3]}..."


def shown(value: object) -> str:
    """A value as a message shows it: like `repr`, in one line of at most `LONGEST` characters.

    >>> shown("x" * 5_000) == "'" + "x" * 76 + "..."
    True
    """
    if isinstance(value, str):
        return cut(repr(value[:LONGEST]) if len(value) > LONGEST else repr(value))
    try:
        return cut(_short.repr(value))
    except (ValueError, RecursionError):  # a number of too many digits
        return f"a value of type {type(value).__name__}"


_short = reprlib.Repr()
_short.maxlevel, _short.maxlist, _short.maxtuple, _short.maxdict = 3, 8, 8, 8
_short.maxstring = _short.maxlong = _short.maxother = LONGEST


def check_least(settings: object, prefix: str, names: Iterable[str], least: int) -> None:
    """Refuses settings below `least`; `prefix` is the name of the settings they are part of, if any.

    Raises:
        UserError: names the setting as `--set` does.
    """
    at = f"{prefix}." if prefix else ""
    for name in names:
        if getattr(settings, name) < least:
            raise UserError(f"{at}{name}={getattr(settings, name)}: give {least} or more")
