"""What each JSON file of a run folder holds. A file that is read back is compared with it, so that readers find what they need.

A schema names the keys that readers use and the kind of their values; further keys are allowed, for older and newer versions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import shown


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of values.

    Attributes:
        words: what to call it in an error.
        holds: whether a value is of it.
        needed: whether the key must be there.
    """

    words: str
    holds: Callable[[object], bool]
    needed: bool = True


Schema = Mapping[str, Kind]
"""Key -> kind of its value."""


def _number(value: object) -> bool:
    """Infinite and undefined numbers are written by trainings that diverge."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _text(value: object) -> bool:
    return isinstance(value, str)


def _object_of(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(holds, value.values()))


def _list_of(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(holds, value))


def optional(kind: Kind) -> Kind:
    """The kind, where the key may be missing."""
    return Kind(kind.words, kind.holds, needed=False)


TEXT = Kind("a text", _text)
NUMBER = Kind("a number", _number)
SECONDS = Kind("a number of seconds", lambda value: _number(value) and math.isfinite(value) and value >= 0)  # pyright: ignore
WHOLE = Kind("a whole number", _whole)
STEP = Kind("a whole number from 0", lambda value: _whole(value) and value >= 0)  # pyright: ignore
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
LIST = Kind("a list", lambda value: isinstance(value, list))
NUMBERS = Kind("an object of numbers", _object_of(_number))
TEXTS = Kind("an object of texts", _object_of(_text))
WHOLES = Kind("a list of whole numbers", _list_of(_whole))
WORDS = Kind("a list of texts", _list_of(_text))
LISTS = Kind("an object of lists of texts", _object_of(_list_of(_text)))
STATUS = Kind("'ok' or 'failed'", lambda value: value in ("ok", "failed"))

_TRIAL: Schema = {
    "id": STEP,
    "arch": TEXTS,
    "scores": NUMBERS,
    "cost": NUMBERS,
    "status": STATUS,
    "fidelity": TEXT,
    "seconds": SECONDS,
    "parents": WHOLES,
    "origin": TEXT,
    "error": TEXT,
}
_SCHEMAS: Mapping[str, Schema] = {
    "trials.jsonl": _TRIAL,
    "random.jsonl": _TRIAL,
    "stages.jsonl": {"stage": TEXT, "seconds": SECONDS, "result": OBJECT},
    "sessions.jsonl": {"stage": TEXT, "event": TEXT, "seconds": optional(SECONDS), "at": optional(NUMBER)},
    "metrics.jsonl": {"stage": TEXT, "step": STEP, "values": NUMBERS},
    "retrained.jsonl": {
        "name": TEXT,
        "kind": TEXT,
        "seed": STEP,
        "arch": TEXTS,
        "val": NUMBERS,
        "test": NUMBERS,
        "inherited": optional(NUMBERS),
        "cost": optional(NUMBERS),
        "seconds": optional(SECONDS),
        "error": optional(TEXT),
        "tuned": optional(WORDS),
        "start": optional(TEXT),
    },
    "tuned.jsonl": {"name": TEXT, "seed": STEP, "words": WORDS, "val": NUMBERS, "seconds": SECONDS, "error": optional(TEXT)},
    "inherited.jsonl": {"arch": TEXTS, "scores": NUMBERS},
    ".curve.jsonl": {"step": STEP, "values": NUMBERS, "seconds": SECONDS},
    "config.json": {
        "task": optional(TEXT),
        "system": optional(TEXT),
        "settings": optional(OBJECT),
        "environment": optional(OBJECT),
        "objectives": optional(LIST),
        "constraints": optional(LIST),
        "notes": optional(LIST),
    },
    "space.json": {"fingerprint": TEXT, "decisions": LISTS},
    "strengths.json": {},
    "state.json": {"step": STEP, "files": Kind("an object of objects", _object_of(OBJECT.holds)), "extra": OBJECT},
    ".safetensors.json": {"bytes": STEP, "sha256": Kind("64 digits", lambda value: _text(value) and len(value) == 64)},  # pyright: ignore
}


def misfit(path: Path, value: Any) -> str:
    """What is wrong with a JSON object of a run's file, in words; empty if nothing is.

    Args:
        path: the file; files that no schema is known for may hold anything.
        value: its value, or that of one of its lines.
    """
    name = path.name
    known = (schema for key, schema in _SCHEMAS.items() if name == key or (key.startswith(".") and name.endswith(key)))
    schema = next(known, None)
    if schema is None:
        return ""
    if not isinstance(value, dict):
        return f"{shown(value)} is not a JSON object"
    for key, kind in schema.items():
        if key not in value:
            if kind.needed:
                return f"{key!r} is missing"
        elif not kind.holds(value[key]):
            return f"{key!r} is {shown(value[key])}, not {kind.words}"
    return ""
