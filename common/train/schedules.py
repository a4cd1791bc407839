"""Learning-rate schedules: functions from the fraction of training done, in [0, 1), to a multiplier of the base rate.

A schedule knows no step count and no optimiser; a longer run stretches it. The `warmup` of each is the fraction of training
over which the multiplier climbs linearly from `WARM` to where the schedule begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from common.errors import UserError

Schedule = Callable[[float], float]

WARM = 1e-3
"""Multiplier at the first step of a warm-up: small, yet no step is wasted on a rate of zero."""


def constant(*, warmup: float = 0.0) -> Schedule:
    """1 throughout."""
    return _warmed(lambda fraction: 1.0, warmup)


def cosine(*, warmup: float = 0.0, floor: float = 0.0) -> Schedule:
    """Half a cosine from 1 to `floor` after the warm-up (Loshchilov and Hutter 2017, without restarts).

    >>> schedule = cosine()
    >>> schedule(0.0), round(schedule(0.5), 3)
    (1.0, 0.5)
    """
    return _warmed(lambda fraction: floor + (1 - floor) * (1 + math.cos(math.pi * _after(fraction, warmup))) / 2, warmup)


def linear(*, warmup: float = 0.0, floor: float = 0.0, hold: float = 0.0) -> Schedule:
    """1 up to the fraction `hold`, then a straight line to `floor` (SPOS and DetNAS train their supernets so, without `hold`).

    Generators of pictures are trained with half of the steps held: pix2pix and CycleGAN.

    Raises:
        UserError: `hold` is not in [0, 1), or ends before the warm-up.
    """
    begin = max(warmup, hold)
    if not 0 <= hold < 1 or (hold and hold < warmup):
        raise UserError(f"the rate is held for {hold} of training, with a warm-up of {warmup}; give a fraction below 1 after it")
    return _warmed(lambda fraction: 1 - (1 - floor) * max(0.0, _after(fraction, begin)), warmup)


def step_decay(*, at: Sequence[float], factor: float = 0.1, warmup: float = 0.0) -> Schedule:
    """`factor` more at each fraction of `at`: (8/12, 11/12) is the usual "1x" schedule of detectors.

    Raises:
        UserError: `at` is not ascending inside (0, 1).
    """
    if list(at) != sorted(set(at)) or not all(0 < fraction < 1 for fraction in at):
        raise UserError(f"the schedule drops at {list(at)}; give ascending fractions of training between 0 and 1")
    # a whole step count can land a hair below the fraction it means: 8 / 12 of 90,000 steps is step 60,000
    return _warmed(lambda fraction: factor ** sum(fraction >= drop - 1e-9 for drop in at), warmup)


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


def _warmed(schedule: Schedule, warmup: float) -> Schedule:
    if not 0 <= warmup < 1:
        raise UserError(f"the warm-up is {warmup} of training; give a fraction from 0 to below 1")

    def warmed(fraction: float) -> float:
        if fraction >= warmup:
            return schedule(fraction)
        return schedule(warmup) * (WARM + (1 - WARM) * fraction / warmup)

    return warmed


def _after(fraction: float, warmup: float) -> float:
    return (fraction - warmup) / (1 - warmup)


def _between(a: float, b: float, fraction: float) -> float:
    return b + (a - b) * (1 + math.cos(math.pi * fraction)) / 2
