"""The systems of this task. Every one listed is held to the laws by the contract tests, and is known to `describe`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.task import System


def _gan_compression() -> System:
    from gan.compression.system import SYSTEM

    return SYSTEM


SYSTEMS: dict[str, Callable[[], System]] = {"gan-compression": _gan_compression}
"""Name -> a function that loads the system (with torch, which `--help` must not wait for)."""
