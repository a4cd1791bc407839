import io
import os
import pty
import re
import subprocess
import sys

import pytest

from common.run.progress import Progress, duration


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_plain_lines_start_end_and_now_and_then():
    out, clock = io.StringIO(), Clock()
    progress = Progress(stream=out, clock=clock)
    progress.place(2, 6)
    with progress.stage("search", total=48, done=8) as bar:
        for i in range(40):
            clock.now += 1.0
            bar.advance(1, best=0.5 + i / 100, front=3)
    lines = out.getvalue().splitlines()
    assert lines[0] == "[2/6] search: started, 8 of 48 done before"
    assert lines[1] == "[2/6] search: 13/48  best 0.54  front 3  35.0 s left"
    assert lines[-1] == "[2/6] search: done in 40.0 s, 48/48  best 0.89  front 3"
    assert len(lines) == 2 + 7  # 40 s at one line each 5 s; the last is the end
    assert "\x1b" not in out.getvalue() and "\r" not in out.getvalue()


def test_values_stay_and_totals_may_be_unknown():
    out, clock = io.StringIO(), Clock()
    with Progress(stream=out, interval=0.0, clock=clock).stage("train") as bar:
        bar.advance(10, loss=1.23456)
        bar.advance(5, note="path 3")
    assert out.getvalue().splitlines() == [
        "train: started",
        "train: 10  loss 1.235",
        "train: 15  loss 1.235  path 3",
        "train: done in 0.0 s, 15  loss 1.235  path 3",
    ]


def test_no_end_line_after_an_error_and_nothing_when_quiet():
    out = io.StringIO()
    with pytest.raises(ValueError), Progress(stream=out).stage("a"):
        raise ValueError
    assert out.getvalue() == "a: started\n"
    quiet = Progress(stream=io.StringIO(), quiet=True)
    quiet.say("hello")
    with quiet.stage("a", total=1) as bar:
        bar.advance()
    assert quiet._stream.getvalue() == ""


def test_nothing_done_since_a_resume_leaves_the_time_untold():
    out, clock = io.StringIO(), Clock()
    with Progress(stream=out, interval=0.0, clock=clock).stage("train", total=10, done=4) as bar:
        clock.now = 2.0
        bar.advance(0, note="measured")
        bar.advance(2)
    assert out.getvalue().splitlines()[1:3] == ["train: 4/10  measured", "train: 6/10  measured  4.0 s left"]


SCRIPT = """
import time
from common.run.progress import Progress
now = 0.0
p = Progress(clock=lambda: now)
p.place(1, 2)
with p.stage("search [all]", total=3) as bar:
    for now in (100.0, 200.0, 300.0):
        bar.advance(1, best=0.25, front=2, note="a [part]")
        p.say("a [line] of 7")
        time.sleep(0.2)  # the screen is drawn ten times a second
"""


def on_terminal(**changes):
    """What the script writes to a terminal."""
    environment = (
        {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm-256color", "COLUMNS": "120"} | changes
    )
    ours, theirs = pty.openpty()
    script = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=theirs, stdin=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert script.wait() == 0
    return shown.decode()


def test_live_on_a_terminal():
    shown = on_terminal()
    assert "\x1b[?25l" in shown and "\x1b[?25h" in shown  # the cursor is hidden and comes back
    assert re.search(r"\x1b\[[0-9;]*3[0-9]", shown)  # colours
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert text.count("a [line] of 7") == 3 and shown.count("a [line] of 7") == 3, "as it is, without colours of its own"
    assert "a [part]" in text.partition("done in")[0], "and so are values"
    assert "3/3" in text and "best 0.25  front 2" in text
    assert "3 min 20 s left" in text and "1 min 40 s left" in text, "from the first step on, however long steps take"
    assert re.search(r"\[1/2\] search \[all\]: done in 5 min 00 s, 3/3  best 0.25  front 2", text)


def test_no_color_has_none():
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", on_terminal(NO_COLOR="1"))


def test_dumb_terminal_gets_plain_lines():
    assert "\x1b" not in on_terminal(TERM="dumb")


def test_durations():
    assert [duration(x) for x in (0, 59.96, 61, 3599.6, 7500)] == [
        "0.0 s",
        "1 min 00 s",
        "1 min 01 s",
        "1 h 00 min",
        "2 h 05 min",
    ]
