"""What every command line shares: devices, folders, and errors as one line with exit status 2. No torch here."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import tyro

from common.errors import UserError, cut

_DRAWN = {"─": "-", "━": "-", "│": "|", **dict.fromkeys("╭╮╰╯", "+"), "–": "-", "…": "...", "×": "x", "’": "'"}
"""What help and tables are drawn with, and what stands for it where a terminal has no such characters."""

LISTS = ("--set", "--budget", "--costs", "--engines")
"""Options that take any number of values."""

BAD_INPUT = 2
"""Exit status of bad input."""

_REFUSED = frozenset(
    (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO)
)
"""What a system says of a path that is not ours to mend."""


def device_named(name: str) -> str:
    """The device that `--device NAME` means: `auto` is a GPU if there is one, else the CPU.

    Raises:
        UserError: torch has no such device here, or it holds no numbers.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if torch.empty(0, device=name).is_meta:
            raise RuntimeError("it holds no numbers")
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device {name!r} cannot be used ({reason}); give cpu, cuda, or auto") from None
    return name


def next_folder(name: str) -> Path:
    """The first of runs/NAME, runs/NAME-2, ... that does not exist."""
    path, n = Path("runs") / name, 2
    while path.exists():
        path, n = Path("runs") / f"{name}-{n}", n + 1
    return path


def make_folder(path: Path) -> None:
    """Makes a folder and its parents.

    Raises:
        UserError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path} cannot be made ({error.strerror}); give another --out") from None


def main(command: str, commands: Mapping[str, Callable[..., None]], argv: Sequence[str] | None = None) -> None:
    """Runs one of `commands`; bad input becomes one line on standard error and exit status 2.

    Args:
        command: how the script is called, for its help.
        commands: name -> function; its signature and docstring are its options and help.
        argv: words after the script's name; those of this process by default.
    """
    words = joined(sys.argv[1:] if argv is None else argv)
    with spoken_errors():
        if words and not words[0].startswith("-"):
            check_command(command, words[0], commands)
        config = tyro.conf.OmitArgPrefixes, tyro.conf.DisallowNone
        tyro.extras.subcommand_cli_from_dict(dict(commands), prog=command, args=words, config=config)


def joined(words: Sequence[str]) -> list[str]:
    """The words of a command line, with the values of a list that is given more than once behind its first name.

    Without it the last of them would silently replace the others.

    >>> joined(["darts", "--set", "a=1", "b=2", "--seed", "3", "--set=c=4"])
    ['darts', '--set', 'a=1', 'b=2', 'c=4', '--seed', '3']
    """
    others: list[str] = []
    lists: dict[str, list[str]] = {}
    into = others
    for word in words:
        name, _, value = word.partition("=")
        if name in LISTS:
            if name not in lists:
                others.append(name)
            into = lists.setdefault(name, [])
            into += [value] if value else []
        elif word.startswith("--"):
            (into := others).append(word)
        else:
            into.append(word)
    return [part for word in others for part in ((word, *lists[word]) if word in lists else (word,))]


def check_command(program: str, word: str, known: Iterable[str]) -> None:
    """Refuses a command that does not exist.

    Args:
        program: how the script is called.
        word: the command that was typed.
        known: the commands that there are.

    Raises:
        UserError: names the nearest command, if one is near.
    """
    import difflib

    names = list(known)
    if word in names:
        return
    near = difflib.get_close_matches(word, names, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise UserError(f"command {word!r} does not exist; {meant}`{program} --help` lists the commands")


@contextmanager
def spoken_errors(stopped: str = "") -> Iterator[None]:
    """In the block bad input becomes one line on standard error and exit status 2; Ctrl-C a line and status 130.

    A path that the system refuses (its name is too long, its links loop, it may not be read or written, its disk is full) is
    bad input wherever it is met.

    Args:
        stopped: What else to say after Ctrl-C.
    """
    start = time.monotonic()
    _take_every_character()
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # a pipe whose reader has gone shows here, also behind the help, which ends by SystemExit
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None
    except BrokenPipeError:  # the reader of a pipe has seen enough: `... --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OSError as error:
        if error.errno not in _REFUSED or error.filename is None:
            raise
        path = cut(os.fsdecode(error.filename))
        print(f"error: {path}: {error.strerror}; give another path, or make this one usable", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None
    except KeyboardInterrupt:
        print(f"\nStopped after {time.monotonic() - start:.0f} s. {stopped}".rstrip(), file=sys.stderr)
        raise SystemExit(130) from None


def _take_every_character() -> None:
    """Makes the output streams take every character, also those that their encoding (ASCII, Latin-1) does not have."""
    codecs.register_error("spelled", _spelled)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(errors="spelled")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """What is written for characters that an encoding does not have: lines and corners as `-`, `|`, `+`, others as `\\u00e9`."""
    assert isinstance(error, UnicodeEncodeError)
    lost = error.object[error.start : error.end]
    return "".join(_DRAWN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lost), error.end
