"""Ctrl-C, SIGTERM and SIGHUP held back until a training step is whole."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def held_back() -> Iterator[Callable[[], bool]]:
    """In the block the first Ctrl-C, SIGTERM or SIGHUP is only remembered; it is delivered when the block ends.

    Gives a function that says whether one came: the block should then save and end. A second signal is not held back, so that
    an impatient user is obeyed. Outside the main thread, where signals never arrive, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    came: list[int] = []
    # an ignored signal (nohup) stays ignored, and one that foreign code handles is left to it
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def remember(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        restore()

    for number in before:
        signal.signal(number, remember)
    try:
        yield lambda: bool(came)
    finally:
        restore()
    if came:
        signal.raise_signal(signal.Signals(came[0]))
