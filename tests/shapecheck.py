"""Holds functions to the tensor shapes in their annotations while the tests run (jaxtyping and beartype).

jaxtyping's own pytest hook decorates every function, nested ones each time they are made, which makes searches two hundred
times slower; and it cannot see names imported under `if TYPE_CHECKING`. This one takes the top-level functions and the
methods whose annotations hold shapes, and resolves the names on the first call.
"""

import ast
import functools
import sys
from collections.abc import Callable, Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, ForwardRef

import torch
from beartype import BeartypeConf, beartype
from jaxtyping import jaxtyped

# As for static type checkers, an int is a float.
_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))


class Finder(MetaPathFinder):
    """Finds the modules of `packages` and has them instrumented as they are imported."""

    def __init__(self, packages: tuple[str, ...]) -> None:
        self.packages = packages

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname.split(".")[0] not in self.packages:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        instrument(module)


def install(*packages: str) -> Finder:
    """Instruments every module of `packages` that is imported from now on; fails if one was imported before."""
    early = [name for name in sys.modules if name.split(".")[0] in packages]
    if early:
        raise RuntimeError(f"imported before the shape checks were installed: {early}")
    finder = Finder(packages)
    sys.meta_path.insert(0, finder)
    return finder


def instrument(module: ModuleType) -> None:
    """Puts the check on every function and method of `module` that has shapes in its annotations."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    if "jaxtyping" not in source:
        return
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    shapes = {alias.asname or alias.name for node in nodes if node.module == "jaxtyping" for alias in node.names}

    def has_shapes(function: object) -> bool:
        # a decorated function has the annotations of what it wraps, not its own
        return (
            isinstance(function, FunctionType)
            and not hasattr(function, "__wrapped__")
            and any(f"{shape}[" in str(annotation) for annotation in function.__annotations__.values() for shape in shapes)
        )

    late = functools.cache(lambda: vars(module) | dict(_typing_imports(source, module)))
    for owner in (module, *(v for v in vars(module).values() if isinstance(v, type) and v.__module__ == module.__name__)):
        for name, value in list(vars(owner).items()):
            if has_shapes(value) and (owner is not module or value.__module__ == module.__name__):
                setattr(owner, name, _checked(value, late))
            elif isinstance(value, staticmethod | classmethod) and has_shapes(value.__func__):
                setattr(owner, name, type(value)(_checked(value.__func__, late)))
            elif isinstance(value, property) and has_shapes(value.fget):
                setattr(owner, name, property(_checked(value.fget, late), value.fset, value.fdel, value.__doc__))


def _typing_imports(source: str, module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Name and value of what `module` imports for type checkers only."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            names: dict[str, Any] = {}
            exec(compile(ast.Module(node.body, []), str(module.__file__), "exec"), dict(vars(module)), names)
            yield from names.items()


def resolved(annotation: Any, names: dict[str, Any]) -> Any:
    """What an annotation stands for; those of a `NamedTuple` are wrapped."""
    text = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation
    return eval(text, names) if isinstance(text, str) else text


def _checked(function: Any, late: Callable[[], dict[str, Any]]) -> Any:
    @functools.cache
    def checking() -> Callable[..., Any]:
        names = late()
        function.__annotations__ = {k: resolved(v, names) for k, v in function.__annotations__.items()}
        return _beartype(function)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():  # tracers see through the plain function only
            return function(*args, **kwargs)
        with jaxtyped("context"):  # sizes of one call; as a decorator it takes twice as long
            return checking()(*args, **kwargs)

    return wrapper
