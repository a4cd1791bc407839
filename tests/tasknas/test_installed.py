"""The wheel, installed into an environment that has what pyproject.toml requires and nothing of the extras."""

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from common.extras import modules_of
from common.run.files import Jsonl
from tests.tasknas.test_hidden import PACKAGES, ROOT

EXTRAS = ("detection", "segmentation", "graphs", "gan", "export")
HOSTILE = ("common", "tasknas", "detection", "classification")
"""Files of the user's in the folder where commands are given."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (file,) = folder.glob("*.whl")
    return file


def required(lines: list[str]) -> dict[str, Distribution]:
    """The distributions of this environment that requirements lead to, without any extra."""
    found: dict[tuple[str, frozenset[str]], Distribution] = {}
    todo = [Requirement(line) for line in lines]
    while todo:
        wanted = todo.pop()
        key = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if key not in found:
            found[key] = distribution(wanted.name)
            extras = ("", *wanted.extras)
            needs = map(Requirement, found[key].requires or [])
            todo += [one for one in needs if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in extras)]
    return {name: one for (name, _), one in found.items()}


@pytest.fixture(scope="module")
def bin(wheel, tmp_path_factory) -> Path:
    """The folder of programs of the environment; libraries are links to those of this one."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    (site,) = home.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as content:
        metadata = next(name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
        lines = content.read(metadata).decode().split("\n\n")[0].splitlines()
    needs = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    for one in required([need for need in needs if "extra ==" not in need]).values():
        for top in {file.parts[0] for file in one.files or []} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(str(one.locate_file(top)))
    pip = [sys.executable, "-m", "pip", "--python", home / "bin" / "python", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", wheel], check=True)
    return home / "bin"


@pytest.fixture
def call(bin, tmp_path):
    """Runs a program of the environment in a folder with files that have the names of packages."""
    for name in HOSTILE:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the file of the user was run')\n", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def called(program: str, *words: str) -> subprocess.CompletedProcess[str]:
        path = f"{bin}{os.pathsep}{kept['PATH']}"
        environment = {**kept, "PATH": path, "PYTHONDONTWRITEBYTECODE": "", "COLUMNS": "80"}
        return subprocess.run([program, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return called


def test_the_wheel_has_every_file_of_every_package_and_says_that_it_is_typed(wheel):
    with zipfile.ZipFile(wheel) as content:
        held = {name for name in content.namelist() if ".dist-info/" not in name}
    files = {path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()}
    wanted = {str(path) for path in files if "__pycache__" not in path.parts}
    assert held == wanted
    assert {f"{package}/py.typed" for package in PACKAGES} <= held
    assert {Path(name).suffix for name in held} >= {".py", ".html", ".json"}


def test_without_extras_darts_is_described_and_other_tasks_name_their_pip_line(bin, tmp_path):
    code = """
import contextlib, importlib.util, io, json, sys
from common.extras import modules_of
from tasknas.__main__ import main
extras = json.loads(sys.argv[1])
def call(words, redirect):
    said = io.StringIO()
    with redirect(said), contextlib.suppress(SystemExit):
        main(words)
    return said.getvalue()
said = {" ".join(words): call(words, contextlib.redirect_stderr) for words in json.loads(sys.argv[2])}
print(json.dumps([{e: sorted(modules_of(e)) for e in extras},
                  [m for e in extras for m in modules_of(e) if importlib.util.find_spec(m)], said,
                  call("describe darts --arch DARTS_V2".split(), contextlib.redirect_stdout)]))
"""
    commands = {
        "detnas --recipe smoke": "detection",
        "describe detnas --arch COCO_FPN_300M": "detection",
        "dcnas --recipe smoke": "segmentation",
        "gan-compression --recipe smoke": "gan",
        "halving": "graphs",
        "describe pdnas --arch GAT": "graphs",
        "export run": "export",
    }
    words = [json.dumps(EXTRAS), json.dumps([command.split() for command in commands])]
    done = subprocess.run([bin / "python", "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
    modules, present, said, described = json.loads(done.stdout)
    assert present == []
    assert json.loads(described)["system"] == "darts"
    assert modules == {extra: sorted(modules_of(extra)) for extra in EXTRAS}
    for command, extra in commands.items():
        line = said[command]
        assert line.count("\n") == 1 and line.endswith(f"run pip install 'tasknas[{extra}]'\n"), command
    assert list(tmp_path.iterdir()) == []


def test_help_works_from_a_folder_with_files_of_the_same_names(call):
    done = call("tasknas", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Search: object detection; first run pip install 'tasknas[detection]'\n" in done.stdout
    assert "Search: image classification\n" in done.stdout


@pytest.mark.soak
def test_a_run_with_workers_ends_in_a_report_that_says_what_was_left_out(call, tmp_path):
    settings = ["search.engine=random", "search.evaluation=scratch", "search.trials=2", "search.random_baseline=false"]
    settings += ["retrain.random_archs=0", "retrain.seeds=1", "train.steps=2", "pictures=1"]
    done = call("tasknas", "darts", "--out", "run", "--workers", "1", "--set", *settings)
    assert (done.returncode, done.stderr) == (0, "")
    note = "best/ has no ONNX file: onnx, onnxruntime, onnxscript not installed: "
    note += "export needs them; run pip install 'tasknas[export]'"
    *_, shown, report = done.stdout.splitlines()
    assert shown == f"note: {note}, then `tasknas export RUN`, or Run(RUN).export() in Python"
    assert report == "run/report.html"
    run = tmp_path / "run"
    assert note.replace("'", "&#39;") in (run / "report.html").read_text(encoding="utf-8")
    assert {file.name for file in (run / "best").iterdir()} == {"arch.json", "metrics.json", "model.safetensors"}
    assert json.loads((run / "config.json").read_text())["command"].startswith("tasknas darts --out run --workers 1 --set ")
    assert all(row["status"] == "ok" for row in Jsonl(run / "trials.jsonl").rows())


@pytest.mark.slow
def test_an_own_network_is_searched_without_extras(bin, call, tmp_path):
    quick = ["supernet.steps=2", "train.steps=2", "search.trials=2", "retrain.seeds=1", "retrain.random_archs=1"]
    script = str(ROOT / "examples" / "own_cnn.py")
    done = call(str(bin / "python"), script, "--out", "run", "--set", *quick)
    assert (done.returncode, done.stderr) == (0, "") and "run/report.html" in done.stdout
    assert "best/ has no ONNX file: onnx" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
