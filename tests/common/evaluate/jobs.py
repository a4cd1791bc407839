"""Jobs and evaluators for worker processes: they must be importable there."""

from __future__ import annotations

import os
import time
from pathlib import Path

from common.errors import UserError
from common.evaluate import pool
from common.evaluate.base import Scores
from common.evaluate.wrappers import Each


def square(x: int) -> int:
    time.sleep(0.02 * (x % 3))
    return x * x


def wait_for(mark: Path | None) -> bool:
    end = time.monotonic() + 10
    while mark is not None and not mark.exists() and time.monotonic() < end:
        time.sleep(0.01)
    return mark is None or mark.exists()


def mark_and_sleep(mark: Path) -> None:
    mark.touch()
    time.sleep(20)


def process(_: object) -> int:
    return os.getpid()


def threads(_: int) -> int:
    import torch  # here alone: most scripts of the tests start without it

    return torch.get_num_threads()


def evaluators_kept(_: None) -> int:
    return len(pool._made)


def stumble(x: int) -> int:
    if x == 2:
        raise KeyError("two")
    return x


def die(x: int) -> int:
    if x == 0:
        time.sleep(0.1)
    if x == 1:
        os._exit(9)
    return x


def die_slowly(_: int) -> None:
    time.sleep(0.2)
    os._exit(9)


def sleep_long(x: int) -> int:
    Path(os.environ["POOL_TEST_DIR"], f"{os.getpid()}").touch()
    time.sleep(60)
    return x


def score(arch, fidelity):
    gene = arch["0"]
    if fidelity == "deadly" and gene != 4:
        time.sleep(0.03 * (1 + gene))  # long enough to be lost with what runs beside it
    if gene == 3:
        raise ValueError("gene 3\nis bad")
    if gene == 5:
        raise UserError("file x is missing: put it there")
    if gene == 4 and fidelity == "deadly":
        os._exit(9)
    return {"gene": gene, "full": float(fidelity == "full")}


def make_evaluator():
    return Each(score)


def careless(archs, fidelity):
    return [Scores(values=score(arch, fidelity)) for arch in archs]


def make_careless():
    return careless
