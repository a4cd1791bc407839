"""Functions and classes that are named by their place and imported at the first use, so that a declaration is free of torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from common.extras import imports_of


@dataclass(frozen=True, slots=True)
class Deferred:
    """A function or class of a module that is imported at the first call.

    A contract test resolves those of every system listed, so that a wrong name is found before a run is.

    Attributes:
        module: name of the module.
        name: name of the function or class.

    >>> Deferred("math", "sqrt")(9.0)
    3.0
    """

    module: str
    name: str

    def __call__(self, *arguments: Any) -> Any:
        """Calls it.

        Raises:
            MissingPackages: a package that it imports is missing, one of the extra that is named like its package.
        """
        with imports_of(self.package):
            return self.resolve()(*arguments)

    def resolve(self) -> Any:
        """The function or class itself."""
        with imports_of(self.package):
            return getattr(import_module(self.module), self.name)

    @property
    def package(self) -> str:
        """The package of the module; a task package has the name of the extra that it needs."""
        return self.module.partition(".")[0]


def on_demand(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package whose names are imported when they are first used, so that it imports no torch by itself.

    Args:
        package: its name.
        places: public name -> the module of the package that has it.
    """

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{places[name]}"), name)

    return find
