"""The JSON-lines files of a run, for tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def rows(path: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file of the run `path`, wall-clock seconds apart."""
    lines = (path / f"{name}.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]


def lines(path: Path, name: str, n: int) -> Callable[[], bool]:
    """Whether the run has written `n` lines of a file."""
    file = path / f"{name}.jsonl"
    return lambda: file.exists() and file.read_bytes().count(b"\n") >= n
