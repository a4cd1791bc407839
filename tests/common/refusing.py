"""Command lines that must be refused, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest


def refused(call: Callable[[Sequence[str]], None], argv: Sequence[str], parts: Sequence[str], capsys) -> str:
    """The message with which `call` refuses `argv`: one line that has all `parts`, with exit status 2 and no other output."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        call(argv)
    assert stop.value.code == 2
    out, error = capsys.readouterr()
    assert out == "" and error.startswith("error: ") and error.count("\n") == 1, error
    for part in parts:
        assert part in error, error
    return error
