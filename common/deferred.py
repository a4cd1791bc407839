"""Functions and classes that are named by their place and imported at the first use, so that a declaration is free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


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
        """Calls it."""
        return self.resolve()(*arguments)

    def resolve(self) -> Any:
        """The function or class itself."""
        return getattr(import_module(self.module), self.name)
