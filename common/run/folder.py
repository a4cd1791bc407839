"""The folder of one run: everything a run knows, as plain files that outlive a killed process.

A `RunFolder` is opened by one process at a time. `create` starts a run, `resume` goes on with one after checking that it is the
same run: the same space and the same settings, apart from those that cannot change a result.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.arch import from_labels, labels
from common.errors import UserError, cut, shown
from common.run.data import check_data, same_data
from common.run.digests import check_weights
from common.run.files import Jsonl, check_folder, read_json, sync, write_atomic, write_json
from common.search.base import Trial
from common.space import describe, space_fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from common.run.checkpoint import Checkpoint

FREE = ("workers", "device", "environment", "command")
"""Entries of a config that a resumed run may change: where and how it is run, not what it computes, rounding apart."""

SYNC_EVERY = 0.25
"""Least seconds between two waits for the disk while trials or metrics stream in: searches on tables write thousands a second."""

_LOCK, _CONFIG, _SPACE = ".lock", "config.json", "space.json"
_BEGINNING = {_LOCK, _SPACE, f".{_CONFIG}.tmp", f".{_SPACE}.tmp"}
_ABSENT = "(absent)"


class RunFolder:
    """One run's files, open for writing; use it in a `with` statement, or `close` it, to let another process in."""

    def __init__(self, path: Path, space: object, lock: int) -> None:
        """Takes over a folder whose lock is held; call `create` or `resume` instead."""
        self.path = path
        self.space = space
        self._lock = lock
        self._waiting: set[Path] = set()
        self._synced = 0.0
        self._metrics = {(row["stage"], row["step"]) for row in self.log("metrics.jsonl").rows()}

    @classmethod
    def create(cls, path: Path, config: Mapping[str, object], space: object) -> RunFolder:
        """Starts a run in a new or empty folder.

        Args:
            path: the folder; its parents are made.
            config: the resolved settings, JSON values only; with `environment()` under `environment` it says what ran where.
            space: the search space: its fingerprint and options are stored, trials are written with its labels.

        Raises:
            UserError: `path` is a file, holds a run or a half-written one, holds anything else, is in use, or cannot be written.
        """
        cls.check_new(path)
        return cls._begin(path, config, space)

    @staticmethod
    def check_new(path: Path) -> None:
        """Refuses a folder that no run can be started in, before work is spent on the run.

        Raises:
            UserError: see `create`.
        """
        if path.exists() and not path.is_dir():
            raise UserError(f"{path} is a file; --out needs a folder, new or empty")
        held = _names(path)
        if _CONFIG in held:
            raise UserError(f"{path} holds a run; give --resume to continue it or another --out")
        if held and held <= _BEGINNING:
            raise UserError(f"{path} holds a half-written run (no {_CONFIG}); give --resume to start it over or another --out")
        if held:
            raise UserError(f"{path} is not empty and holds no run ({min(held)!r} is in it); give another --out")
        check_folder(path)

    @classmethod
    def resume(cls, path: Path, config: Mapping[str, object], space: object, free: Sequence[str] = FREE) -> RunFolder:
        """Goes on with the run in `path`; one that was killed while `create` was at work is started over.

        Args:
            path: the folder of the run.
            config: the resolved settings now, compared with those of the run.
            space: the search space now.
            free: names of settings that may differ, at any depth, with all that lies below them.

        Raises:
            UserError: there is no run, it has another space, settings differ (each named with both values), the content of the
                data differs, it is in use, or a file of weights is damaged. The same data at another place are the same.
        """
        held = _names(path)
        if not path.is_dir() or not (_CONFIG in held or held <= _BEGINNING):
            raise UserError(f"{path} holds no run; start one without --resume")
        if _CONFIG not in held:
            return cls._begin(path, config, space)
        then, now = read_json(path / _SPACE)["fingerprint"], space_fingerprint(space)
        if then != now:
            raise UserError(
                f"{path} is a run of another space (fingerprint {then}, not {now}); give its own settings or another --out"
            )
        before, after = same_data(read_json(path / _CONFIG), json.loads(json.dumps(config)))
        changed = differences(before, after, free)
        if changed:
            what = "; ".join(f"{key} was {old}, is now {new}" for key, (old, new) in changed.items())
            raise UserError(f"{path} was started with other settings: {what}; give the same ones to resume, or another --out")
        check_data(read_json(path / _CONFIG), config, path)
        lock = _take_lock(path)
        try:
            check_weights(path)
            for file in path.glob("*.jsonl"):
                Jsonl(file).repair()
            return cls(path, space, lock)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def _begin(cls, path: Path, config: Mapping[str, object], space: object) -> RunFolder:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{path} cannot be made ({error.strerror}); give another --out") from error
        lock = _take_lock(path)
        try:
            write_json(path / _SPACE, {"fingerprint": space_fingerprint(space), "decisions": describe(space)})
            write_json(path / _CONFIG, config)  # last: a folder with a config is a whole one
            return cls(path, space, lock)
        except BaseException:
            os.close(lock)
            raise

    def close(self) -> None:
        """Lets another process open the folder; may be called twice."""
        if self._lock >= 0:
            try:
                with suppress(FileNotFoundError):  # deleted in mid-run, which the stage says that met it
                    self._sync()
            finally:
                os.close(self._lock)
                self._lock = -1

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def config(self) -> dict[str, Any]:
        """The settings the run was started with."""
        return read_json(self.path / _CONFIG)

    def log(self, name: str) -> Jsonl:
        """The JSON-lines file `name` of this run."""
        return Jsonl(self.path / name)

    def append_trial(self, trial: Trial, file: str = "trials.jsonl") -> None:
        """Adds a trial; `random.jsonl` is the other file that holds trials."""
        self._stream(file, trial_to_row(self.space, trial))

    def trials(self, file: str = "trials.jsonl") -> list[Trial]:
        """All trials of `file`, in the order they were added.

        Raises:
            UserError: a line is damaged or does not fit the space; names the file and the line.
        """
        log = self.log(file)
        return [trial_from_row(self.space, row, f"{log.path}, line {i}") for i, row in enumerate(log.rows(), start=1)]

    def replace_trials(self, trials: Sequence[Trial], file: str = "trials.jsonl") -> None:
        """Writes all trials of `file` anew, atomically: some were evaluated again."""
        lines = [json.dumps(trial_to_row(self.space, trial)) + "\n" for trial in trials]
        write_atomic(self.path / file, "".join(lines).encode())

    def append_metrics(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Adds the values of a step; a step that is there already, done again after a kill, is not written twice."""
        if (stage, step) not in self._metrics:
            self._stream("metrics.jsonl", {"stage": stage, "step": step, "values": dict(values)})
            self._metrics.add((stage, step))

    def append_retrained(self, row: Mapping[str, object]) -> None:
        """Adds a retrained network: name, kind, seed, arch labels, inherited, val, test, cost, seconds, error if it failed."""
        self.log("retrained.jsonl").append(row)

    def done(self, stage: str) -> bool:
        """Whether `stage` has been finished."""
        return any(row["stage"] == stage for row in self.log("stages.jsonl").rows())

    def finish(self, stage: str, result: Mapping[str, object], seconds: float) -> None:
        """Records that `stage` is done, what it gave and the wall-clock seconds it took over all resumes."""
        self._sync()  # what a stage wrote is on the disk before the word that it is done
        self.log("stages.jsonl").append({"stage": stage, "seconds": round(seconds, 3), "result": dict(result)})

    def result(self, stage: str) -> dict[str, Any]:
        """What a finished stage gave.

        Raises:
            KeyError: the stage is not done.
        """
        return {row["stage"]: row["result"] for row in self.log("stages.jsonl").rows()}[stage]

    def result_of(self, stage: str, key: str) -> dict[str, Any]:
        """An object in what a finished stage gave.

        Raises:
            KeyError: the stage is not done.
            UserError: there is no such object.
        """
        found = self.result(stage).get(key)
        if not isinstance(found, dict):
            raise UserError(
                f"{self.path / 'stages.jsonl'}: in the result of stage {stage!r} {key} is {shown(found)}, not an object; restore "
                "the file, or cut it before this stage's line and run again with --resume"
            )
        return found

    def checkpoint(self, name: str) -> Checkpoint:
        """The checkpoint `name`, saved or not."""
        from common.run.checkpoint import Checkpoint  # torch

        return Checkpoint(self.path / "checkpoints" / name)

    def _stream(self, file: str, row: Mapping[str, object]) -> None:
        log = self.log(file)
        log.append(row, durable=False)
        self._waiting.add(log.path)
        if time.monotonic() - self._synced >= SYNC_EVERY:
            self._sync()

    def _sync(self) -> None:
        if self._waiting:
            for file in (*self._waiting, self.path):
                sync(file)
            self._waiting.clear()
            self._synced = time.monotonic()


def holds_run(path: Path) -> bool:
    """Whether a folder holds a run, or the beginning of one, that `RunFolder.resume` goes on with."""
    held = _names(path)
    return bool(held) and (_CONFIG in held or held <= _BEGINNING)


def trial_to_row(space: object, trial: Trial) -> dict[str, object]:
    """A trial as a JSON object: the arch becomes {decision path: option label}."""
    return {
        "id": trial.id,
        "arch": labels(space, trial.arch),
        "scores": dict(trial.scores),
        "cost": dict(trial.cost),
        "status": trial.status,
        "fidelity": trial.fidelity,
        "seconds": trial.seconds,
        "parents": list(trial.parents),
        "origin": trial.origin,
        "error": trial.error,
    }


def trial_from_row(space: object, row: Mapping[str, Any], source: str) -> Trial:
    """The inverse of `trial_to_row`.

    Raises:
        UserError: a field is missing, or the arch does not fit the space; the message begins with `source`.
    """
    try:
        return Trial(
            id=row["id"],
            arch=from_labels(space, row["arch"], source),
            scores=row["scores"],
            cost=row["cost"],
            status=row["status"],
            fidelity=row["fidelity"],
            seconds=row["seconds"],
            parents=tuple(row["parents"]),
            origin=row["origin"],
            error=row["error"],
        )
    except KeyError as missing:
        raise UserError(f"{source}: the trial has no {missing}; restore the line or start a new run with another --out") from None


def differences(old: object, new: object, free: Sequence[str] = (), path: str = "") -> dict[str, tuple[str, str]]:
    """Dotted key -> (old, new) as JSON text, for every value that differs and lies under no key of `free`.

    >>> differences({"seed": 0, "data": {"size": 64}}, {"seed": 0, "data": {"size": 96}})
    {'data.size': ('64', '96')}
    """
    if isinstance(old, dict) and isinstance(new, dict):
        found: dict[str, tuple[str, str]] = {}
        for key in [*old, *(key for key in new if key not in old)]:
            if key not in free:
                found |= differences(old.get(key, _ABSENT), new.get(key, _ABSENT), free, f"{path}.{key}" if path else str(key))
        return found
    return {} if old == new else {path: (_show(old), _show(new))}


def _show(value: object) -> str:
    return _ABSENT if value == _ABSENT else cut(json.dumps(value))


def _names(path: Path) -> set[str]:
    return set(os.listdir(path)) if path.is_dir() else set()


def _take_lock(path: Path) -> int:
    """Locks the folder for this process; the kernel drops the lock when the process ends, however it ends."""
    file = path / _LOCK
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); make it writable or give another --out") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise UserError(f"{path} is in use by process {owner}; wait for it, stop it, or give another --out") from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle
