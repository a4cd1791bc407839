import signal
import threading

import pytest

from common.train.interrupt import held_back
from tests.common.run.killing import forked, status


def test_a_signal_is_remembered_and_delivered_at_the_end():
    done = []
    with pytest.raises(KeyboardInterrupt), held_back() as came:
        assert not came()
        signal.raise_signal(signal.SIGINT)
        done.append(came())
    assert done == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_sigterm_ends_the_process_as_ever_but_later(tmp_path):
    def work():
        with held_back():
            signal.raise_signal(signal.SIGTERM)
            (tmp_path / "saved").write_text("x")

    assert status(forked(work)) == -signal.SIGTERM
    assert (tmp_path / "saved").exists()


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held_back() as came:
            signal.raise_signal(signal.SIGINT)
            assert not came()
    finally:
        signal.signal(signal.SIGINT, before)


def test_errors_pass_and_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), held_back():
        _ = 1 / 0
    assert signal.getsignal(signal.SIGTERM) == before


def test_other_threads_change_nothing():
    seen = []

    def work():
        with held_back() as came:
            seen.append((came(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, signal.getsignal(signal.SIGINT))]
