"""Drawing architectures and moving between them; every result is a valid architecture of the space."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from random import Random
from typing import Any

from common.errors import UserError
from common.space.values import Arch, Decision, Invalid, ManyOf, OneOf, Repeat, Where
from common.space.walk import parts, record

TRIES = 1000
"""Draws before a `Where` rule counts as impossible to meet by sampling."""


def _attempts(space: Any, draw: Callable[[], Arch]) -> Arch:
    why = ""
    for _ in range(TRIES):
        try:
            return draw()
        except Invalid as broken:
            why = str(broken)
    raise UserError(f"no valid architecture in {TRIES} draws: the rule {why!r} is too narrow for sampling; loosen the space")


def sample(space: Any, rng: Random) -> Arch:
    """An architecture with every live decision drawn uniformly."""
    return _attempts(space, lambda: record(space, lambda _, decision: rng.randrange(len(decision))))


def sample_leaning(space: Any, rng: Random, ratio: float) -> Arch:
    """An architecture whose decisions lean towards their last options (`ratio` above 1) or their first ones (below 1).

    The last option of a decision is `ratio` (above 0) times as likely as its first, the others between them in equal steps: the
    "arithmetic" initial sampling of GAN Compression's evolution.
    """

    def oracle(_: str, decision: Decision) -> int:
        n = len(decision)
        steps = max(1, n - 1)
        return rng.choices(range(n), [1 + (ratio - 1) * i / steps for i in range(n)])[0]

    return _attempts(space, lambda: record(space, oracle))


def mutate(space: Any, arch: Arch, rng: Random, rate: float = 0.1, alone: Mapping[str, int] | None = None) -> Arch:
    """A different architecture: one live decision changes for sure, each other one with probability `rate`.

    Args:
        space: The description with open decisions.
        arch: What is changed; it is left as it is.
        rng: Of the draws.
        rate: Probability of each further change.
        alone: `alone(space)`, kept by who calls this often: where one decision changes and it stands alone, nothing is walked.
            It changes neither what is drawn nor the random numbers behind it.

    Raises:
        UserError: nothing in `arch` can change.
    """
    candidates = sorted(arch)  # not as written down: equal architectures mutate equally
    short = alone if alone is not None and rate == 0 else {}

    def moved(forced: str) -> Arch | None:
        if (n := short.get(forced, 0)) > 1:
            return arch.switched(forced, (arch[forced] + rng.randrange(1, n)) % n)
        stuck = False

        def oracle(path: str, decision: Decision) -> int:
            nonlocal stuck
            if path not in arch:
                return rng.randrange(len(decision))
            old, n = arch[path], len(decision)
            stuck = stuck or (path == forced and n == 1)
            if n > 1 and (path == forced or (rate > 0 and rng.random() < rate)):
                return (old + rng.randrange(1, n)) % n
            return old

        child = record(space, oracle)
        return None if stuck else child

    def draw() -> Arch:
        while candidates:
            position = rng.randrange(len(candidates))
            if (child := moved(candidates[position])) is not None:
                return child
            del candidates[position]  # a decision of one option
        raise UserError("the space holds a single architecture: there is nothing to mutate")

    return _attempts(space, draw)


def alone(space: Any, path: str = "") -> dict[str, int]:
    """The decisions that stand alone: path -> number of options, for each that may be live.

    Changing one of them changes that entry of an architecture and nothing else, whatever the rest is: its options hold no
    decisions, it is no number of copies, and no rule spans it (a `Where`, or a dataclass that looks at its fields itself).
    """
    kind = type(space)
    if kind is Where or hasattr(kind, "__post_init__"):
        return {}
    if isinstance(space, OneOf | ManyOf) and all(_settled(option) for option in space.options):
        return {path: len(space)}
    found: dict[str, int] = {}
    for part_path, part in parts(space, path):
        if not (isinstance(space, Repeat) and part is space.count):
            found.update(alone(part, part_path))
    return found


def _settled(option: Any) -> bool:
    """Whether nothing in `option` is open."""
    rule_or_open = isinstance(option, OneOf | ManyOf | Repeat | Where) or hasattr(type(option), "__post_init__")
    return not rule_or_open and all(_settled(part) for _, part in parts(option, ""))


def redraw(space: Any, arch: Arch, rng: Random, rate: float) -> Arch:
    """Re-draws each live decision with probability `rate`; a draw may give the old value (SPOS, DetNAS)."""

    def oracle(path: str, decision: Decision) -> int:
        old = arch.get(path)
        return rng.randrange(len(decision)) if old is None or rng.random() < rate else old

    return _attempts(space, lambda: record(space, oracle))


def crossover(space: Any, a: Arch, b: Arch, rng: Random) -> Arch:
    """Takes every decision from one of the parents that have it, else draws it: the child is always inside the space."""

    def oracle(path: str, decision: Decision) -> int:
        if path in a and path in b:
            return (a if rng.random() < 0.5 else b)[path]
        return a[path] if path in a else b[path] if path in b else rng.randrange(len(decision))

    return _attempts(space, lambda: record(space, oracle))


def neighbours(space: Any, arch: Arch) -> Iterator[Arch]:
    """Every valid architecture that differs from `arch` in one decision; decisions that come alive take their first option."""
    live: dict[str, int] = {}
    record(space, lambda path, decision: arch[path] if live.setdefault(path, len(decision)) else 0)
    for path, n in live.items():
        for index in range(n):
            if index != arch[path]:
                moved = {**arch, path: index}
                try:
                    yield record(space, lambda p, _, moved=moved: moved.get(p, 0))
                except Invalid:
                    continue


def enumerate_all(space: Any, settled: Callable[[str], int | None] = lambda path: None) -> Iterator[Arch]:
    """Every valid architecture once, in lexicographic order: an odometer over the live decisions.

    Args:
        space: The description with open decisions.
        settled: Decision path -> the option it keeps, or None if it is to be enumerated; all are by default.
    """
    digits: tuple[int, ...] | None = ()
    while digits is not None:
        sizes: list[int] = []
        turned: list[int] = []

        def oracle(
            path: str,
            decision: Decision,
            digits: tuple[int, ...] = digits,
            sizes: list[int] = sizes,
            turned: list[int] = turned,
        ) -> int:
            if (kept := settled(path)) is not None:
                return kept
            turned.append(digits[len(sizes)] if len(sizes) < len(digits) else 0)
            sizes.append(len(decision))
            return turned[-1]

        with suppress(Invalid):  # the odometer turns at the last decision that the broken rule saw
            yield record(space, oracle)
        turn = next((i for i in reversed(range(len(turned))) if turned[i] + 1 < sizes[i]), None)
        digits = None if turn is None else (*turned[:turn], turned[turn] + 1)
