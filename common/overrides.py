"""Settings as plain JSON values, and settings changed by `name=value` overrides. No torch here."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from common.errors import UserError, cut, shown
from common.json_text import NotJson, parse

S = TypeVar("S")


def override(settings: S, overrides: Sequence[str]) -> S:
    """`settings` with fields replaced by `dotted.name=value` words; values are read as JSON, else as text.

    All are replaced together: values that must fit each other may come in any order. A part that is one of several named kinds
    (`search.engine=aging`) is replaced by that kind's defaults, before fields of it (`search.engine.population=10`) are.

    Raises:
        UserError: no such field, a value of another type than the field's, or one that the settings refuse.
    """
    changes = _Changes()
    for word in sorted(overrides, key=_depth):
        key, equals, text = word.partition("=")
        if not equals:
            raise UserError(f"--set {shown(word)}: write name=value, retrain.seeds=1 say")
        part, here = settings, changes
        *parents, last = key.split(".")
        for depth, name in enumerate(parents):
            _check_whole(part, key.split("."), depth, text, word)
            _check_field(part, name, word)
            here = here.parts.setdefault(name, _Changes())
            if here.whole is not None and not _kinds(here.whole.value):
                raise UserError(f"--set {shown(word)}: {name} is given as a whole as well; put the value in there")
            part = here.whole.value if here.whole is not None else getattr(part, name)
        _check_whole(part, key.split("."), len(parents), text, word)
        _check_field(part, last, word)
        here.parts.setdefault(last, _Changes()).whole = _Whole(_read(part, last, text, word))
    return _replaced(settings, changes)


@dataclasses.dataclass(frozen=True, slots=True)
class _Whole:
    """A value that is given as a whole."""

    value: Any


class Unfit(UserError):
    """A value is not of the type that it is read as."""


@dataclasses.dataclass(slots=True)
class _Changes:
    """What is given of a part of the settings: the whole of it, fields of it, or both."""

    whole: _Whole | None = None
    parts: dict[str, _Changes] = dataclasses.field(default_factory=dict)


def _depth(word: str) -> int:
    return word.partition("=")[0].count(".")


def _kinds(value: Any) -> bool:
    """Whether a value is settings of one of several named kinds."""
    return dataclasses.is_dataclass(value) and name_of(type(value)) != ""


def _check_whole(part: Any, names: Sequence[str], depth: int, text: str, word: str) -> None:
    """Refuses a field of what has none so far, because it is null or named freely: it is given as a whole."""
    if part is None or isinstance(part, Mapping):
        try:
            value = parse(text)
        except NotJson:
            value = text
        for name in reversed(names[depth:]):
            value = {name: value}
        so_far = "is null so far" if part is None else "has names of your own"
        whole = f"{'.'.join(names[:depth])}={json.dumps(value)}"
        raise UserError(f"--set {shown(word)}: {names[depth - 1]} {so_far}; give it as a whole, '{cut(whole)}'")


def _check_field(part: Any, name: str, word: str) -> None:
    fields = {f.name for f in dataclasses.fields(part)} if dataclasses.is_dataclass(part) else set()
    if name not in fields:
        known = f"it has {', '.join(sorted(fields))}" if fields else "it has no fields; give it as a whole, as JSON"
        inner = [f for f in sorted(fields) if dataclasses.is_dataclass(getattr(part, f)) and hasattr(getattr(part, f), name)]
        hint = f"; {inner[0]} has: {inner[0]}.{name}" if inner else ""
        raise UserError(f"--set {shown(word)}: {type(part).__name__} has no field {shown(name)}{hint}; {known}")


def _read(part: Any, name: str, text: str, word: str) -> Any:
    """The value that `text` stands for: the first of JSON and plain text that the field's type takes."""
    kind = hints_of(type(part))[name]
    try:
        readings = [parse(text), text]
    except NotJson:
        readings = [text]
    for value in readings:
        try:
            return from_plain(kind, value)
        except Unfit:
            continue
    offered = [member for member in members(kind) if name_of(member)]
    if offered:
        names = ", ".join(name_of(member) for member in offered)
        raise UserError(f"--set {shown(word)}: {name} is one of {names}; give a name, and its settings as {name}.SETTING=VALUE")
    raise UserError(
        f"--set {shown(word)}: {name} takes {in_words(kind)}; it is {cut(json.dumps(plain(getattr(part, name))))} so far"
    )


def _replaced(part: Any, changes: _Changes) -> Any:
    """`part`, or what is given in its place, with the fields replaced that are given."""
    part = part if changes.whole is None else changes.whole.value
    if not changes.parts:
        return part
    new = {name: _replaced(getattr(part, name), inner) for name, inner in changes.parts.items()}
    return dataclasses.replace(part, **new)


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

    Of a union the first member that fits is taken; dataclasses are told apart by their names (`name: Literal["aging"]`), else by
    their fields.

    Args:
        kind: a dataclass, or any type its fields may have.
        data: what `plain` made and JSON kept.
        name: what to call `data` in an error, its file say.

    Raises:
        Unfit: `data` is not of that type; names the value.
        UserError: it is, and the type refuses it: a value is out of its range, say.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Union or origin is UnionType:
        called = data if isinstance(data, str) else data.get("name") if isinstance(data, dict) else None
        for member in inner:
            if called and called == name_of(member):
                return member() if isinstance(data, str) else from_plain(member, data, name)
        for member in inner:
            try:
                return from_plain(member, data, name)
            except Unfit:
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
        if isinstance(data, float) and not isfinite(data):
            raise Unfit(f"{name} is {data}; give a finite number")
        return data
    raise Unfit(f"{name} is {cut(json.dumps(data))}, not {_spelled(kind)}; it was written by another version, or by hand")


def _dataclass_from(kind: Any, data: Mapping[str, Any], name: str) -> Any:
    hints = hints_of(kind)
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
    if unknown := [key for key in data if key not in fields]:
        raise Unfit(f"{name}.{cut(unknown[0])} is no field of {kind.__name__}; it was written by another version, or by hand")
    bare = [f for f in fields.values() if f.default is f.default_factory is dataclasses.MISSING]
    if missing := [f.name for f in bare if f.name not in data]:
        raise Unfit(f"{name}.{missing[0]} is missing, {kind.__name__} needs it; it was written by another version, or by hand")
    return kind(**{key: from_plain(hints[key], item, f"{name}.{key}") for key, item in data.items()})


def in_words(kind: Any) -> str:
    """What a value of a type is, in words.

    >>> in_words(tuple[float, ...] | None)
    'a list of numbers as JSON ([0.5, 0.5] say) or null'
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Union or origin is UnionType:
        named = [name_of(member) for member in members(kind)]
        if all(named):
            return f"one of {', '.join(named)}"
        return " or ".join(dict.fromkeys(in_words(member) for member in members(kind)))
    if origin is Literal:
        return f"one of {', '.join(json.dumps(choice).strip(chr(34)) for choice in inner)}"
    if origin in (tuple, list):
        several = Ellipsis in inner or origin is list
        if several and dataclasses.is_dataclass(inner[0]):
            return f"a list of objects as JSON, each with {', '.join(f.name for f in dataclasses.fields(inner[0]))}"
        kinds = " and ".join(dict.fromkeys(_PLURAL.get(item, in_words(item)) for item in inner if item is not Ellipsis))
        count = "" if several else f"{len(inner)} "
        example = [_EXAMPLES.get(item) for item in (inner[:1] * 2 if several else inner)]
        return f"a list of {count}{kinds} as JSON" + ("" if None in example else f" ({json.dumps(example)} say)")
    if origin in (dict, Mapping):
        return f"an object of {_PLURAL.get(inner[1], in_words(inner[1]))} by name, as JSON"
    if dataclasses.is_dataclass(kind):
        return f"an object as JSON, with {', '.join(f.name for f in dataclasses.fields(kind))}"
    return _SINGLE.get(kind, "any JSON value" if kind is Any else getattr(kind, "__name__", str(kind)))


_SINGLE = {NoneType: "null", float: "a number", int: "a whole number", str: "text", bool: "true or false"}
_PLURAL = {float: "numbers", int: "whole numbers", str: "texts"}
_EXAMPLES = {float: 0.5, int: 2, str: "a"}


def _spelled(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and get_origin(kind) is None else str(kind)


def members(kind: Any) -> tuple[Any, ...]:
    """The members of a union, nested ones included; of another type the type itself."""
    if get_origin(kind) is Union or get_origin(kind) is UnionType:
        return tuple(inner for member in get_args(kind) for inner in members(member))
    return (kind,)


@cache
def hints_of(kind: type[Any]) -> Mapping[str, Any]:
    """The types of a class's fields, resolved once: reading settings asks for them thousands of times."""
    return get_type_hints(kind)


def name_of(kind: Any) -> str:
    """The name that tells settings of one kind from those of others: the default of their field `name`; empty without one."""
    if not (dataclasses.is_dataclass(kind) and isinstance(kind, type)):
        return ""
    for field in dataclasses.fields(kind):
        if field.name == "name" and get_args(hints_of(kind)["name"]) == (field.default,):
            return str(field.default)
    return ""
