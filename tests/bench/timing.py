"""How calls are timed. A and B are always timed in turns, so that a machine's moods meet both alike."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, process_time


def timed(f: Callable[[], object], clock: Callable[[], float] = perf_counter) -> float:
    """Seconds of one call."""
    start = clock()
    f()
    return clock() - start


def ratios(
    a: Callable[[], object], b: Callable[[], object], repeats: int, *, warm_up: int, before: Callable[[], object] = lambda: None
) -> list[float]:
    """Processor time of `a` over that of `b`, `repeats` times; not the time that other processes took.

    Args:
        a: one call.
        b: the other; they take turns in going first.
        repeats: pairs that count.
        warm_up: pairs before them that do not.
        before: called before each call, and not timed.
    """
    found = []
    for repeat in range(warm_up + repeats):
        times = [0.0, 0.0]
        for side in (0, 1) if repeat % 2 else (1, 0):
            before()
            times[side] = timed((a, b)[side], process_time)
        if repeat >= warm_up:
            found.append(times[0] / times[1])
    return found
