"""Which architecture a text stands for: a published name, an architecture file, or a paper's own notation."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from common.arch import load
from common.cost.conventions import Convention, contractions
from common.cost.count import Cost, count
from common.errors import UserError
from common.json_text import read_foreign
from common.overrides import plain
from common.run.files import read_json
from common.space import Arch, decisions, decode, space_fingerprint

if TYPE_CHECKING:
    from common.system import System

K = TypeVar("K")


class Read(NamedTuple):
    """An architecture that a text stands for.

    Attributes:
        name: of its space.
        space: open description.
        arch: the architecture.
    """

    name: str
    space: Any
    arch: Arch


def check_name(name: str | None, known: Collection[str], what: str = "space") -> None:
    """Refuses a name that does not exist; None is no name.

    Raises:
        UserError: names those that exist.
    """
    if name is not None and name not in known:
        raise UserError(f"{what} {name!r} does not exist; choose one of {', '.join(known)}")


def check_own_space(text: str, own: str | None, asked: str | None) -> None:
    """Refuses a published architecture in another space than its own.

    Raises:
        UserError: names both spaces.
    """
    if asked not in (None, own):
        raise UserError(f"{text} is an architecture of space {own or 'none with a name'}, not {asked}; leave --space out")


def is_file(text: str, known: Collection[str], forms: str) -> bool:
    """Whether a text names an architecture file, by its ending or because there is one.

    Args:
        text: what the user typed.
        known: published names.
        forms: what else a text may be, for the error.

    Raises:
        UserError: it is a folder, or it looks like neither a name nor a file.
    """
    if text.endswith(".json") or os.path.isfile(text):
        return True
    if os.path.isdir(text):
        raise UserError(f"{text} is a folder; of a run, give {os.path.join(text, 'best', 'arch.json')}")
    if any(c.isalpha() for c in text):
        raise UserError(f"{text!r} is no published name ({', '.join(known)}), no architecture file{forms}")
    return False


def read_file(path: Path, spaces: Iterable[tuple[K, Any]], system: str) -> tuple[K, Any, Arch]:
    """The architecture of a file, in the space that it was written for.

    If none of the spaces is that one, the file is read as the space whose decisions differ least from the file's, so that the
    error names the fault of the file.

    Args:
        path: architecture file.
        spaces: (key, open description) of the spaces that a file may be of.
        system: name of the system, for the error.

    Returns:
        Key, open description and architecture.

    Raises:
        UserError: the file cannot be read, or is of none of the spaces.
    """
    written, named = _written(path)
    every = list(spaces)
    fitting = [entry for entry in every if space_fingerprint(entry[1]) == written]
    key, space = fitting[0] if fitting else min(every, key=lambda entry: len(decisions(entry[1]).keys() ^ named))
    if named and not named & decisions(space).keys():
        raise UserError(f"{path}: decision {min(named)!r} is none of {system}'s; give a file of this system")
    return key, space, load(path, space)


def settings_of_run(file: Path) -> Mapping[str, Any]:
    """The settings in the config.json of the run that an architecture file lies in; empty for a file of no run.

    `data_of_run` gives what the run remembers of its data.

    Args:
        file: RUN/best/arch.json or RUN/exported/NAME/arch.json, say.

    Raises:
        UserError: the run's config.json is damaged.
    """
    return _of_run(file, "settings")


def data_of_run(file: Path) -> Mapping[str, Any]:
    """The entry `data` of the same config.json; arguments and errors as for `settings_of_run`."""
    return _of_run(file, "data")


def _of_run(file: Path, entry: str) -> Mapping[str, Any]:
    for folder in file.resolve().parents[1:3]:
        config = folder / "config.json"
        found = read_json(config) if config.is_file() else None
        value = found.get(entry) if isinstance(found, dict) else None
        if isinstance(value, dict):
            return value
    return {}


def _written(path: Path) -> tuple[object, set[str]]:
    """Fingerprint of a file's space and the decisions in it; nothing where it is damaged, which `load` explains."""
    try:
        data: Mapping[str, Any] = read_foreign(path)
        return data.get("space"), set(data["choices"].keys())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, set()


def counted(
    build: Callable[[], nn.Module], inputs: Callable[[], tuple[Tensor, ...]], convention: Convention = contractions
) -> Cost:
    """Parameters and MACs of a network, built and run on the meta device.

    Args:
        build: gives the network.
        inputs: gives its inputs.
        convention: what counts as a multiply-add.
    """
    with torch.device("meta"):
        return count(build(), inputs(), convention=convention)


def describe(system: System, text: str) -> dict[str, Any]:
    """Counts of a published network of a system, or of an architecture file of one of its spaces.

    Raises:
        UserError: the text is neither.
    """
    published = system.published()
    if text in published:
        space, arch, name = published[text].description(), published[text].arch(), next(iter(system.spaces()))
    elif is_file(text, published, ""):
        name, space, arch = read_file(Path(text), system.spaces().items(), system.name)
    else:
        raise UserError(f"{text!r} is no published name ({', '.join(published)}) and no architecture file")
    description = decode(space, arch)
    inputs = tuple(x[:1].to("meta") for x in system.example(name))
    cost = counted(lambda: system.build(description), lambda: inputs)
    return {
        "system": system.name,
        "arch": text,
        "inputs": [list(x.shape) for x in inputs],
        "params": cost.params,
        "macs": cost.macs,
        "convention": cost.convention,
        "uncounted": list(cost.uncounted),
        "description": plain(description),
    }
