"""Worker processes: order, equality with no workers, crashes, Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from inspect import signature
from multiprocessing import forkserver
from pathlib import Path

import pytest

from common.errors import UserError
from common.evaluate.pool import LocalPool, WorkerDied, _name
from common.space import Arch
from tests.common.evaluate import jobs

ARCHS = [Arch({"0": i}) for i in (0, 3, 4, 1, 2, 0)]


@pytest.mark.parametrize("workers", [0, 2])
def test_results_are_in_order_whatever_the_workers(workers):
    with LocalPool(workers) as pool:
        assert list(pool.map(jobs.square, range(7))) == [x * x for x in range(7)]
        first = [(s.values, s.status, s.error) for s in pool.evaluator(jobs.make_evaluator)(ARCHS, "full")]
        again = [(s.values, s.status, s.error) for s in pool.evaluator(jobs.make_careless)(ARCHS, "full")]
        with pytest.raises(KeyError, match="two"):
            list(pool.map(jobs.stumble, range(4)))
        with pytest.raises(UserError, match="file x is missing"):
            pool.evaluator(jobs.make_evaluator)([Arch({"0": 5})], "full")
        assert list(pool.map(jobs.square, [])) == []
    assert (
        first
        == again
        == [
            ({"gene": 0, "full": 1.0}, "ok", ""),
            ({}, "failed", "ValueError: gene 3 is bad"),
            ({"gene": 4, "full": 1.0}, "ok", ""),
            ({"gene": 1, "full": 1.0}, "ok", ""),
            ({"gene": 2, "full": 1.0}, "ok", ""),
            ({"gene": 0, "full": 1.0}, "ok", ""),
        ]
    )


def test_a_candidate_that_kills_its_worker_fails_alone_and_is_named(tmp_path):
    with LocalPool(2) as pool:
        results = pool.evaluator(jobs.make_evaluator)(ARCHS, "deadly")
        assert [s.values.get("gene") for s in results] == [0, None, None, 1, 2, 0]
        assert ARCHS[2].fingerprint in results[2].error and "died" in results[2].error
        assert list(pool.map(jobs.threads, range(2))) == [1, 1], "a new pool works after that"
        got = []
        with pytest.raises(WorkerDied, match=r"job 1 \(1\): out of memory, killed, or crashed; .* fewer --workers"):
            for value in pool.map(jobs.die, range(4)):
                got.append(value)
        assert got == [0], "the one that ran beside it is not lost"
        results = pool.map(jobs.wait_for, [None, mark := tmp_path / "mark"])
        assert next(results), "while the other is running"
        mark.touch()
        assert next(results)


def test_beside_a_job_that_may_have_killed_its_worker_runs_nothing(monkeypatch):
    begun, beside = [], []
    submit = LocalPool._submit

    def watched(pool, job, item):
        beside.append(sum(not future.done() for future in begun))
        begun.append(submit(pool, job, item))
        return begun[-1]

    monkeypatch.setattr(LocalPool, "_submit", watched)
    with LocalPool(2) as pool, pytest.raises(WorkerDied):
        list(pool.map(jobs.die_slowly, range(2)))
    assert beside == [0, 1, 0, 0][: len(beside)] and len(beside) > 2


def test_a_worker_keeps_the_newest_evaluator_only():
    with LocalPool(1) as pool:
        for _ in range(3):
            assert [s.values for s in pool.evaluator(jobs.make_evaluator)(ARCHS[:1], "full")] == [{"gene": 0, "full": 1.0}]
        assert list(pool.map(jobs.evaluators_kept, [None])) == [1]
        (worker,) = pool.map(jobs.process, [None])
        os.kill(worker, signal.SIGKILL)
        _until(lambda: pool._executor is not None and pool._executor._broken)
        assert list(pool.map(jobs.square, [3])) == [9], "one that dies between two jobs is replaced"


def test_an_error_in_the_block_ends_its_workers_at_once(tmp_path):
    began = time.monotonic()
    with pytest.raises(KeyError), LocalPool(1) as pool:
        (worker,) = pool.map(jobs.process, [None])
        pool.warm(jobs.mark_and_sleep, mark := tmp_path / "mark")
        _until(mark.exists)
        raise KeyError
    assert not _alive(worker) and time.monotonic() - began < 20


@pytest.mark.parametrize("asked", [1, 3])
def test_workers_compute_with_the_threads_asked_for_whatever_the_shell_exports(asked, monkeypatch, tmp_path):
    for name in ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "4")
    forkserver._forkserver._stop()  # pyright: ignore[reportAttributeAccessIssue]  # a new one takes over what is exported now
    with LocalPool(1, threads=asked) as pool:
        assert list(pool.map(jobs.threads, range(1))) == [asked]
        assert list(pool.map(os.getenv, ["MKL_NUM_THREADS", "OMP_NUM_THREADS"])) == ["4", str(asked)]
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ()), "Ctrl-C is held back for a moment only"
        (worker,) = pool.map(jobs.process, [None])
        pool.warm(time.sleep, 0.2)
        for i in range(5):
            pool.warm(Path.touch, tmp_path / f"{i}")
    assert not _alive(worker), "the block waits for the end of its workers"
    assert not (tmp_path / "4").exists(), "and not for jobs that none of them has begun"


@pytest.mark.parametrize("workers", [0, 2])
def test_warming_up_changes_nothing_even_if_it_fails(workers, tmp_path):
    with LocalPool(workers) as pool:
        pool.warm(Path.touch, mark := tmp_path / "mark")
        pool.warm(jobs.stumble, 2)
        assert list(pool.map(jobs.square, range(4))) == [0, 1, 4, 9]
        assert mark.exists() == (workers > 0), "the jobs were done before"


def test_a_job_of_a_long_name_is_named_in_short():
    assert _name(ARCHS[0]) == ARCHS[0].fingerprint and _name("x" * 100) == "'" + "x" * 79


def test_a_pool_is_given_workers_and_threads_alone():
    assert list(signature(LocalPool).parameters) == ["workers", "threads"] and LocalPool(3) == LocalPool(3, threads=1)


def test_negative_workers_are_refused():
    with pytest.raises(UserError, match="-1 workers"):
        LocalPool(-1)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_parent(sign, tmp_path: Path):
    code = (
        "from common.evaluate.pool import LocalPool\n"
        "from tests.common.evaluate.jobs import sleep_long\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        with LocalPool(2) as pool:\n"
        "            list(pool.map(sleep_long, range(4)))\n"
        "    except KeyboardInterrupt:\n"
        "        print('stopped', flush=True)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    root = Path(__file__).parents[3]
    marks = tmp_path / "marks"
    marks.mkdir()
    env = {**os.environ, "PYTHONPATH": str(root), "POOL_TEST_DIR": str(marks)}
    parent = subprocess.Popen(
        [sys.executable, str(script)], env=env, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    _until(lambda: len(list(marks.iterdir())) == 2)
    pids = [int(mark.name) for mark in marks.iterdir()]
    parent.send_signal(sign)
    out, err = parent.communicate(timeout=30)
    if sign == signal.SIGINT:
        assert out == "stopped\n" and err == ""
    _until(lambda: not any(_alive(pid) for pid in pids))


@pytest.mark.parametrize("pause", [0.0, 0.1])
def test_ctrl_c_while_workers_start_is_quiet(tmp_path: Path, pause: float):
    """A terminal sends it to every process, those that are still importing too."""
    code = (
        "import time\n"
        "from common.evaluate.pool import LocalPool\n"
        "from tests.common.evaluate.jobs import sleep_long\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        with LocalPool(2) as pool:\n"
        "            pool.warm(sleep_long, 0)\n"
        "            print('warm', flush=True)\n"
        "            for _ in range(600):\n"  # one long sleep would outlast a signal that comes just before it
        "                time.sleep(0.1)\n"
        "    except KeyboardInterrupt:\n"
        "        print('stopped', flush=True)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    root = Path(__file__).parents[3]
    env = {**os.environ, "PYTHONPATH": str(root), "POOL_TEST_DIR": str(tmp_path)}
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        env=env,
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout and parent.stdout.readline() == "warm\n"
    time.sleep(pause)
    os.killpg(parent.pid, signal.SIGINT)
    out, err = parent.communicate(timeout=30)
    assert (out, err) == ("stopped\n", "")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _until(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
