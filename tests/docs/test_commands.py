"""Every command line of the documents is accepted by the parser of its command; those that take seconds are run."""

import runpy
import sys

import pytest

from common.errors import UserError
from common.listing import every_method
from tests.docs.commands import SCRIPTS, accepted, fenced, files_of, finished, python_blocks, run, spans, words_of

FENCED, SPANS = fenced(), spans()
TRIED_ELSEWHERE = {
    "README.md": "tests/test_readme.py",
    "docs/own-network.md": "tests/test_readme.py",
    "CONTRIBUTING.md": "tests/test_contributing.py",
    "docs/mmdetection.md": "tests/detection/test_mmdetection_page.py",
    "docs/mmsegmentation.md": "tests/segmentation/test_mmsegmentation_page.py",
}
"""Document -> what runs its blocks of Python, or holds them to the files that they show."""
LONG = {"study"}
"""Commands of finished runs and tables that take more than ten seconds: 20 searches with each of fourteen engines."""


def quick(line: str) -> bool:
    """Whether a command ends within ten seconds.

    Runs of systems and examples do not, nor make targets, which are runs or install packages.
    """
    words = words_of(line)
    if words[0] in ("make", "pip") or LONG & set(words) or words[1].startswith("examples/"):
        return False
    command = words[1] if words[0] in SCRIPTS else words[3] if words[1] == "-m" else ""
    return command not in {method.name for _, _, method in every_method()}


def _plain(words: list[str]) -> tuple[str, ...]:
    """A command without the name of what it is called by."""
    return tuple(words[1:] if words[0] in SCRIPTS else words[3:] if words[1] == "-m" else words)


pytestmark = pytest.mark.slow

RUN = sorted({_plain(words_of(line.text)): tuple(words_of(line.text)) for line in FENCED if quick(line.text)}.values())
"""The words of commands that are run, each once: `tasknas` and `python -m common.cli` run the same functions."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with finished runs, in which the commands are run."""
    folder = tmp_path_factory.mktemp("place")
    finished(folder)
    return folder


@pytest.mark.parametrize("line", [*FENCED, *SPANS], ids=str)
def test_a_command_line_is_accepted_by_its_parser(line, monkeypatch):
    assert accepted(line.text, monkeypatch)


@pytest.mark.parametrize(
    "line",
    [
        "make no-such-target",
        "python -m detection.train detnas --recipe tiny",
        "python -m detection.train detnas --bugdet macs=1",
        "python -m detection.train detnas --budget seconds=1",
        "python -m detection.train darts",
        "make detnas ARGS='--set search.engine=swarm'",
        "make darts ARGS='--set retrain.seed=5'",
        "python -m common.cli compare --all",
        "tasknas compare --all",
        ".venv/bin/tasknas detnas --recipe tiny",
        "pip install 'tasknas[everything]'",
        "python -m common.cli exports runs/mine",
        "python -m graphs.train describe darts --arch GAT",
        "python -m tests.bench.search --tables all",
        "python -m no_such_module",
        "python examples/own_tables.py",
        "python examples/own_table.py --tables mine.csv",
        "python examples/own_table.py --set search.trails=3",
    ],
)
def test_a_wrong_command_line_is_not(line, monkeypatch):
    with pytest.raises((AssertionError, SystemExit, UserError)):
        accepted(line, monkeypatch)


@pytest.mark.parametrize("words", RUN, ids=" ".join)
def test_a_command_that_takes_seconds_runs(words, place, monkeypatch, capfd):
    monkeypatch.chdir(place)
    if words[0] in SCRIPTS:
        module, _, function = SCRIPTS[words[0]].partition(":")
        run(module, list(words[1:]), monkeypatch, function)
    elif words[1] == "-m":
        run(words[2], list(words[3:]), monkeypatch)
    else:
        monkeypatch.setattr(sys, "argv", list(words[1:]))
        runpy.run_path(words[1], run_name="__main__")
    assert capfd.readouterr().out.strip()


def test_the_commands_that_are_run_are_most_of_those_for_finished_runs():
    commands = {words[1] if words[0] in SCRIPTS else words[3] for words in RUN if words[0] in SCRIPTS or words[1] == "-m"}
    assert commands >= {"--help", "describe", "compare", "predict", "export", "latency-table"}
    assert [words for words in RUN if words[1].startswith("runs/")]


@pytest.mark.parametrize(
    ("document", "code"), [block for block in python_blocks() if block[0] not in TRIED_ELSEWHERE], ids=lambda word: word[:30]
)
def test_a_block_of_python_runs(document, code, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    path = place / "block.py"
    path.write_text(code, encoding="utf-8")
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.strip() or "print" not in code


def test_blocks_of_python_that_are_not_run_here_are_tried_elsewhere():
    """test_readme runs those of README.md and docs/own-network.md; CONTRIBUTING.md has two files, a searcher and an engine.

    Each block of the pages on mmdetection and mmsegmentation is a file with its name in the first line.
    """
    counts = {name: sum(document == name for document, _ in python_blocks()) for name in TRIED_ELSEWHERE}
    pages = {name: len(files_of(name)) for name in ("docs/mmdetection.md", "docs/mmsegmentation.md")}
    assert counts == {"README.md": 1, "docs/own-network.md": 1, "CONTRIBUTING.md": 4} | pages
