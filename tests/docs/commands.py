"""Command lines of the documents: where they stand, and what the real parsers make of them."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import pytest
import tyro

from common import NetworkSettings
from common.listing import ROOT, every_method
from common.options import settings_of
from common.overrides import override

DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: Mapping[str, Any] = PROJECT["optional-dependencies"]
SCRIPTS: Mapping[str, str] = PROJECT["scripts"]
"""Console script -> `module:function`."""
PYTHON = r"(?:\.venv/bin/)?python"
BEGINNING = re.compile(
    "|".join([r"make [\w-]", "pip install ", rf"{PYTHON} ", *(rf"(?:\.venv/bin/)?{name} " for name in SCRIPTS)])
)
OURS = re.compile(rf"\S*{PYTHON} -m ((?:[a-z]\w*\.)*train|common\.\w+|tests\.bench(?:\.\w+)?)\b([^;&|\n]*)")
"""A command of this project in what `make -n` prints: module, arguments."""
NAMED = re.compile("|".join(rf"(?:\.venv/bin/)?{name} [\w-]+" for name in SCRIPTS))
"""The name of a command alone, as text speaks of it; tests/tasknas holds these names to the commands."""
PLACEHOLDERS = ("python -m TASK.train", "python -m TASK.train METHOD ...", "python -m classification.train mynet")
"""Commands with a part that a reader fills in."""


@dataclass(frozen=True, slots=True)
class Line:
    """A command line, and the document that it stands in."""

    document: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}: {self.text}"


@dataclass(frozen=True, slots=True)
class Call:
    """A command that a parser accepted: its function's name, and what the function would be called with."""

    name: str
    values: tuple[Any, ...]


def fences(text: str) -> Iterator[tuple[str, str]]:
    """Every fenced block: what stands behind the fence, and the lines inside."""
    yield from re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def python_blocks() -> list[tuple[str, str]]:
    """Document and code of every block of Python."""
    texts = [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in DOCUMENTS]
    return [(name, code) for name, text in texts for kind, code in fences(text) if kind.startswith("py")]


def files_of(document: str) -> dict[str, str]:
    """The blocks of Python of a document that begin with a comment `# NAME.py`: name -> code."""
    blocks = [code for name, code in python_blocks() if name == document]
    named = [(re.match(r"# (\w+\.py)\n", code), code) for code in blocks]
    return {found[1]: code for found, code in named if found}


def fenced() -> list[Line]:
    """The command lines of all fenced blocks. A block with one of them has nothing else.

    Raises:
        ValueError: a line of such a block is no command.
    """
    found: list[Line] = []
    for path in DOCUMENTS:
        name = str(path.relative_to(ROOT))
        for kind, block in fences(path.read_text(encoding="utf-8")):
            lines = [line for line in re.sub(r"\\\n\s*", "", block).splitlines() if line.strip()]
            if kind.startswith("py") or not any(BEGINNING.match(line) for line in lines):
                continue
            if odd := [line for line in lines if not BEGINNING.match(line)]:
                raise ValueError(f"{name}: {odd[0]!r} stands among commands, and is none that the tests know")
            found += [Line(name, line) for line in lines]
    return found


def spans() -> list[Line]:
    """The command lines in the text of the documents."""
    found: dict[Line, None] = {}
    for path in DOCUMENTS:
        text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for span in re.findall(r"`([^`]+)`", text):
            if BEGINNING.match(span) and span not in PLACEHOLDERS and not NAMED.fullmatch(span):
                found[Line(str(path.relative_to(ROOT)), " ".join(span.split()))] = None
    return list(found)


def words_of(line: str) -> list[str]:
    """The words of a command line, without comment and variables before it."""
    words = shlex.split(line, comments=True)
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    return [words[0].removeprefix(".venv/bin/"), *words[1:]]


def accepted(line: str, monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """What the real parsers make of a command line; nothing is run.

    A make target is expanded by `make -n`, and the commands in it are parsed. Settings of runs are made as well, so that
    recipes, budgets and `--set` are tried.
    """
    words = words_of(line)
    if words[0] == "make":
        own = {name: text for name, text in os.environ.items() if name not in ("ARGS", "MAKEFLAGS", "MAKEOVERRIDES")}
        expanded = subprocess.run(  # as typed in a shell, also where the tests were started by `make test ARGS=...`
            ["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False, env=own
        )
        assert expanded.returncode == 0, f"{line}: {expanded.stderr}"
        found = [
            call for module, more in OURS.findall(expanded.stdout) for call in _parsed(module, shlex.split(more), monkeypatch)
        ]
        return found or [Call("make", tuple(words[1:]))]
    if words[0] == "pip":
        (target,) = words[2:]
        extras = re.fullmatch(r"(?:tasknas|\.)(?:\[([\w,]+)\])?", target)
        assert extras and set((extras[1] or "export").split(",")) <= set(EXTRAS), f"{line}: no such extras"
        return [Call("pip", (target,))]
    if words[0] in SCRIPTS:
        module, _, function = SCRIPTS[words[0]].partition(":")
        return _parsed(module, words[1:], monkeypatch, function)
    if words[1] == "-m":
        return _parsed(words[2], words[3:], monkeypatch)
    if words[1].startswith("examples/"):
        return [_example(words[1], words[2:], monkeypatch)]
    assert words[1].startswith("runs/"), f"{line}: only scripts of run folders and examples are run by their path"
    return [Call("script", tuple(words[1:]))]


def _example(path: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """What the parser of an example makes of its options; the example ends there."""
    assert (ROOT / path).is_file(), f"there is no {path}"
    parse, found = argparse.ArgumentParser.parse_args, list[argparse.Namespace]()

    def only_parse(parser: argparse.ArgumentParser) -> NoReturn:
        found.append(parse(parser, words))
        raise SystemExit(0)

    with monkeypatch.context() as patched, pytest.raises(SystemExit) as end:
        patched.setattr(argparse.ArgumentParser, "parse_args", only_parse)
        runpy.run_path(str(ROOT / path), run_name="__main__")
    assert not end.value.code, f"{path} {' '.join(words)} is refused"
    override(NetworkSettings(), found[0].set)
    return Call(path, tuple(vars(found[0]).values()))


def _parsed(module: str, words: list[str], monkeypatch: pytest.MonkeyPatch, function: str = "") -> list[Call]:
    top = module.split(".")[0]
    if not (ROOT / top).is_dir():
        assert importlib.util.find_spec(top), f"there is no module {top}"
        return [Call(module, tuple(words))]
    if module.startswith("tests.bench"):
        parser = getattr(importlib.import_module(module), "parsed", None)
        assert parser or not words, f"{module} takes no arguments"
        return [Call(module, (parser(words) if parser else (),))]
    calls: list[Call] = []
    parse = tyro.extras.subcommand_cli_from_dict

    def only_parse(commands: Mapping[str, Callable[..., None]], **options: Any) -> None:
        parse({name: _recorded(command, calls) for name, command in commands.items()}, **options)

    with monkeypatch.context() as patched:
        patched.setattr(tyro.extras, "subcommand_cli_from_dict", only_parse)
        try:
            run(module, words, patched, function)
        except SystemExit as end:
            assert not end.code, f"{module} {' '.join(words)} is refused"
            return [Call("help", tuple(words))]
    if not calls:
        return [Call("help", tuple(words))]
    (call,) = calls
    if words[0] != "describe" and call.values and hasattr(call.values[0], "recipe"):
        (method,) = [method for task, _, method in every_method() if method.name == words[0] and top in (task, "tasknas")]
        return [Call(call.name, (settings_of(method.recipes, call.values[0]),))]
    return calls


def _recorded(function: Callable[..., None], calls: list[Call]) -> Callable[..., None]:
    @wraps(function)
    def stand_in(*args: Any, **named: Any) -> None:
        calls.append(Call(function.__name__, (*args, *named.values())))

    return stand_in


def run(module: str, words: list[str], monkeypatch: pytest.MonkeyPatch, function: str = "") -> None:
    """Runs a module as `python -m` does, or its `function` as a console script does, in this process."""
    monkeypatch.setattr(sys, "argv", [module, *words])
    if function:
        getattr(importlib.import_module(module), function)()
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'.*' found in sys.modules", RuntimeWarning)
        runpy.run_module(module, run_name="__main__")


def finished(folder: Path) -> None:
    """Fills `folder` with the files that the documents name: two finished runs, a picture and data."""
    import json
    import shutil

    from tests.classification.micro import SETTINGS, call, words
    from tests.contracts.folders import CASES

    CASES["detection"].make(folder / "my-data")
    call(words(folder / "runs" / "mine", settings=[*SETTINGS, "weights.steps=2", "train.steps=1", "retrain.random_archs=0"]))
    shutil.copytree(folder / "runs" / "mine", folder / "runs" / "other")
    for name, step in (("space-a", 1), ("space-b", 2)):
        (folder / "runs" / name).mkdir()
        rows = [{"arch": {"n": str(i)}, "scores": {"accuracy": i / 40}, "cost": {"macs": step * i}} for i in range(1, 21)]
        (folder / "runs" / name / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shutil.copy(folder / "runs" / "mine" / "samples" / "0.png", folder / "photo.jpg")
