"""Architectures as files: option labels, not numbers, and the fingerprint of the space they belong to.

Labels keep a file readable; the fingerprint and a digest of every decision's option list keep it honest: a file that was
written for other options, or for the same ones in another order, is refused with the decision's name and never misread.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import UserError, cut, shown
from common.json_text import NotJson, read_foreign
from common.space import Arch, Decision, Invalid, ManyOf, OneOf, describe, label, resolve, space_fingerprint

_OFFERED = 400
"""Characters of the options that an error lists."""


def labels(space: Any, arch: Mapping[str, int]) -> dict[str, str]:
    """Decision path -> label of the option taken, in walk order."""
    named: dict[str, str] = {}

    def oracle(path: str, decision: Decision) -> int:
        named[path] = label(decision, arch[path])
        return arch[path]

    resolve(space, oracle)
    return named


def from_labels(space: Any, named: Mapping[str, str], source: str = "architecture") -> Arch:
    """The inverse of `labels`.

    Args:
        space: the description the labels belong to.
        named: decision path -> option label.
        source: what to call the input in an error: a file, usually.

    Raises:
        UserError: a decision is missing, unknown, or its option does not exist.
    """
    choices: dict[str, int] = {}

    def oracle(path: str, decision: Decision) -> int:
        if path not in named:
            raise UserError(f"{source}: decision {path!r} is missing; it needs one of {_offer(decision)}")
        choices[path] = index = _index(decision, named[path])
        if index < 0:
            raise UserError(f"{source}: decision {path!r} has no option {shown(named[path])}; it has {_offer(decision)}")
        return index

    try:
        resolve(space, oracle)
    except Invalid as broken:
        raise UserError(f"{source}: breaks the rule {str(broken)!r} of its space; choose other options") from None
    if foreign := [path for path in named if path not in choices]:
        raise UserError(f"{source}: decision {shown(foreign[0])} does not exist in this space; the file belongs to another one")
    return Arch(choices)


def to_json(space: Any, arch: Mapping[str, int]) -> dict[str, Any]:
    """A JSON object that `from_json` reads back in the same space only."""
    named = labels(space, arch)
    known = describe(space)
    return {"space": space_fingerprint(space), "choices": named, "digests": {path: _digest(known[path]) for path in named}}


def from_json(space: Any, data: Any, source: str = "architecture") -> Arch:
    """Reads what `to_json` wrote.

    Raises:
        UserError: not such an object, or written for another space (named down to the decision where possible).
    """
    if not isinstance(data, dict) or not isinstance(data.get("choices"), dict):
        raise UserError(f"{source}: not an architecture file: it needs an object with 'space' and 'choices'")
    arch = from_labels(space, data["choices"], source)
    if data.get("space") != space_fingerprint(space):
        known, digests = describe(space), data.get("digests")
        digests = digests if isinstance(digests, dict) else {}
        moved = next((path for path in arch if digests.get(path) != _digest(known[path])), None)
        what = f"the options of decision {moved!r} have changed or moved" if moved else "decisions it does not use have changed"
        raise UserError(
            f"{source}: written for space {cut(str(data.get('space')))}, not {space_fingerprint(space)}: {what}; make it anew"
        )
    return arch


def save(path: Path, space: Any, arch: Mapping[str, int]) -> None:
    """Writes an architecture file."""
    path.write_text(json.dumps(to_json(space, arch), indent=2) + "\n")


def load(path: Path, space: Any) -> Arch:
    """Reads an architecture file.

    Raises:
        UserError: the file is missing, is not JSON, or belongs to another space.
    """
    try:
        data = read_foreign(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give an architecture file") from None
    except NotJson as error:
        raise UserError(f"{path}: not JSON ({error}); give an architecture file") from None
    return from_json(space, data, str(path))


def _digest(names: list[str]) -> str:
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:6]


def _index(decision: Decision, text: object) -> int:
    """The option that is called `text`; -1 if none is."""
    if not isinstance(text, str):
        return -1
    if isinstance(decision, OneOf):
        return decision.labels.index(text) if text in decision.labels else -1
    taken, rest = [], text[1:-1]
    for i, name in enumerate(decision.labels):
        if rest == name or rest.startswith(name + ", "):
            taken.append(i)
            rest = rest[len(name) + 2 :]
    if not decision.low <= len(taken) <= decision.high:
        return -1
    rank = decision.rank(taken)
    return rank if label(decision, rank) == text else -1


def _offer(decision: Decision) -> str:
    if isinstance(decision, ManyOf):
        return cut(f"{decision.low} to {decision.high} of {', '.join(decision.labels)}", _OFFERED)
    return cut(", ".join(decision.labels), _OFFERED)
