"""Optional packages: which ones an extra of this project installs, which of them are missing, and how to install them.

pyproject.toml is the one list of extras. A source tree has the file itself, an installed project has its lines as metadata. The
extra of a task package has the name of the package; `export` is that of the ONNX export.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from common.errors import UserError

IMPORTED_AS = {"mmcv-lite": "mmcv", "mmsegmentation": "mmseg"}
"""Distribution -> its import name, for those whose import name is not their own with underscores."""


class MissingPackages(UserError):
    """Packages of an extra are not installed; the message has the command that installs them."""


def missing_packages(extra: str, names: Sequence[str]) -> MissingPackages:
    """The error for `names`, which `extra` installs.

    Args:
        extra: name of the extra; also what needs the packages, in the message.
        names: the packages that are not installed.
    """
    needs = "needs it" if len(names) == 1 else "needs them"
    return MissingPackages(f"{', '.join(names)} not installed: {extra} {needs}; run pip install 'tasknas[{extra}]'")


def modules_of(extra: str) -> tuple[str, ...]:
    """Import names of the packages that `extra` installs; none for an extra that does not exist."""
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in _requirements().get(extra, ())]
    return tuple(IMPORTED_AS.get(name, name.replace("-", "_")) for name in names)


@functools.cache
def _requirements() -> Mapping[str, Sequence[str]]:
    """Extra -> its requirements, as pip reads them."""
    import importlib.metadata  # these two only where extras are looked up: a `--help` has no use for them
    import tomllib

    source = Path(__file__).parents[1] / "pyproject.toml"
    if source.is_file():
        extras: dict[str, list[str]] = tomllib.loads(source.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
        return extras
    found: dict[str, list[str]] = {}
    for line in importlib.metadata.requires("tasknas") or []:
        if marker := re.search(r"""\bextra == ['"]([^'"]+)['"]""", line):
            found.setdefault(marker[1], []).append(line)
    return found


def missing(extra: str) -> list[str]:
    """Import names of the packages of `extra` that are not installed; nothing is imported."""
    return [name for name in modules_of(extra) if importlib.util.find_spec(name) is None]


def require(extra: str) -> None:
    """Checks that every package of `extra` is installed.

    Raises:
        MissingPackages: names the packages that are not, and the command that installs them.
    """
    if names := missing(extra):
        raise missing_packages(extra, names)


@contextmanager
def imports_of(extra: str) -> Iterator[None]:
    """In the block, an import that fails because a package of `extra` is missing raises `MissingPackages`."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in missing(extra):
            raise
        raise missing_packages(extra, missing(extra)) from None
