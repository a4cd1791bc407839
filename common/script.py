"""What every task's train script shares: options, overrides, and errors as one line with exit status 2. No torch here."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import tyro

from common.errors import UserError

if TYPE_CHECKING:
    from common.task import System

S = TypeVar("S")
BAD_INPUT = 2
"""Exit status of bad input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What every system's run can be told."""

    recipe: str = "smoke"
    """smoke (embedded data, in a minute or two), small (a data folder, about an hour on two cores) or paper (as published)."""
    data: str | None = None
    """Data folder; none for the embedded data."""
    out: str | None = None
    """Folder of the run, new or empty; by default the next free one below runs/."""
    seed: int | None = None
    """Seed of everything random; 0 by default."""
    device: str = "auto"
    """cpu, cuda, cuda:1 ...; auto takes a GPU if there is one."""
    budget: tuple[str, ...] = ()
    """Hard limits on costs, e.g. macs=300e6 params=4e6; replaces the recipe's."""
    workers: int | None = None
    """Worker processes for candidates and retraining; by default one a core up to four, none on a GPU; 0 uses this process."""
    resume: bool = False
    """Go on with the run in --out."""
    skip_bad: bool = False
    """Leave damaged files out, and list them, instead of refusing the data."""
    quiet: bool = False
    """Print nothing but the report's path."""
    set: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE")] = ()
    """Any other setting by its name in config.json, e.g. retrain.seeds=1 save_every=50."""


def parse_budget(words: Sequence[str]) -> dict[str, float]:
    """`metric=limit` words as a mapping.

    Raises:
        UserError: a word has another form, or the limit is no positive number.
    """
    limits: dict[str, float] = {}
    for word in words:
        metric, _, text = word.partition("=")
        try:
            limit = float(text)
        except ValueError:
            raise UserError(f"budget {word!r}: write metric=number, macs=300e6 say") from None
        if not 0 < limit < float("inf"):
            raise UserError(f"budget {word!r}: the limit must be a positive number")
        limits[metric] = limit
    return limits


class Recipe(Protocol):
    """What the settings of every system have."""

    @property
    def data(self) -> Any:
        """Which data; it has `folder` and `skip_bad`."""
        ...


R = TypeVar("R", bound=Recipe)


def settings_of(
    recipes: Mapping[str, Callable[[], R]], options: RunOptions, change: Callable[[R], R] = lambda settings: settings
) -> R:
    """The settings that a command line asks for: a recipe, with what the options say in its place.

    Args:
        recipes: name -> settings, with `data`, `seed` and `budget`.
        options: of the command line.
        change: what a system's own options change in a recipe; `--set` comes after it.

    Raises:
        UserError: an unknown recipe, or an option that does not fit it.
    """
    if options.recipe not in recipes:
        raise UserError(f"recipe {options.recipe!r} does not exist; choose one of {', '.join(recipes)}")
    settings: Any = change(recipes[options.recipe]())
    data = dataclasses.replace(settings.data, folder=options.data, skip_bad=options.skip_bad)
    settings = dataclasses.replace(settings, data=data)
    if options.seed is not None:
        settings = dataclasses.replace(settings, seed=options.seed)
    if options.budget:
        settings = dataclasses.replace(settings, budget=parse_budget(options.budget))
    return override(settings, options.set)


def override(settings: S, words: Sequence[str]) -> S:
    """`settings` with fields replaced by `dotted.name=value` words; values are read as JSON, else as text.

    All are replaced together: values that must fit each other may come in any order.

    Raises:
        UserError: no such field, a value of another type than the field's, or one that the settings refuse.
    """
    changes: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise UserError(f"--set {word!r}: write name=value, retrain.seeds=1 say")
        *parents, last = key.split(".")
        part, inner = settings, changes
        for name in parents:
            _check_field(part, name, word)
            part, inner = getattr(part, name), inner.setdefault(name, {})
            if isinstance(inner, _Value):
                raise UserError(f"--set {word!r}: {name} is given as a whole as well; put the value in there")
        _check_field(part, last, word)
        if isinstance(inner.get(last), dict):
            raise UserError(f"--set {word!r}: parts of {last} are given as well; put them in here")
        inner[last] = _Value(_read(part, last, text, word))
    return _replaced(settings, changes)


@dataclass(frozen=True, slots=True)
class _Value:
    """A new value, told apart from further names."""

    value: Any


def _check_field(part: Any, name: str, word: str) -> None:
    fields = {f.name for f in dataclasses.fields(part)} if dataclasses.is_dataclass(part) else set()
    if name not in fields:
        known = f"it has {', '.join(sorted(fields))}" if fields else "it has no fields; give it as a whole, as JSON"
        raise UserError(f"--set {word!r}: {type(part).__name__} has no field {name!r}; {known}")


def _read(part: Any, name: str, text: str, word: str) -> Any:
    """The value that `text` stands for: the first of JSON and plain text that the field's type takes."""
    kind = get_type_hints(type(part))[name]
    try:
        readings = [json.loads(text), text]
    except (json.JSONDecodeError, RecursionError):
        readings = [text]
    for value in readings:
        try:
            return from_plain(kind, value)
        except UserError:
            continue
    raise UserError(f"--set {word!r}: {name} is {_spelled(kind)} ({json.dumps(plain(getattr(part, name)))[:80]} so far)")


def _replaced(part: Any, changes: Mapping[str, Any]) -> Any:
    new = {
        name: change.value if isinstance(change, _Value) else _replaced(getattr(part, name), change)
        for name, change in changes.items()
    }
    changed: Any = dataclasses.replace(part, **new)
    return changed


def plain(value: Any) -> Any:
    """Settings as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def from_plain(kind: Any, data: Any, name: str = "settings") -> Any:
    """The inverse of `plain`: JSON values as the type `kind`.

    Of a union the first member that fits is taken; dataclasses are told apart by their fields.

    Args:
        kind: a dataclass, or any type its fields may have.
        data: what `plain` made and JSON kept.
        name: what to call `data` in an error, its file say.

    Raises:
        UserError: `data` is not of that type; names the value.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Union or origin is UnionType:
        for member in inner:
            try:
                return from_plain(member, data, name)
            except UserError:
                continue
    elif dataclasses.is_dataclass(kind) and isinstance(data, dict):
        return _dataclass_from(kind, data, name)
    elif origin is tuple and isinstance(data, list):
        kinds = [inner[0]] * len(data) if inner[-1] is Ellipsis else list(inner)
        if len(kinds) == len(data):
            return tuple(from_plain(k, item, f"{name}.{i}") for i, (k, item) in enumerate(zip(kinds, data, strict=True)))
    elif origin is list and isinstance(data, list):
        return [from_plain(inner[0], item, f"{name}.{i}") for i, item in enumerate(data)]
    elif origin in (dict, Mapping) and isinstance(data, dict):
        return {key: from_plain(inner[1], item, f"{name}.{key}") for key, item in data.items()}
    elif (
        kind is Any
        or (origin is Literal and data in inner)
        or (kind is float and type(data) is int)
        or (kind in (bool, int, float, str, NoneType) and type(data) is kind)
    ):
        return data
    raise UserError(f"{name} is {json.dumps(data)[:80]}, not {_spelled(kind)}; it was written by another version, or by hand")


def _dataclass_from(kind: Any, data: Mapping[str, Any], name: str) -> Any:
    hints = get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
    if unknown := [key for key in data if key not in fields]:
        raise UserError(f"{name}.{unknown[0]} is no field of {kind.__name__}; it was written by another version, or by hand")
    bare = [f for f in fields.values() if f.default is f.default_factory is dataclasses.MISSING]
    if missing := [f.name for f in bare if f.name not in data]:
        raise UserError(
            f"{name}.{missing[0]} is missing, {kind.__name__} needs it; it was written by another version, or by hand"
        )
    return kind(**{key: from_plain(hints[key], item, f"{name}.{key}") for key, item in data.items()})


def _spelled(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and get_origin(kind) is None else str(kind)


def describe_system(systems: Mapping[str, Callable[[], System]], name: str, arch: str, space: str | None) -> None:
    """Prints what the system `name` says of an architecture, as JSON.

    Args:
        systems: of a task.
        name: what the user asked for.
        arch: text that the system reads.
        space: which of its spaces the text belongs to, or None.

    Raises:
        UserError: there is no such system, or it cannot read the text.
    """
    if name not in systems:
        raise UserError(f"system {name!r} does not exist; choose one of {', '.join(systems)}")
    print(json.dumps(systems[name]().describe(arch, space), indent=2))


def device_named(name: str) -> str:
    """The device that `--device NAME` means: `auto` is a GPU if there is one, else the CPU.

    Raises:
        UserError: torch has no such device here, or it holds no numbers.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if torch.empty(0, device=name).is_meta:
            raise RuntimeError("it holds no numbers")
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device {name!r} cannot be used ({reason}); give cpu, cuda, or auto") from None
    return name


def next_folder(name: str) -> Path:
    """The first of runs/NAME, runs/NAME-2, ... that does not exist."""
    path, n = Path("runs") / name, 2
    while path.exists():
        path, n = Path("runs") / f"{name}-{n}", n + 1
    return path


def main(command: str, commands: Mapping[str, Callable[..., None]], argv: Sequence[str] | None = None) -> None:
    """Runs one of `commands`; bad input becomes one line on standard error and exit status 2.

    Args:
        command: how the script is called, for its help.
        commands: name -> function; its signature and docstring are its options and help.
        argv: words after the script's name; those of this process by default.
    """
    with spoken_errors():
        tyro.extras.subcommand_cli_from_dict(dict(commands), prog=command, args=argv, config=(tyro.conf.OmitArgPrefixes,))


@contextmanager
def spoken_errors(stopped: str = "") -> Iterator[None]:
    """In the block bad input becomes one line on standard error and exit status 2; Ctrl-C a line and status 130.

    Args:
        stopped: What else to say after Ctrl-C.
    """
    start = time.monotonic()
    try:
        yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None
    except KeyboardInterrupt:
        print(f"\nStopped after {time.monotonic() - start:.0f} s. {stopped}".rstrip(), file=sys.stderr)
        raise SystemExit(130) from None
