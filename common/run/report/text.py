"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from common.run.report.figures import Difference, Spread

DASH = "–"


def number(value: float | None) -> str:
    """A value at four significant digits; large ones with an SI letter (`5.42 M`); a dash for None."""
    if value is None:
        return DASH
    if not math.isfinite(value):
        return str(value)
    value = float(f"{value:.4g}")  # rounded first: 9,999.6 is 10 k
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            factor = 1e3 if letter == "k" else size
            return f"{value / factor:.4g} {letter}"
    if value == int(value):
        return str(int(value))
    return f"{value:.4g}"


def column(values: Sequence[float | None]) -> list[str]:
    """`number` for values that stand below each other: all with the decimals that the finest of them has."""
    texts = [number(value) for value in values]
    if any(text[-1].isalpha() or "e" in text for text in texts):
        return texts
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [DASH if value is None else f"{value:.{decimals}f}" for value in values]


def quantity(value: float | None, unit: str) -> str:
    """`number` followed by its unit, where there is one."""
    return f"{number(value)} {unit}".rstrip() if value is not None else DASH


def mean_sd(value: Spread) -> str:
    """`0.861 ± 0.012`, with as many decimals as the spread supports."""
    if value.sd is None:
        return number(value.mean)
    return _plus_minus(value.mean, value.sd)


def signed(value: Difference) -> str:
    """The size of a difference, without its sign, with the half width of its interval where there is one."""
    if value.half_width is None:
        return number(abs(value.value))
    return _plus_minus(abs(value.value), value.half_width)


def duration(seconds: float) -> str:
    """`45 s`, `2 min 14 s`, `3 h 05 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count(n: int, noun: str, plural: str = "") -> str:
    """`1 seed`, `3 seeds`."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"


def flat(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as (dotted name, text) pairs in file order."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            rows += flat({str(inner): item for inner, item in value.items()}, f"{name}.")
        else:
            rows.append((name, _text(value)))
    return rows


def _text(value: object) -> str:
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return str(value)


def _plus_minus(value: float, margin: float) -> str:
    biggest = max(abs(value), abs(margin))
    value = float(f"{value:.4g}")  # rounded first: 9,999.6 is 10 k
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if biggest >= size:
            factor = 1e3 if letter == "k" else size
            return f"{value / factor:.4g} {letter} ± {margin / factor:.2g} {letter}"
    if margin == 0.0:
        return f"{value:.4g} ± 0"
    decimals = min(6, max(0, 1 - math.floor(math.log10(margin))))
    return f"{value:.{decimals}f} ± {margin:.{decimals}f}"
