"""How command lines end, and where runs go."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import UserError
from common.script import BAD_INPUT, LISTS, joined, main, next_folder, spoken_errors
from tests.test_docstrings import PACKAGES


def test_the_next_folder_is_a_free_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(next_folder("x")) == "runs/x"
    (tmp_path / "runs" / "x-2").mkdir(parents=True)
    assert str(next_folder("x")) == "runs/x"
    (tmp_path / "runs" / "x").write_text("a file")
    assert str(next_folder("x")) == "runs/x-3"


def refuse() -> None:
    """Refuses."""
    raise UserError("x.json is empty; write it again")


def interrupt() -> None:
    """Is interrupted."""
    raise KeyboardInterrupt


def crash() -> None:
    """Has a bug."""
    raise ZeroDivisionError


def told(set: tuple[str, ...] = (), seed: int = 0) -> None:
    """Tells its options."""
    print(seed, *set)


@pytest.mark.parametrize(
    "words",
    [
        ["--set", "a=1", "--seed", "3", "--set", "b=2", "c=-1"],
        ["--set", "a=1", "b=2", "--set=c=-1", "--seed=3"],
        ["--seed", "3", "--set", "a=1", "b=2", "c=-1", "--set"],
    ],
)
def test_a_list_that_is_given_twice_is_one_list(words, capsys):
    main("x", {"told": told, "refuse": refuse}, ["told", *words])
    assert capsys.readouterr().out == "3 a=1 b=2 c=-1\n"


def test_every_option_that_is_a_list_is_joined():
    root = Path(__file__).resolve().parents[2]
    files = [file for package in PACKAGES for file in (root / package).rglob("*.py")]
    pattern = re.compile(r"(\w+): Annotated\[tuple\[\w+, \.\.\.\], (?!tyro\.conf\.Positional)")
    assert {f"--{name}" for file in files for name in pattern.findall(file.read_text())} == set(LISTS)
    assert joined(["look", "--set"]) == ["look", "--set"]


def test_how_commands_end(capsys):
    commands = {"refuse": refuse, "interrupt": interrupt, "crash": crash}
    with pytest.raises(SystemExit) as stop:
        main("x", commands, ["refuse"])
    assert stop.value.code == BAD_INPUT == 2 and capsys.readouterr().err == "error: x.json is empty; write it again\n"
    with pytest.raises(SystemExit) as stop:
        main("x", commands, ["interrupt"])
    assert stop.value.code == 130 and capsys.readouterr().err == "\nStopped after 0 s.\n"
    with pytest.raises(ZeroDivisionError):
        main("x", commands, ["crash"])


def test_a_path_that_the_system_refuses_is_one_line(tmp_path, capsys):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, reason in (
        (tmp_path / ("a" * 5_000), "File name too long"),
        (tmp_path / "loop", "Too many levels of symbolic links"),
    ):
        with pytest.raises(SystemExit) as stop, spoken_errors():
            path.read_bytes()
        said = capsys.readouterr().err
        assert stop.value.code == BAD_INPUT and reason in said and said.count("\n") == 1 and len(said) < 300
    with pytest.raises(FileNotFoundError), spoken_errors():  # a file of ours that is missing is a bug
        (tmp_path / "none").read_bytes()


def test_a_reader_that_has_seen_enough_ends_a_command_in_silence():
    code = "from common.script import spoken_errors\nwith spoken_errors():\n    print('x' * 10_000_000)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
