"""A page for every system: the settings of its recipes, made from the settings classes when the site is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from common import reference
from common.listing import TASK_NAMES, every_method
from common.overrides import members, name_of
from common.own.settings import NetworkSettings
from common.reference import Row
from common.system import Method, System

SECTION = "Settings reference"
OWN = "settings/own-network.md"
OWN_TEXT = (
    "The settings of `common.search_network`: fields of `NetworkSettings`, or changed by `overrides`. [Settings "
    "reference](README.md) explains the columns."
)
NOT_THERE = "–"
"""Stands in the column of a recipe that does not have the setting."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages of all systems to the site, and to its navigation."""
    pages: list[dict[str, str]] = []
    for task, system in {system.name: (task, system) for task, system, _ in every_method()}.values():
        place = f"settings/{system.name}.md"
        files.append(File.generated(config, place, content=settings_page(task, system)))
        pages.append({system.methods[0].title if len(system.methods) == 1 else f"{task}: {system.name}": place})
    files.append(File.generated(config, OWN, content=own_page()))
    pages.append({"Own networks": OWN})
    for entry in config.nav or []:
        if SECTION in entry:
            entry[SECTION] = [entry[SECTION], *pages]
    return files


def own_page() -> str:
    """The settings of `common.search_network` in Markdown."""
    method = Method(name="own", title="", paper="", authors="", summary="", recipes={"default": NetworkSettings})
    head = ["---", "hide: [toc]", "---", "", "# Settings: own networks", "", OWN_TEXT, ""]
    return "\n".join([*head, *table(rows(method), ["default"]), ""])


def settings_page(task: str, system: System) -> str:
    """The settings of a system in Markdown: those of its first method, and what the other methods change."""
    first, *others = system.methods
    base = rows(first)
    parts = [
        *("---", "hide: [toc]", "---", ""),  # the table takes the whole width
        f"# Settings: {system.name}",
        "",
        f"The system `{system.name}` of {TASK_NAMES[task]}. [Settings reference](README.md) explains the columns.",
        "",
        f"## `{first.name}`: {first.title}",
        "",
        *table(base, list(first.recipes)),
    ]
    for method in others:
        known = {row.name: row for row in base}
        changed = [row for row in rows(method) if row.values and known.get(row.name) != row]
        parts += ["", f"## `{method.name}`: {method.title}", "", f"Settings that differ from those of `{first.name}`.", ""]
        parts += table(changed, list(method.recipes))
    return "\n".join([*parts, ""])


def table(found: Sequence[Row], recipes: Sequence[str]) -> list[str]:
    """Rows as lines of a Markdown table."""
    lines = [f"| setting | type | {' | '.join(recipes)} | what it is |", "|---|---|" + "---|" * (len(recipes) + 1)]
    for row in found:
        if row.values:
            cells = [
                f"`{row.name}`",
                _type(row.kind),
                *(f"`{row.values[r]}`" if r in row.values else NOT_THERE for r in recipes),
                row.text,
            ]
        else:
            cells = [f"**`{row.name}`**", "", *("" for _ in recipes), row.text]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def rows(method: Method) -> list[Row]:
    """Every setting of a method, in the order of its classes, with its value in each recipe."""
    return reference.rows({name: recipe() for name, recipe in method.recipes.items()})


def _type(hint: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_type(member) for member in members(hint))
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in inner)
    if origin is tuple:
        kinds = " and ".join(dict.fromkeys(_type(kind) for kind in inner if kind is not Ellipsis))
        return f"list of {kinds}" if Ellipsis in inner else f"list of {len(inner)}, {kinds}"
    if origin is dict:
        return f"object, {_type(inner[1])} by name"
    if is_dataclass(hint) and isinstance(hint, type):
        page = f"../api/{hint.__module__.replace('.', '/')}.md#{hint.__module__}.{hint.__name__}"
        return f"`{name_of(hint)}`" if name_of(hint) else f"[{hint.__name__}]({page})"
    return {NoneType: "null", float: "number", int: "integer", str: "text", bool: "true or false"}[hint]
