"""What `config.json` says of a user's functions and weights, so that a resumed run is known to have the same."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """Eight digits of a state dict."""
    found = hashlib.sha256()
    for name, value in sorted(weights.items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:8]


def named(function: Callable[..., Any]) -> str:
    """A function as `config.json` names it."""
    bare, _ = _bare(function)
    return str(getattr(bare, "__qualname__", type(bare).__qualname__))


def digest(function: Callable[..., Any]) -> str:
    """Eight digits of a function's code, comments and layout apart: a resumed run must have the same. "" where it cannot be read.

    Only the function itself is read, not what it calls; of a `partial` the plain arguments (numbers, text) as well.
    """
    bare, arguments = _bare(function)
    code = bare if inspect.isroutine(bare) or inspect.isclass(bare) else type(bare)  # of an object that can be called
    try:
        source = textwrap.dedent(inspect.getsource(code))
    except (OSError, TypeError):
        return ""
    with suppress(SyntaxError):  # a lambda within an expression
        source = ast.dump(ast.parse(source))
    return hashlib.sha256((source + "".join(arguments)).encode()).hexdigest()[:8]


def _bare(function: Callable[..., Any]) -> tuple[Callable[..., Any], list[str]]:
    """The function inside of each `partial` and decorator, and the plain arguments that they fix."""
    arguments: list[str] = []
    while isinstance(function, partial):
        fixed = [*enumerate(function.args), *sorted(function.keywords.items())]
        arguments += [f"{name}={value!r}" for name, value in fixed if isinstance(value, str | int | float | None)]
        function = function.func
    return inspect.unwrap(function), arguments
