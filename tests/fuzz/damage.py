"""Ways to damage a file: its bytes, the values of its JSON, the arrays of its archive."""

import io
import json
import math
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

RAW = {
    "@digits@": "9" * 5_000,
    "@long@": "1" + "0" * 400,
    "@deep@": "[" * 3_000 + "]" * 3_000,
    "@nested@": '{"a":' * 200 + "1" + "}" * 200,
    "@e@": "1e999",
}
"""Stand-ins in a value -> what stands in the text: JSON that `json.dumps` does not write."""
STRINGS = (
    *RAW,
    "",
    "x" * 5_000,
    "\x1b[2Jred\r\n\ttwo",
    "\0",
    "\ud800",
    "‮txt.exe",
    "../../etc/passwd",
    "/etc/passwd",
    "nan",
    "1",
    "{}",
)
VALUES = (
    *STRINGS, None, True, False, 0, -1, 1.5, 10**299, -(10**299), 2**63, 2**64, -(2**63), 1e308, -1e308,
    math.nan, math.inf, -math.inf,
    [], {}, [[]], [None], {"": None}, [1, "a", None], {"a": {"b": [1]}},
)  # fmt: skip


def damaged_json(data: bytes, rng: Random) -> bytes:
    """A JSON text, or one line of a JSONL text, with one to three values changed, removed, added or renamed."""
    lines = data.split(b"\n") if _several(data) else [data]
    at = rng.randrange(len(lines))
    try:
        value = json.loads(lines[at])
    except ValueError:
        return damaged_bytes(data, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        value = _changed(value, rng)
    text = json.dumps(value)
    for word, raw in RAW.items():
        text = text.replace(f'"{word}"', raw)
    lines[at] = text.encode()
    return b"\n".join(lines)


def _several(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return True
    return False


def _changed(value: Any, rng: Random) -> Any:
    """The value with one place in it changed; deep places are as likely as shallow ones."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        action = rng.random()
        if action < 0.12:
            return {k: v for k, v in value.items() if k != key}
        if action < 0.18:
            return {**value, rng.choice(STRINGS): value[key]}
        if action < 0.22:
            return {(rng.choice(STRINGS) if k == key else k): v for k, v in value.items()}
        return {**value, key: _changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        action = rng.random()
        if action < 0.08:
            return value[:at] + value[at + 1 :]
        if action < 0.14:
            return [*value, value[at]]
        return [*value[:at], _changed(value[at], rng), *value[at + 1 :]]
    if isinstance(value, int | float) and not isinstance(value, bool) and rng.random() < 0.3:
        return rng.choice((-value, value + 1, value * 10**6, value / 3, str(value)))
    return rng.choice(VALUES)


def damaged_bytes(data: bytes, rng: Random) -> bytes:
    """Bytes with one to four places flipped, cut, repeated, moved or written over."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, n = rng.randrange(len(found) + 1), rng.choice((1, 1, 2, 4, 8, 64))
        match rng.randrange(7):
            case 0 if found:
                found[min(at, len(found) - 1)] ^= 1 << rng.randrange(8)
            case 1:
                del found[at:]
            case 2:
                del found[at : at + n]
            case 3:
                found[at:at] = found[at : at + n] * rng.choice((1, 3, 100))
            case 4:
                found[at : at + n] = rng.randbytes(n)
            case 5:
                found[at : at + n] = bytes([rng.choice((0, 255, 127, 128))]) * n
            case _:
                found[at:at] = rng.choice((b"\0", b"\n", b"\xff\xfe", b"\x1b[31m", b'"', b"9" * 5_000, b"[" * 500))
    return bytes(found)


def damaged_npz(data: bytes, rng: Random) -> bytes:
    """An archive with damaged bytes, or whole again around one array whose header or content is another."""
    if rng.random() < 0.4:
        return damaged_bytes(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(parts))
    if rng.random() < 0.2:
        del parts[name]
    elif rng.random() < 0.5:
        parts[name] = damaged_bytes(parts[name], rng)
    else:
        parts[name] = _other_header(parts[name], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for key, value in parts.items():
            archive.writestr(key, value)
    return out.getvalue()


def _other_header(array: bytes, rng: Random) -> bytes:
    shape = rng.choice(
        ("(1000000000000,)", "(0,)", "()", "(2, 500000000000)", "(-1,)", "(1, 2, 3)", "(9" + "9" * 40 + ",)", "(3,)")
    )
    dtype = rng.choice(("<f8", "<i8", "|O", "<U9", "|V0", "|u1", "[('a', '<f8')]", "<c16", "|S1000000000", "<M8[s]"))
    text = (
        f"{{'descr': {dtype if dtype.startswith('[') else repr(dtype)}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    )
    text = text.rjust(118)
    return array[:8] + len(text).to_bytes(2, "little") + text + array[10 + int.from_bytes(array[8:10], "little") :]


OPERATIONS = (
    b"\x80\x04Nr\xff\xff\xff\x3f.",  # nine bytes whose memo would take gigabytes
    b"p999999999\n.",
    b"cos\nsystem\n(S'true'\ntR.",
    b"cnumpy\nndarray\n(J\xff\xff\xff\x7ftR.",
    b"cnumpy\ndtype\n(S'O'\ntR.",
    b"cscipy.sparse._csr\ncsr_matrix\n((J\xff\xff\xff\x3fJ\xff\xff\xff\x3fttR.",
    b"\x80\x02}" + b")" + b"\x85" * 200_000 + b"Ns.",  # a key of nested tuples
    b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
    b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
    b"\x8a\xff" + b"\x7f" * 255 + b".",
    b"(lp0\n",
)
"""Whole pickles that ask for code, for memory or for depth."""


def damaged_pickle(data: bytes, rng: Random) -> bytes:
    """A pickle with damaged bytes, or with operations of another one in front or behind."""
    if rng.random() < 0.7:
        return damaged_bytes(data, rng)
    return rng.choice(OPERATIONS) + (data if rng.random() < 0.3 else b"")


def damaged_lines(data: bytes, rng: Random) -> bytes:
    """A text with one line changed, repeated or removed."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            lines[at] = rng.choice(STRINGS).encode(errors="surrogatepass")
        case 1:
            lines.insert(at, lines[at])
        case 2:
            del lines[at]
        case _:
            return damaged_bytes(data, rng)
    return b"\n".join(lines)


def word(text: str, rng: Random) -> str:
    """A word of a command line, damaged."""
    match rng.randrange(5):
        case 0:
            return rng.choice(STRINGS)
        case 1:
            return text + rng.choice((*STRINGS, "_", "=", ".", ",", "9" * 500))
        case 2:
            return text.replace(rng.choice(text or " "), rng.choice(("", "9" * 40, "-1", "0x", "\n", "(", ")", "é")))
        case 3:
            at = rng.randrange(len(text) + 1)
            return text[:at] + rng.choice((*STRINGS, "9" * 5_000, "-", "*" * 9)) + text[at:]
        case _:
            return damaged_bytes(text.encode(), rng).decode("latin1")


Damage = Callable[[bytes, Random], bytes]
"""Makes a damaged content of a whole one."""


def by_name(name: str) -> Damage:
    """How a file is damaged, by its ending."""
    ending = name.rpartition(".")[2]
    if ending in ("json", "jsonl"):
        return lambda data, rng: damaged_json(data, rng) if rng.random() < 0.8 else damaged_bytes(data, rng)
    return {"npz": damaged_npz, "pickle": damaged_pickle, "txt": damaged_lines, "csv": damaged_lines}.get(ending, damaged_bytes)
