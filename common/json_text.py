"""JSON text read with limits, so that no text ends in a traceback: neither here nor where the values are used.

The limits are beyond every file that is in use: nesting of 100 levels, whole numbers of 300 digits (which a float can hold).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from common.errors import cut

DEEPEST = 100
"""Levels of lists and objects in each other."""
MOST_DIGITS = 300
"""Digits of a whole number."""
_CHECKED = 1 << 24  # characters; the values of longer texts are read by their keys, whatever lies below them
_OUTSIDE = re.compile(r'"(?:[^"\\]|\\.)*"|[^\[\]{}"]+', re.DOTALL)
_ONE_KIND = str.maketrans("{}", "[]")
_HALF = re.compile("[\ud800-\udfff]")


class NotJson(ValueError):
    """A text is no JSON, or breaks a limit. The message is the place, where it is known, and the reason, in a few words.

    Attributes:
        reason: without the place: a line of a JSONL file has its number in the file.
    """

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.reason = reason


def parse(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        NotJson: the text is not JSON, or has a number or a nesting beyond the limits.
    """
    try:
        text = text.decode(json.detect_encoding(text)) if isinstance(text, bytes) else text
        value = _decoder.decode(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise NotJson(error.msg, f"line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise NotJson(f"byte {error.start} is no {error.encoding} text") from None
    except RecursionError:
        raise NotJson(f"lists and objects are nested more than {DEEPEST} deep") from None
    if text.count("[") + text.count("{") > DEEPEST and len(text) <= _CHECKED and _deeper(text):
        raise NotJson(f"lists and objects are nested more than {DEEPEST} deep")
    return value


def parse_foreign(text: str | bytes) -> Any:
    """`parse` for texts that other programs wrote: half of a character (`"\\ud800"`), which no file can hold, is refused too.

    Raises:
        NotJson: see `parse`.
    """
    value = parse(text)
    if ("\\u" in text if isinstance(text, str) else b"\\u" in text) and (
        half := _HALF.search(json.dumps(value, ensure_ascii=False))
    ):
        raise NotJson(f"half of a character, \\u{ord(half[0]):04x}, in a text")
    return value


def read_foreign(path: Path) -> Any:
    """`parse_foreign` of a file.

    Raises:
        OSError: the file cannot be read.
        NotJson: see `parse`.
    """
    return parse_foreign(path.read_bytes())


def _deeper(text: str) -> bool:
    """Whether a JSON text is nested more than `DEEPEST` deep: each pass takes the innermost level away."""
    left = _OUTSIDE.sub("", text).translate(_ONE_KIND)
    for _ in range(DEEPEST):
        left = left.replace("[]", "")
    return bool(left)


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise NotJson(f"a number of {len(digits):,} digits ({cut(digits, 12)}), {MOST_DIGITS} are the most")
    return int(digits)


_decoder = json.JSONDecoder(parse_int=_whole)
