"""Files that survive a killed process and a full disk: written aside and renamed, or appended line by line.

`write_atomic` leaves either the old file or the new one. `Jsonl` leaves whole lines: a line cut short by a kill is dropped on
`repair`, and a line that did not fit on the disk is taken back before the error is raised.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError, shown
from common.json_text import NotJson, parse
from common.run.schema import misfit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file size limit is reached",
}
_RESTORE = "restore the file or start a new run with another --out"
_READABLE = "make it readable, or restore it from a copy"
_DENIED = {
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EROFS: "the file system is read-only",
}


@contextmanager
def disk_errors(path: Path, kept: str) -> Iterator[None]:
    """Turns a full or read-only disk met while writing `path` into one line for the user.

    Args:
        path: the file that is being written.
        kept: what is still whole after the failure.

    Raises:
        UserError: naming the file, the cause, what survived and the remedy.
        OSError: every other one, with the name of the file.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            cause, remedy = _FULL[error.errno], "free some space and run again with --resume"
        elif error.errno in _DENIED:
            cause, remedy = _DENIED[error.errno], "make the folder writable or give another --out"
        else:
            if error.filename is None:  # a write and an fsync know a number only
                error.filename = str(path)
            raise
        raise UserError(f"cannot write {path}: {cause}; {kept}; {remedy}") from error


def write_all(handle: int, data: bytes) -> None:
    """Writes all of `data` to the file descriptor: the system has it then, and keeps it if the process is killed."""
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def sync(path: Path) -> None:
    """Waits until the disk has a file, or the names in a folder (a rename is durable only after this).

    Raises:
        UserError: the disk is full, or has become read-only.
    """
    with disk_errors(path, "what was written before is kept"):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_new(path: Path, data: bytes) -> None:
    """Writes `data` to `path` and waits for the disk; not atomic, for files inside a folder that is renamed as a whole."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, data: bytes) -> None:
    """Replaces the file `path` by `data`; a kill or a full disk leaves the file that was there before.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    aside = path.with_name(f".{path.name}.tmp")
    with disk_errors(path, "the file that was there before, if any, is untouched"):
        try:
            write_new(aside, data)
            os.replace(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        sync(path.parent)


def check_folder(path: Path, option: str = "--out") -> None:
    """Refuses a folder for results that cannot be one, before work is spent on the results; makes nothing.

    Args:
        path: the folder.
        option: what the user gives it as, for the message.

    Raises:
        UserError: a file is in its place or in that of a parent, or the place cannot be written.
    """
    there = next(part for part in (path, *path.absolute().parents) if part.exists() or part.is_symlink())
    if not there.is_dir():
        raise UserError(f"{there} is a file; give a folder as {option}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{there} cannot be written (permission is denied); make it writable or give another {option}")


def free_path(folder: Path, name: str, ending: str, taken: set[Path]) -> Path:
    """A path in `folder` that is not in `taken`, to which it is added: NAME + ending, NAME-2 + ending, ...

    Args:
        folder: of the path.
        name: how its file's name begins.
        ending: how it ends, `.png` say.
        taken: resolved paths, of files that must not be overwritten.
    """
    path, n = folder / f"{name}{ending}", 2
    while path.resolve() in taken:
        path, n = folder / f"{name}-{n}{ending}", n + 1
    taken.add(path.resolve())
    return path


def write_json(path: Path, value: object) -> None:
    """Writes `value` as indented JSON, atomically."""
    write_atomic(path, (json.dumps(value, indent=2) + "\n").encode())


def read_json(path: Path) -> Any:
    """The JSON value in `path`, a file of a run.

    Raises:
        UserError: the file is missing, is not JSON, or does not fit its schema (`common.run.schema`).
    """
    try:
        value = parse(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path} is missing; give the folder of a run") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); {_READABLE}") from None
    except NotJson as error:
        raise UserError(f"{path} is damaged: {error}; {_RESTORE}") from None
    if fault := misfit(path, value):
        raise UserError(f"{path} is damaged: {fault}; {_RESTORE}")
    return value


def remove_tree(path: Path) -> None:
    """Removes a folder with all it holds; nothing happens if it is not there."""
    shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Jsonl:
    """A file with one JSON object per line that only grows.

    Attributes:
        path: the file.
        of_run: whether it is a file of a run, whose rows have the schema that belongs to its name (`common.run.schema`).
    """

    path: Path
    of_run: bool = True

    def append(self, row: Mapping[str, object], *, durable: bool = True) -> None:
        """Adds one line with one write.

        Args:
            row: JSON values.
            durable: wait until the disk has it, milliseconds often. Without, a kill still loses nothing, a power cut may.

        Raises:
            UserError: the disk is full; every earlier line is kept and no part of this one.
        """
        line = (json.dumps(row) + "\n").encode()
        with disk_errors(self.path, "every line written before is kept"):
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                before = os.fstat(handle).st_size
                try:
                    write_all(handle, line)
                    if durable:
                        os.fsync(handle)
                except BaseException as error:
                    # Ctrl-C while waiting for the disk takes nothing back: the line is whole, and others may have read it.
                    if isinstance(error, OSError) or os.fstat(handle).st_size < before + len(line):
                        os.ftruncate(handle, before)
                    raise
            finally:
                os.close(handle)
            if before == 0 and durable:
                sync(self.path.parent)

    def rows(self) -> list[dict[str, Any]]:
        """All whole lines, in order; a last line without its end (the writer was killed) is left out.

        Raises:
            UserError: a whole line is not a JSON object, or does not fit the file's schema; names the file and the line number.
        """
        try:
            *lines, _ = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be read ({error.strerror}); make it readable, or restore it from a copy"
            ) from None
        return [self._row(number, line) for number, line in enumerate(lines, start=1)]

    def _row(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            row = parse(line)
            fault = "" if isinstance(row, dict) else f"not a JSON object ({shown(row)})"
            if not fault and self.of_run:
                fault = misfit(self.path, row)
        except NotJson as error:
            row, fault = {}, f"not a JSON object ({shown(line[:40].decode(errors='replace'))}: {error.reason})"
        if fault:
            remedy = f"restore the file, or cut it before line {number} and run again with --resume"
            raise UserError(f"{self.path}, line {number}: {fault}; {remedy}")
        return row

    def repair(self) -> None:
        """Cuts off a half-written last line, so that the next `append` starts a line of its own."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self.path, whole)
