"""What to type to go on with a run that is not finished. No torch here."""

from __future__ import annotations

import shlex
from pathlib import Path

from common.errors import UserError
from common.run.files import Jsonl, read_json


def check_finished(run: Path) -> None:
    """Refuses a run that has no best network yet.

    Raises:
        UserError: the folder holds no run, or an unfinished one; the message has the command that continues it.
    """
    if not (run / "config.json").is_file():
        raise UserError(f"{run} is no run folder: it has no config.json; give the folder that a run was written to")
    if hint := how_to_go_on(run):
        raise UserError(f"{run} has no best network yet: {hint}")


def how_to_go_on(run: Path) -> str:
    """The words of an error for a run folder whose run is not finished; empty for a finished one.

    Raises:
        UserError: a file of the folder is damaged.
    """
    if (run / "best" / "model.safetensors").is_file():
        return ""
    done = ", ".join(str(row.get("stage")) for row in Jsonl(run / "stages.jsonl").rows())
    return f"the run is not finished (done: {done or 'no stage'}); to go on with it: {_command(run)}"


def _command(run: Path) -> str:
    """The command that a run was started with, with what makes it go on."""
    config = read_json(run / "config.json")
    told = config.get("command") if isinstance(config, dict) else None
    if not isinstance(told, str) or config.get("task") == "own":
        return f"call it as before with resume=True and out={str(run)!r}"
    words = shlex.split(told)
    kept = [word for i, word in enumerate(words) if word != "--resume" and not _names_out(words, i)]
    return shlex.join([*kept, "--out", str(run), "--resume"])


def _names_out(words: list[str], i: int) -> bool:
    """Whether a word is `--out` or its value: the folder may have been moved since."""
    return words[i].startswith("--out=") or "--out" in words[max(0, i - 1) : i + 1]
