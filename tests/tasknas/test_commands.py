"""The front door: every command of every task under one name, help that is instant, and names that lead to `common`."""

import re
import subprocess
import sys
from collections import Counter
from types import ModuleType

import pytest

import common
import tasknas
from common.cli import COMMANDS
from common.commands import further_commands
from common.listing import every_method
from common.system import task_packages
from tasknas.__main__ import main
from tasknas.commands import groups, help_text
from tests.contracts.test_help import INSTANT, ROOT, cpu_seconds, starts

NAMES = [entry.name for group in groups() for entry in group.entries]


def refused(capsys, *words):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    lines = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2 and len(lines) == 1
    return lines[0]


def test_every_command_of_every_package_is_there_and_none_has_the_name_of_another():
    methods = [method.name for _, _, method in every_method()]
    further = [name for task in task_packages() for name in further_commands(task)]
    assert "translate" in further
    wanted = Counter([*methods, *further, *COMMANDS, "describe", "data"])
    assert {name for name, count in wanted.items() if count > 1} == set(), "two commands of one name: only one could be called"
    assert Counter(NAMES) == wanted


def test_help_says_what_the_program_is_and_lists_every_command_once(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = help_text().splitlines()
    assert lines[0].startswith("tasknas searches a neural network for your task")
    assert max(map(len, lines)) <= 80
    listed = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("   ")]
    assert listed == [*NAMES, "--version"]


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_is_printed_where_no_command_is_given(words, capsys):
    main(words)
    assert capsys.readouterr().out == help_text() + "\n"


def test_help_of_the_front_door_is_instant():
    assert "detnas" in cpu_seconds("-m", "tasknas", "--help")[1]
    assert starts("-m", "tasknas", "--help") < INSTANT
    cpu_seconds("-c", "import sys; from tasknas.__main__ import main; main(['--help']); assert 'torch' not in sys.modules")


@pytest.mark.parametrize("name", NAMES)
def test_help_of_a_command_says_how_it_is_called(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: tasknas {name} ")


def test_a_command_gets_the_words_after_its_name(capsys):
    main(["list"])
    assert "| `tasknas gan-compression` |" in capsys.readouterr().out
    assert "choose one of smoke, small, paper" in refused(capsys, "evolution", "--recipe", "huge")
    assert "system 'yolo' does not exist; choose one of binary-width, binary-groups, bnas-kim, darts," in refused(
        capsys, "describe", "yolo", "--arch", "x"
    )


def test_an_unknown_command_is_one_line_with_the_nearest(capsys):
    line = refused(capsys, "detnass", "--recipe", "smoke")
    assert line == "error: command 'detnass' does not exist; did you mean detnas? `tasknas --help` lists the commands"
    assert refused(capsys, "xyzzy") == "error: command 'xyzzy' does not exist; `tasknas --help` lists the commands"


@pytest.mark.parametrize("script", ["common.cli", "detection.train"])
def test_the_other_scripts_name_the_nearest_command_too(script):
    word = {"common.cli": "compar", "detection.train": "detna"}[script]
    done = subprocess.run([sys.executable, "-m", script, word], cwd=ROOT, capture_output=True, text=True, check=False)
    meant = {"common.cli": "compare", "detection.train": "detnas"}[script]
    line = f"error: command {word!r} does not exist; did you mean {meant}? `python -m {script} --help` lists the commands\n"
    assert (done.returncode, done.stderr) == (2, line)


def test_the_guides_name_commands_that_exist():
    texts = [path.read_text(encoding="utf-8") for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))]
    named = {name for text in texts for name in re.findall(r"(?:^|`|/)tasknas ([a-z][\w-]*)", text, re.MULTILINE)}
    assert {"detnas", "predict", "engines", "translate", "describe"} <= named
    assert sorted(named - {*NAMES, "mynet"}) == []  # the system that CONTRIBUTING.md tells a reader to write


def test_the_version_is_that_of_the_project(capsys):
    main(["--version"])
    assert capsys.readouterr().out == "tasknas 0.1.0\n"


def test_help_says_what_to_install_for_a_task_whose_packages_are_missing(monkeypatch):
    assert "pip install" not in help_text()
    monkeypatch.setitem(sys.modules, "mmdet", None)
    assert "Search: object detection; first run pip install 'tasknas[detection]'\n" in help_text()


def test_public_names_of_the_core_are_names_of_the_front_door(monkeypatch):
    monkeypatch.setattr(common, "__all__", ["Probe", "later"], raising=False)
    monkeypatch.setattr(common, "Probe", 7, raising=False)
    monkeypatch.setattr(common, "secret", 8, raising=False)
    monkeypatch.setattr(common, "__getattr__", {"later": 9}.__getitem__, raising=False)
    from tasknas import Probe, later  # pyright: ignore[reportAttributeAccessIssue]

    assert (Probe, later) == (7, 9)
    assert {"Probe", "later"} <= set(dir(tasknas)) and "secret" not in dir(tasknas)
    with pytest.raises(AttributeError, match="module 'tasknas' has no attribute 'secret'"):
        _ = tasknas.secret  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(tasknas, ModuleType)


def test_importing_the_front_door_loads_no_torch():
    code = "import sys, tasknas; dir(tasknas); print(*{'torch', 'numpy', 'tyro'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split() == []
