"""Reloads a finished run without its training data, to export its networks or run them on files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError
from common.overrides import from_plain, plain
from common.run.files import read_json
from common.space import Arch, decode
from common.system import System, system_of

if TYPE_CHECKING:
    from torch import nn

    from common.task import Facts, Networks


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadedRun:
    """A run folder, read from its own files.

    Attributes:
        networks: of the run.
        facts: what the run remembers of its data.
    """

    networks: Networks
    facts: Facts

    @property
    def space(self) -> Any:
        """The description with open decisions."""
        return self.networks.space

    @property
    def described(self) -> Any:
        """The open description of the networks that are trained alone."""
        return self.networks.alone(self.networks.space)

    def build(self, description: Any) -> nn.Module:
        """The module of a description."""
        return self.networks.build(description, 0)

    def network(self, arch: Arch) -> nn.Module:
        """The network of an architecture, with fresh weights."""
        return self.build(self.networks.alone(decode(self.space, arch)))


def reload(run: Path) -> ReloadedRun:
    """What a run folder holds.

    Raises:
        UserError: not a run folder, one of an unknown task or system, or one whose settings cannot be read.
    """
    path = run / "config.json"
    if not path.is_file():
        raise UserError(f"{run} is no run folder: it has no config.json; give the folder that a run was written to")
    config = read_json(path)
    if not isinstance(config, dict) or not all(isinstance(config.get(key), str) for key in ("task", "system")):
        raise UserError(f"{path}: names no task and system; give a folder that a train script wrote")
    system = system_of(config["task"], config["system"], str(path))
    settings = from_plain(system.settings, current(config, system), f"{path}: settings")
    data = config.get("data")
    if not isinstance(data, dict):
        raise UserError(f"{path}: says nothing about its data; give a folder that a train script wrote")
    facts = facts_from(system.task.resolve().facts_of, data, settings, str(path))
    return ReloadedRun(networks=system.networks(settings, facts), facts=facts)


def current(config: Mapping[str, Any], system: System) -> Any:
    """The settings of a run as this version writes them.

    Runs of version 0.1 before engines were open to all have another form of the settings of a search. Nothing that is done with
    a finished run reads them, so that those of the recipe stand in.
    """
    settings = config.get("settings")
    search = settings.get("search") if isinstance(settings, dict) else None
    if not isinstance(settings, dict) or not isinstance(search, dict) or "evaluation" in search:
        return settings
    name = next((method.name for method in system.methods if method.name == config["system"]), system.methods[0].name)
    recipes = system.method(name).recipes
    recipe = plain((recipes.get(str(settings.get("recipe"))) or next(iter(recipes.values())))())
    known = {field.name for field in fields(system.settings)}
    return {key: value for key, value in settings.items() if key in known or key not in MOVED} | {"search": recipe["search"]}


MOVED = ("derive", "hand_made", "warm_start", "method")
"""Settings of earlier runs that are parts of others now."""


def facts_from(kind: type[Any], data: Mapping[str, Any], settings: Any, source: str) -> Any:
    """Facts as `config.json` holds them.

    Args:
        kind: dataclass of the facts; each field is the entry of that name that the task's data wrote. `OF_SETTINGS`, where it
            has one, names fields that are settings of the data: field -> setting.
        data: the entry `data` of a `config.json`.
        settings: of the run.
        source: what to call the file in an error.

    Raises:
        UserError: an entry is missing or of another type.
    """
    of_settings: Mapping[str, str] = getattr(kind, "OF_SETTINGS", {})
    chosen = {name: plain(getattr(settings.data, setting)) for name, setting in of_settings.items()}
    entries = {field.name: data.get(field.name) for field in fields(kind) if field.name not in of_settings}
    return from_plain(kind, {**entries, **chosen}, f"{source}: data")
