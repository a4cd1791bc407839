"""Digests of the weights in a run folder: one flipped bit in a file is noticed before the file is used.

Beside every file of weights, `best/model.safetensors` say, lies `best/model.safetensors.json` with its size and its SHA-256.
The digest is written last and removed first: a killed process leaves weights without a digest, never a digest of other weights.
Runs of version 0.1 before that have no digests; their weights are read with a note. No torch here: `compare` reads no weights.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.run.files import disk_errors, read_json, write_atomic, write_json

FOLDERS = ("weights", "retrained", "best")
"""Folders of a run that hold weights."""

_noted: set[Path] = set()


def digest_of(data: bytes) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file's content, as JSON values."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def digest_file(path: Path) -> Path:
    """The file that holds the digest of `path`."""
    return path.with_name(f"{path.name}.json")


def write_with_digest(path: Path, data: bytes) -> None:
    """Writes `data` to `path`, atomically, and then its digest beside it.

    Raises:
        UserError: the disk is full or cannot be written.
    """
    with disk_errors(path, "the file that was there before, if any, is untouched"):
        digest_file(path).unlink(missing_ok=True)
    write_atomic(path, data)
    write_json(digest_file(path), digest_of(data))


def read_with_digest(path: Path) -> bytes:
    """The content of `path`, compared with its digest. Without a digest, a note on standard error names the file, once.

    Raises:
        OSError: the file cannot be read.
        UserError: the content is not what was written, or the digest itself is damaged; names the file and the remedy.
    """
    data = path.read_bytes()
    if fault := _fault(path, data):
        raise UserError(fault)
    if not digest_file(path).exists() and path.resolve() not in _noted:
        _noted.add(path.resolve())
        print(f"note: {path} has no digest ({digest_file(path).name}), so damage to it would not be noticed", file=sys.stderr)
    return data


def record_digest(path: Path) -> None:
    """Writes the digest of a file that lies there already.

    Raises:
        UserError: the disk is full or cannot be written.
    """
    write_json(digest_file(path), digest_of(path.read_bytes()))


def damaged_weights(run: Path, kinds: Sequence[str] = ("safetensors", "onnx")) -> list[str]:
    """What is wrong with the weights and exported networks of a run, a line for each damaged file.

    Weights without a digest are left out, and so are digests without weights: users remove weights to save space.

    Args:
        run: the run folder.
        kinds: endings of the files.
    """
    faults = []
    for folder in FOLDERS:
        for record in sorted(path for kind in kinds for path in (run / folder).glob(f"*.{kind}.json")):
            path = record.with_suffix("")
            try:
                fault = _fault(path, path.read_bytes())
            except FileNotFoundError:
                continue
            except OSError as error:
                fault = f"{path} cannot be read ({error.strerror}); {_remedy(path)}"
            faults += [fault] if fault else []
    return faults


def check_weights(run: Path) -> None:
    """Refuses a run whose weights are not what was written.

    Args:
        run: the run folder.

    Raises:
        UserError: names the first damaged file, the number of the others, and the remedy.
    """
    faults = damaged_weights(run, ["safetensors"])  # a network can be exported again
    if faults:
        raise UserError(faults[0] + (f" ({len(faults) - 1} more files of weights are damaged)" if len(faults) > 1 else ""))


def _fault(path: Path, data: bytes) -> str:
    record = digest_file(path)
    if not record.exists():
        return ""
    try:
        wanted = read_json(record)["sha256"]
    except UserError:
        return f"{record} is damaged: it must hold the digest of {path.name}; restore both files from a copy of the run"
    found = digest_of(data)
    if found["sha256"] == wanted:
        return ""
    return f"{path} is damaged: its SHA-256 is {found['sha256'][:12]}..., {record.name} says {wanted[:12]}...; {_remedy(path)}"


def _remedy(path: Path) -> str:
    if path.suffix == ".onnx":
        return "export the network again (`export` of the task's script), or restore the file from a copy"
    return f"restore {path.name} from a copy of the run, or start a new run with another --out"
