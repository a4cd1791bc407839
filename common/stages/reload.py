"""A run folder read again: its settings, and what it remembers of its data."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from common.errors import UserError
from common.run.files import read_json
from common.script import from_plain

S = TypeVar("S")
F = TypeVar("F")


def read_run(run: Path, settings: type[S], facts: type[F]) -> tuple[S, F]:
    """What `config.json` of the folder `run` says.

    Args:
        run: the folder.
        settings: dataclass of the system's settings.
        facts: dataclass; each field is the entry of that name that the task's data wrote.

    Raises:
        UserError: the file is missing, or not one of this system's.
    """
    path = run / "config.json"
    config = read_json(path)
    chosen: S = from_plain(settings, config.get("settings"), f"{path}: settings")
    data = config.get("data")
    if not isinstance(data, dict):
        raise UserError(f"{path}: says nothing about its data; give a folder that a train script wrote")
    names: list[Any] = [field.name for field in fields(facts)]  # pyright: ignore[reportArgumentType]
    kept: F = from_plain(facts, {name: data.get(name) for name in names}, f"{path}: data")
    return chosen, kept
