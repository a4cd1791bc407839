"""The front door of the project: `from tasknas import ...` gives the public names of `common`, `tasknas --help` the commands.

A script beside a file `common.py` of its own imports that file as `common`. `import tasknas` then raises an `ImportError` that
names both files; from this package, imports are the project's or fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasknas import hidden

if TYPE_CHECKING:
    from common import *  # noqa: F403

hidden.refuse("common")


def __getattr__(name: str) -> Any:
    """A public name of `common`, imported at its first use: `import tasknas` loads no torch."""
    if name in _public():
        import common

        return getattr(common, name)
    raise AttributeError(f"module 'tasknas' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names of `common` besides those of this module."""
    return sorted({*globals(), *_public()})


def _public() -> list[str]:
    import common

    return list(getattr(common, "__all__", ()))
