"""Evaluates candidates, or runs any other jobs, in worker processes of this machine."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from common.errors import UserError
from common.evaluate.base import Evaluator, Scores
from common.evaluate.wrappers import failed
from common.processes import server
from common.space import Arch

T = TypeVar("T")
R = TypeVar("R")
MakeEvaluator = Callable[[], Evaluator]
"""Makes the evaluator inside a worker: a module-level function or a `functools.partial` of one."""


class WorkerDied(UserError):
    """A worker process ended in the middle of a job: out of memory, killed, or a crash in native code."""

    def __init__(self, job: str) -> None:
        super().__init__(
            f"the worker process died during {job}: out of memory, killed, or crashed; what was finished is kept; run again with "
            "--resume to try it again, with fewer --workers if memory is short"
        )


@dataclass(slots=True)
class LocalPool:
    """Worker processes that start on first use and stop with the `with` block; Ctrl-C or an error ends them at once.

    Results come in the order of the jobs and do not depend on the number of workers, provided that this process computes with
    as many threads as they: another number of threads can change the last bits of a float.
    A job that kills its worker is found by running the jobs it ran beside again, one by one; the others are not lost.

    Attributes:
        workers: Number of processes; 0 runs everything in this one.
        threads: Torch threads of each worker.
    """

    workers: int
    threads: int = 1
    _executor: ProcessPoolExecutor | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise UserError(f"{self.workers} workers: give 0 (in this process) or more")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop(at_once=kind is not None)

    def map(self, job: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yields `job(item)` for every item, in order, each as soon as it and those before it are done.

        Args:
            job: A module-level function, or a `functools.partial` of one.
            items: Picklable inputs.

        Raises:
            WorkerDied: A job ended its worker.
            Exception: Whatever a job raised.
        """
        for result in self._results(job, list(items)):
            if isinstance(result, WorkerDied):
                raise result
            yield result

    def warm(self, job: Callable[[T], object], item: T) -> None:
        """Starts the workers and runs `job(item)` as often in the background: imports and data are then ready when needed.

        What goes wrong there goes wrong again, and is told, when it matters.
        """
        for _ in range(self.workers):
            self._submit(job, item)

    def evaluator(self, make: MakeEvaluator) -> Evaluator:
        """An evaluator that spreads a batch over the workers, each of which calls `make` once and keeps what it gives.

        A worker lets go of it when another evaluator of this pool is used: use one after the other, not by turns.
        A candidate that raises, or ends its worker, is a failed `Scores`; `UserError` is passed on.
        """
        if self.workers == 0:
            return _Guarded(make())
        return partial(self._evaluate, make, next(_keys))

    def _evaluate(self, make: MakeEvaluator, key: int, archs: Sequence[Arch], fidelity: str) -> list[Scores]:
        results = self._results(partial(_evaluate_one, make, key, fidelity), list(archs))
        return [failed(result) if isinstance(result, WorkerDied) else result for result in results]

    def _results(self, job: Callable[[T], R], items: list[T]) -> Iterator[R | WorkerDied]:
        if self.workers == 0:
            yield from map(job, items)
            return
        waiting, suspects = deque(range(len(items))), deque[int]()
        running: dict[Future[R], int] = {}
        done: dict[int, R | WorkerDied] = {}
        out = 0
        while out < len(items):
            while out in done:
                yield done.pop(out)
                out += 1
            # beside a suspect runs nothing: if the worker dies again, it is the one
            source, room = (suspects, 1) if suspects else (waiting, self.workers)
            alone = bool(suspects)
            while source and len(running) < room:
                index = source.popleft()
                running[self._submit(job, items[index])] = index
            if not running:
                continue
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            broken = any(isinstance(future.exception(), BrokenProcessPool) for future in finished)
            for future in wait(running).done if broken else finished:
                index = running.pop(future)
                if not isinstance(future.exception(), BrokenProcessPool):
                    done[index] = future.result()
                elif alone:
                    done[index] = WorkerDied(f"job {index} ({_name(items[index])})")
                else:
                    suspects.append(index)
            if broken:
                self._stop(at_once=True)

    def _submit(self, job: Callable[[T], R], item: T) -> Future[R]:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self.workers, mp_context=server(), initializer=_start_worker, initargs=(self.threads,)
            )
        try:
            with _ctrl_c_blocked():
                return self._executor.submit(job, item)
        except BrokenProcessPool as error:  # it broke between two jobs: the job's future says so instead
            future: Future[R] = Future()
            future.set_exception(error)
            return future

    def _stop(self, at_once: bool) -> None:
        if self._executor is None:
            return
        executor, self._executor = self._executor, None
        if at_once:
            for process in list((executor._processes or {}).values()):
                process.terminate()
        executor.shutdown(wait=True, cancel_futures=True)


def _name(item: Any) -> str:
    return item.fingerprint if isinstance(item, Arch) else repr(item)[:80]


_keys = iter(range(sys.maxsize))
_made: dict[int, Evaluator] = {}  # in a worker: what the newest `make` made there; a supernet or two would fill a GPU


@dataclass(frozen=True, slots=True)
class _Guarded:
    evaluator: Evaluator

    def __call__(self, archs: Sequence[Arch], fidelity: str) -> list[Scores]:
        return [_guarded(self.evaluator, arch, fidelity) for arch in archs]


def _guarded(evaluator: Evaluator, arch: Arch, fidelity: str) -> Scores:
    try:
        return evaluator([arch], fidelity)[0]
    except UserError:
        raise
    except Exception as error:  # whatever a candidate network does wrong must not end the search
        return failed(error)


def _evaluate_one(make: MakeEvaluator, key: int, fidelity: str, arch: Arch) -> Scores:
    if key not in _made:
        _made.clear()
        _made[key] = make()
    return _guarded(_made[key], arch, fidelity)


@contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """Holds Ctrl-C and SIGHUP back in this thread; processes started meanwhile never see them: their parent ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(threads: int) -> None:
    # Torch reads MKL_NUM_THREADS and others when it is imported, whatever the user's shell exports: hence the second line.
    os.environ["OMP_NUM_THREADS"] = str(threads)
    importlib.import_module("torch").set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # returns when it is gone, even killed: its workers must not stay behind
        os._exit(1)
