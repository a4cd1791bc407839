"""The one exception that is meant for the person at the keyboard, and the most common check that raises it."""

from __future__ import annotations

from collections.abc import Iterable


class UserError(Exception):
    """Bad input: the message names the file or value, the rule it breaks and the remedy, in one line.

    Command lines print the message and exit with status 2; a traceback is never shown for it.
    """


class NotExported(UserError):
    """A network cannot be written as ONNX; its weights are kept, and a run goes on to its report."""


def check_least(settings: object, prefix: str, names: Iterable[str], least: int) -> None:
    """Refuses settings below `least`; `prefix` is the name of the settings they are part of, if any.

    Raises:
        UserError: names the setting as `--set` does.
    """
    at = f"{prefix}." if prefix else ""
    for name in names:
        if getattr(settings, name) < least:
            raise UserError(f"{at}{name}={getattr(settings, name)}: give {least} or more")
