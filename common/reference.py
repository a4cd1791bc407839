"""Every setting of a recipe: its name for `--set`, what it may be, its value and what it is. Read from the settings classes."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from common.listing import field_texts
from common.overrides import hints_of, in_words, members, name_of, plain

WIDTH = 100
"""Columns of the text in a terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A setting, or a group of settings, which has neither type nor values.

    Attributes:
        name: for `--set`.
        kind: its type.
        values: recipe -> its value as `--set` takes it.
        text: what it is.
    """

    name: str
    kind: Any = None
    values: Mapping[str, str]
    text: str


def rows(recipes: Mapping[str, Any]) -> list[Row]:
    """Every setting of some recipes, in the order of their classes.

    Args:
        recipes: recipe -> settings; they may be of several classes.
    """
    return [row for row in _inside("", recipes) if row.name != "recipe"]


def keys(settings: Any) -> str:
    """Every setting as a word for `--set`, a line each."""
    return "\n".join(f"{row.name}={row.values['']}" for row in rows({"": settings}) if row.values)


def explained(settings: Any) -> str:
    """Every setting as a word for `--set`, and below it what it may be and what it is."""
    lines: list[str] = []
    for row in rows({"": settings}):
        head = [f"{row.name}={row.values['']}", f"    {in_words(row.kind)}"] if row.values else ["", f"{row.name}.*"]
        text = textwrap.wrap(row.text.replace("`", ""), WIDTH, initial_indent="    ", subsequent_indent="    ")
        lines += [*head, *text]
    return "\n".join(lines).lstrip("\n")


def _inside(name: str, parts: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of the fields of some settings, recipe -> settings; they may be of several classes."""
    done: set[str] = set()
    for kind in dict.fromkeys(type(part) for part in parts.values()):
        hints, texts = hints_of(kind), field_texts(kind)
        for field in fields(kind):
            if field.name in done or (field.name == "name" and name_of(kind)):
                continue
            done.add(field.name)
            values = {recipe: getattr(part, field.name) for recipe, part in parts.items() if hasattr(part, field.name)}
            yield from _field(f"{name}{field.name}", hints[field.name], texts.get(field.name, ""), values)


def _field(name: str, hint: Any, text: str, values: Mapping[str, Any]) -> Iterator[Row]:
    """The row of one field, and those of the settings in it."""
    parts = {recipe: value for recipe, value in values.items() if is_dataclass(value)}
    kinds = [name_of(kind) for kind in members(hint) if name_of(kind)]
    if len(kinds) > 1:
        yield Row(name=name, kind=hint, values={recipe: name_of(type(part)) for recipe, part in parts.items()}, text=text)
    elif len(parts) < len(values):
        yield Row(name=name, kind=hint, values={recipe: _value(value) for recipe, value in values.items()}, text=text)
    else:
        yield Row(name=name, values={}, text=text or _first_line(hint))
    yield from _inside(f"{name}.", parts)


def _value(value: Any) -> str:
    """A value as `--set` takes it."""
    return value if isinstance(value, str) and value else json.dumps(plain(value))


def _first_line(kind: Any) -> str:
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())
