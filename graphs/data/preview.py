"""Graphs are not drawn: their nodes have no place. No torch here."""

from __future__ import annotations

from typing import NoReturn

from common.errors import UserError
from graphs.settings import DataSettings


def preview(settings: DataSettings, count: int) -> NoReturn:
    """Refused.

    Raises:
        UserError: always.
    """
    raise UserError("--pictures: a graph has no pictures; leave --pictures out")
