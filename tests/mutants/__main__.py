"""A mutation run: mistakes are planted in the core, one at a time, and the tests of the file must notice (`make mutants`).

The work is done on copies of the checkout. A mutant survives if its own tests, those of its folder and, for some packages, the
laws all pass. A survivor's reason is a line of `reasons.json`: the key is the mutant's name.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from random import Random
from tempfile import TemporaryDirectory
from typing import Literal

from tests.mutants.changes import Mutant, mutants
from tests.mutants.page import Outcome, page

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("supernet", "relax", "search", "evaluate", "run", "cost")
LAWS = {"supernet": "law_1 or law_3", "evaluate": "law_4", "cost": "law_5"}
"""Laws of `tests/contracts/test_laws.py` that are about a package."""
OTHERS = {"relax": ["tests/common/train/test_alternate.py"], "evaluate": ["tests/common/stages"], "run": ["tests/common/stages"]}
"""Further tests of a package, which run last."""
Fate = Literal["killed", "timeout", "survived"]


def sampled(package: str, count: int, seed: int) -> list[Mutant]:
    """A sample of a package's mutants, always the same for a seed."""
    files = sorted((ROOT / "common" / package).rglob("*.py"))
    every = [mutant for file in files for mutant in mutants(str(file.relative_to(ROOT)), file.read_bytes())]
    return sorted(Random(f"{seed} {package}").sample(every, min(count, len(every))))


def runs_of(file: str) -> list[list[str]]:
    """Arguments of pytest in the order in which they are tried: the file's own tests, its folder's, then others."""
    path = Path(file)
    own = Path("tests") / path.parent / f"test_{path.stem}.py"
    (folder, *more), *others = others_of(path.parts[1])
    if not (ROOT / own).exists():
        return [[folder, *more], *others]
    return [[str(own)], [folder, f"--ignore={own}"], *others]


def others_of(package: str) -> list[list[str]]:
    """The same for a whole package."""
    runs = [[f"tests/common/{package}"]]
    if package in LAWS:
        runs.append(["tests/contracts/test_laws.py", "-k", f"({LAWS[package]}) and (toy or tiny)"])
    return [*runs, *([test] for test in OTHERS.get(package, []))]


def fate(copy: Path, mutant: Mutant, limit: float) -> Fate:
    """What becomes of a mutant in a copy of the checkout, which is as it was afterwards."""
    target = copy / mutant.file
    source = target.read_bytes()
    target.write_bytes(mutant.planted(source))
    try:
        for words in runs_of(mutant.file):
            if (result := passes(copy, words, limit)) != "survived":
                return result
        return "survived"
    finally:
        target.write_bytes(source)


def passes(copy: Path, words: list[str], limit: float) -> Fate:
    """`survived` if these tests pass within so many seconds."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *words]
    try:
        done = subprocess.run(command, cwd=copy, capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return "timeout"
    return "survived" if done.returncode in (0, 5) else "killed"  # 5: there are no such tests


def copied(target: Path) -> Path:
    """The files of the checkout that git knows, in a folder of their own."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (source := ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
    return target


def main() -> None:
    """Runs the mutants and writes the page."""
    parser = argparse.ArgumentParser(prog="make mutants", description="Plants mistakes in the core; the tests must notice.")
    parser.add_argument("--packages", nargs="+", default=PACKAGES, choices=PACKAGES)
    parser.add_argument("--count", type=int, default=150, help="mutants of each package (150)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument("--workers", type=int, default=2, help="mutants at a time (2)")
    parser.add_argument("--limit", type=float, default=300, help="seconds for each run of tests (300)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "mutants.md")
    given = parser.parse_args()
    chosen = [mutant for package in given.packages for mutant in sampled(package, given.count, given.seed)]
    with TemporaryDirectory() as folder:
        free: Queue[Path] = Queue()
        for i in range(given.workers):
            free.put(copied(Path(folder) / str(i)))
        start = time.monotonic()

        def tried(mutant: Mutant) -> Outcome:
            copy = free.get()
            try:
                outcome = Outcome(mutant=mutant, fate=fate(copy, mutant, given.limit))
            finally:
                free.put(copy)
            print(f"{time.monotonic() - start:7.0f} s  {outcome.fate:8}  line {mutant.line} of {mutant.name}", flush=True)
            return outcome

        for words in [words for package in given.packages for words in others_of(package)]:
            if passes(Path(folder) / "0", words, given.limit) != "survived":
                sys.exit(f"these tests fail without a mutant: pytest {' '.join(words)}")
        with ThreadPoolExecutor(given.workers) as pool:
            outcomes = list(pool.map(tried, chosen))
    reasons = json.loads((Path(__file__).parent / "reasons.json").read_text())
    given.out.write_text(page(outcomes, reasons, given.seed, time.monotonic() - start))
    print(given.out)


if __name__ == "__main__":
    main()
