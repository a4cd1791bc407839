"""Learning-rate schedules: functions from the fraction of training done, in [0, 1), to a multiplier of the base rate.

A schedule knows no step count and no optimiser; a longer run stretches it. The `warmup` of each is the fraction of training
over which the multiplier climbs linearly from `warm` times where the schedule begins to there.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from common.errors import UserError

Schedule = Callable[[float], float]

WARM = 1e-3
"""Where a warm-up begins unless said otherwise: small, yet no step is wasted on a rate of zero."""


def constant(*, warmup: float = 0.0, warm: float = WARM) -> Schedule:
    """1 throughout."""
    return _warmed(lambda fraction: 1.0, warmup, warm)


def cosine(*, warmup: float = 0.0, warm: float = WARM, floor: float = 0.0, restarts: int = 0, growth: float = 1.0) -> Schedule:
    """Half a cosine from 1 to `floor` after the warm-up, begun again `restarts` times (SGDR, Loshchilov and Hutter 2017).

    Args:
        warmup: as in every schedule.
        warm: as in every schedule.
        floor: where each half cosine ends.
        restarts: how often it begins again at 1.
        growth: length of a cycle in units of the one before: 2 is the paper's T_mult = 2.

    >>> schedule = cosine()
    >>> schedule(0.0), round(schedule(0.5), 3)
    (1.0, 0.5)
    >>> twice = cosine(restarts=1, growth=2.0)  # cycles of a third and of two thirds of training
    >>> round(twice(1 / 6), 3), round(twice(1 / 3 + 1e-9), 3), round(twice(2 / 3), 3)
    (0.5, 1.0, 0.5)

    Raises:
        UserError: fewer than 0 restarts, or a growth that is not above 0.
    """
    if restarts < 0 or not growth > 0:
        raise UserError(
            f"the cosine has {restarts} restarts and cycles that grow by {growth}; give 0 or more, and a number above 0"
        )
    lengths = [growth**i for i in range(restarts + 1)]
    ends = [end / sum(lengths) for end in accumulate(lengths)]

    def schedule(fraction: float) -> float:
        done = _after(fraction, warmup)
        cycle = min(bisect_right(ends, done), restarts)
        begin = ends[cycle - 1] if cycle else 0.0
        within = done if not restarts else (done - begin) / (ends[cycle] - begin)
        return floor + (1 - floor) * (1 + math.cos(math.pi * within)) / 2

    return _warmed(schedule, warmup, warm)


def exponential(*, factor: float, every: float, warmup: float = 0.0, warm: float = WARM) -> Schedule:
    """`factor` more after every `every` of training, in steps: 0.97 every 2.4 of 350 epochs for EfficientNet (1905.11946, 5.2).

    Steps are counted from the beginning of training, the warm-up included.

    Raises:
        UserError: `factor` is not in (0, 1], or `every` not in (0, 1].
    """
    if not (0 < factor <= 1 and 0 < every <= 1):
        raise UserError(f"the rate falls to {factor} of itself every {every} of training; give two numbers above 0, at most 1")
    return _warmed(lambda fraction: factor ** math.floor(fraction / every + 1e-9), warmup, warm)


def linear(*, warmup: float = 0.0, warm: float = WARM, floor: float = 0.0, hold: float = 0.0) -> Schedule:
    """1 up to the fraction `hold`, then a straight line to `floor` (SPOS and DetNAS train their supernets so, without `hold`).

    Generators of pictures are trained with half of the steps held: pix2pix and CycleGAN.

    Raises:
        UserError: `hold` is not in [0, 1), or ends before the warm-up.
    """
    begin = max(warmup, hold)
    if not 0 <= hold < 1 or (hold and hold < warmup):
        raise UserError(f"the rate is held for {hold} of training, with a warm-up of {warmup}; give a fraction below 1 after it")
    return _warmed(lambda fraction: 1 - (1 - floor) * max(0.0, _after(fraction, begin)), warmup, warm)


def step_decay(*, at: Sequence[float], factor: float = 0.1, warmup: float = 0.0, warm: float = WARM) -> Schedule:
    """`factor` more at each fraction of `at`: (8/12, 11/12) is the usual "1x" schedule of detectors.

    Raises:
        UserError: `at` is not ascending inside (0, 1).
    """
    if list(at) != sorted(set(at)) or not all(0 < fraction < 1 for fraction in at):
        raise UserError(f"the schedule drops at {list(at)}; give ascending fractions of training between 0 and 1")
    # a whole step count can land a hair below the fraction it means: 8 / 12 of 90,000 steps is step 60,000
    return _warmed(lambda fraction: factor ** sum(fraction >= drop - 1e-9 for drop in at), warmup, warm)


def one_cycle(*, peak: float = 0.3, start: float = 1 / 25, end: float = 1e-4) -> Schedule:
    """Up from `start` to 1 at fraction `peak`, then down to `end`, both along half a cosine (Smith and Topin 2018).

    Raises:
        UserError: `peak` is not inside (0, 1).
    """
    if not 0 < peak < 1:
        raise UserError(f"the one-cycle schedule peaks at {peak}; give a fraction of training between 0 and 1")

    def schedule(fraction: float) -> float:
        if fraction < peak:
            return _between(start, 1.0, fraction / peak)
        return _between(1.0, end, (fraction - peak) / (1 - peak))

    return schedule


def _warmed(schedule: Schedule, warmup: float, warm: float) -> Schedule:
    if not 0 <= warmup < 1:
        raise UserError(f"the warm-up is {warmup} of training; give a fraction from 0 to below 1")
    if not 0 < warm <= 1:
        raise UserError(f"the warm-up begins at {warm} of the rate; give a number above 0, at most 1")

    def warmed(fraction: float) -> float:
        if fraction >= warmup:
            return schedule(fraction)
        return schedule(warmup) * (warm + (1 - warm) * fraction / warmup)

    return warmed


def _after(fraction: float, warmup: float) -> float:
    return (fraction - warmup) / (1 - warmup)


def _between(a: float, b: float, fraction: float) -> float:
    return b + (a - b) * (1 + math.cos(math.pi * fraction)) / 2
