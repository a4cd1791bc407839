"""A case: whole files, what reads them, and the outcomes that are allowed."""

import os
import shutil
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp

from common.errors import MOST, UserError
from tests.fuzz.damage import Damage, by_name

SECONDS = 10
"""Most seconds of an input; a busy machine takes some of them."""
MEGABYTES = 500
"""Most memory that an input adds to what the process has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Inputs of one kind.

    Attributes:
        name: of the kind.
        make: writes whole files into a folder.
        read: reads the folder, as a verb does.
        files: patterns of the files that are damaged.
        share: inputs of this kind among 100 of all, roughly: kinds that take long have few.
        damage: how; by the file's ending if None.
    """

    name: str
    make: Callable[[Path], object]
    read: Callable[[Path, Random], object]
    files: tuple[str, ...] = ()
    share: int = 4
    damage: Damage | None = None


@cache
def whole(case: Case) -> Path:
    """A folder with the case's whole files, made once in a process; reading them must succeed."""
    folder = Path(mkdtemp(prefix="fuzz-"))
    case.make(folder)
    if case.files:
        case.read(folder, Random(0))
    return folder


def tried(case: Case, seed: int) -> str:
    """What is wrong with how one damaged input ended; empty if nothing is. The folder is whole again afterwards."""
    rng, folder = Random(f"{case.name} {seed}"), whole(case)
    files = sorted(file for pattern in case.files for file in folder.glob(pattern) if file.is_file())
    if not files:
        return outcome(lambda: case.read(folder, rng))
    file = rng.choice(files)
    data = file.read_bytes()
    damaged = (case.damage or by_name(file.name))(data, rng)
    file.write_bytes(damaged)
    try:
        found = outcome(lambda: case.read(folder, rng))
    finally:
        file.write_bytes(data)
    return f"{file.relative_to(folder)}: {found}\n  input: {damaged[:300]!r}" if found else ""


def outcome(call: Callable[[], object]) -> str:
    """Calls; what is wrong with the way it ended."""
    start, before = time.monotonic(), _peak()
    try:
        with _limited(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
        said = ""
    except UserError as error:
        said = _faults(str(error))
    except (Exception, SystemExit):
        said = traceback.format_exc(limit=-6)[-2_500:]
    taken, more = time.monotonic() - start, (_peak(begin=False) - before) / 1024
    if taken > SECONDS:
        said += f"\n{taken:.1f} s"
    if more > MEGABYTES:
        said += f"\n{more:,.0f} MB"
    return said


def _peak(*, begin: bool = True) -> int:
    """The most memory of the process in KiB, since the last call that began anew: an earlier peak would hide a new one."""
    if begin:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1])


def _faults(message: str) -> str:
    if not message.isprintable() and not message.replace("\xa0", " ").isprintable():
        return f"the message is not one line of characters that show: {message[:200]!r}"
    if len(message) > MOST + 10:
        return f"the message has {len(message):,} characters: {message[:200]!r}"
    return "" if message.strip() else "the message is empty"


@contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"more than {2 * SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 2 * SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def cleared(folder: Path) -> Path:
    """An empty folder for results."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder
