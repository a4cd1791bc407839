"""A mutation run: mistakes are planted in the core, one at a time, and the tests must notice (`make mutants`).

The work is done on copies of the checkout. A mutant survives if all tests that run its line pass. What becomes of a mutant is
written to a log at once; a mutant that a log calls noticed is not tried again, so that a run can be continued, and repeated for
its survivors after tests were added. Why a mutant survives is a row of `reasons.json`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.mutants.changes import Mutant, mutants
from tests.mutants.covering import ROOT, Covering, measured
from tests.mutants.page import Outcome, page
from tests.mutants.reasons import reasons
from tests.mutants.trial import failing, fate, prepare

PACKAGES = ("supernet", "relax", "search", "evaluate", "run", "cost")


def sampled(package: str, count: int, seed: int) -> list[Mutant]:
    """A sample of a package's mutants, always the same for a seed."""
    files = sorted((ROOT / "common" / package).rglob("*.py"))
    every = [mutant for file in files for mutant in mutants(str(file.relative_to(ROOT)), file.read_bytes())]
    return sorted(Random(f"{seed} {package}").sample(every, min(count, len(every))))


def copied(target: Path) -> Path:
    """The files of the checkout that git knows, in a folder of their own."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (source := ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
    return target


def tried(copies: Path, covering: Covering, mutant: Mutant) -> Outcome:
    """What becomes of one mutant, in the copy of this process, within three times what its tests take without it, and 20 s."""
    copy = _own(copies)
    tests = covering.order(mutant.file, mutant.lines)
    limit = 20 + 3 * sum(covering.seconds[test] for test in tests)
    start = time.monotonic()
    result = fate(copy, mutant, tests, limit) if tests else "survived"
    return Outcome(mutant=mutant, fate=result, tests=len(tests), seconds=time.monotonic() - start)


def controlled(copies: Path, covering: Covering, tests: list[str]) -> set[str]:
    """Those of the tests that fail without a mutant where the trials run."""
    return failing(_own(copies), tests, 60 + 3 * sum(covering.seconds[test] for test in tests))


def _own(copies: Path) -> Path:
    copy = copies / str(multiprocessing.current_process()._identity[0])  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]  # the pool's number
    if not copy.exists():
        shutil.copytree(copies / "measured", copy)
    return copy


def known(log: Path) -> dict[Mutant, Outcome]:
    """The outcomes of a log; of two for the same mutant the last."""
    if not log.exists():
        return {}
    outcomes = [Outcome.read(json.loads(line)) for line in log.read_text().splitlines()]
    return {outcome.mutant: outcome for outcome in outcomes}


def outcomes_of(todo: list[Mutant], workers: int) -> Iterator[Outcome]:
    """Tries mutants, several at a time, with the tests that pass without one.

    All tests run without a mutant first, as the trials run them; and in each package a change that changes nothing must survive.
    """
    with TemporaryDirectory() as folder:
        copies = Path(folder).resolve()
        covering = measured(copied(copies / "measured"))
        prepare()
        with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
            asked = sorted({test for mutant in todo for test in covering.order(mutant.file, mutant.lines)})
            shares = [share for i in range(workers) if (share := asked[i::workers])]
            for failing_there in pool.map(partial(controlled, copies, covering), shares):
                covering.drop(failing_there)
            controls = {mutant.file.split("/")[1]: replace(mutant, after=mutant.before) for mutant in todo}
            for outcome in pool.map(partial(tried, copies, covering), controls.values()):
                if outcome.fate != "survived":
                    sys.exit(f"{outcome.fate} without a mutant: {covering.order(outcome.mutant.file, outcome.mutant.lines)}")
            yield from pool.map(partial(tried, copies, covering), todo)


def main() -> None:
    """Runs the mutants and writes the page."""
    parser = argparse.ArgumentParser(prog="make mutants", description="Plants mistakes in the core; the tests must notice.")
    parser.add_argument("--packages", nargs="+", default=PACKAGES, choices=PACKAGES)
    parser.add_argument("--count", type=int, default=150, help="mutants of each package (150)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument("--workers", type=int, default=2, help="mutants at a time (2)")
    parser.add_argument("--log", type=Path, default=ROOT / "runs" / "mutants.jsonl", help="outcomes so far (runs/mutants.jsonl)")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "mutants.md", help="the page (runs/mutants.md)")
    given = parser.parse_args()
    if min(given.count, given.workers) < 1:
        parser.error("--count and --workers: give 1 or more")
    for file in (given.log, given.out):
        if file.is_dir() or not (file.parent == ROOT / "runs" or file.parent.is_dir()):
            parser.error(f"{file}: give a file in a folder that exists")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its background jobs ignore it, and tests send it
    chosen = [mutant for package in given.packages for mutant in sampled(package, given.count, given.seed)]
    so_far = known(given.log)
    todo = [mutant for mutant in chosen if mutant not in so_far or so_far[mutant].fate == "survived"]
    (ROOT / "runs").mkdir(exist_ok=True)
    start = time.monotonic()
    with given.log.open("a") as log:
        for outcome in outcomes_of(todo, given.workers) if todo else ():
            so_far[outcome.mutant] = outcome
            log.write(json.dumps(outcome.row()) + "\n")
            log.flush()
            place = f"{outcome.mutant.file}, line {outcome.mutant.line}: {outcome.mutant.change}"
            print(f"{time.monotonic() - start:6.0f} s  {outcome.fate:8}  {place} ({outcome.tests} tests)", flush=True)
    given.out.write_text(page([so_far[mutant] for mutant in chosen], reasons(chosen), given.seed))
    print(given.out)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nStopped. What was found so far is in the log; the same command goes on.")
    except TimeoutError as error:
        sys.exit(f"\n{error}; a slow machine needs fewer --workers, a test that hangs has to be mended first")
