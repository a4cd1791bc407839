"""The Makefile, with a stand-in for Python: what is installed when, and what is run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from classification.cells.space import NODES
from common.listing import every_method

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

STUB = """#!/bin/sh
echo "$@" >> "$CALLS"
"""


class Clone:
    """A folder with the Makefile and a `.venv` whose python only writes down what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = folder, folder / "calls"
        for name in ("Makefile", "systems.mk", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, folder / name)
        (folder / ".venv/bin").mkdir(parents=True)
        for name in ("python", "ruff", "basedpyright"):
            (folder / ".venv/bin" / name).write_text(STUB)
            (folder / ".venv/bin" / name).chmod(0o755)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "CALLS": str(self.calls)}
        return subprocess.run(["make", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True)

    def asked(self) -> list[str]:
        """The calls since the last time, without the look whether pip is there."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return [line for line in lines if line != "-m pip --version"]


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path)


def test_help_lists_every_target():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = [re.search(r"^\.PHONY: (.*)$", (ROOT / file).read_text(), re.MULTILINE) for file in ("Makefile", "systems.mk")]
    targets = [name for found in phony if found for name in found[1].split()]
    shown = re.findall(r"^  make (\S+) +\S", listed, re.MULTILINE)
    assert shown == [*(name for name in targets if not name.endswith("-smoke")), "NAME-smoke"]
    assert {f"{method.name}-smoke" for _, _, method in every_method()} == {n for n in targets if n.endswith("-smoke")}


def test_demo_installs_once_then_only_runs(clone):
    assert clone.make("demo").returncode == 0
    install, run = clone.asked()
    assert "-c constraints.txt -e .[detection,segmentation,graphs,gan,binary,export]" in install
    assert run == "-m detection.train detnas --recipe smoke --out runs/demo"
    clone.make("demo")
    assert clone.asked() == [run]


def test_demo_leaves_earlier_results_alone(clone):
    for taken in ("runs/demo", "runs/demo-2"):
        (clone.folder / taken).mkdir(parents=True)
        (clone.folder / taken / "report.html").write_text("mine")
    clone.make("demo")
    assert clone.asked()[-1].endswith("--out runs/demo-3")
    assert (clone.folder / "runs/demo/report.html").read_text() == "mine"


def test_test_adds_what_tests_need_and_makes_demo_ready_too(clone):
    clone.make("test")
    install, run = clone.asked()
    assert "-e .[detection,segmentation,graphs,gan,binary,export,frames,dev]" in install
    assert run == "-m pytest -n 2 --dist loadgroup --no-loadscope-reorder"
    clone.make("demo")
    assert len(clone.asked()) == 1


def test_new_requirements_are_installed(clone):
    clone.make("setup")
    clone.asked()
    later = (clone.folder / ".venv/.ready").stat().st_mtime + 10
    os.utime(clone.folder / "constraints.txt", (later, later))
    clone.make("setup")
    assert len(clone.asked()) == 1


def test_a_failed_install_is_tried_again(clone):
    python = clone.folder / ".venv/bin/python"
    python.write_text(STUB + 'case "$*" in *"pip install"*) exit 1;; esac\n')
    assert clone.make("demo").returncode != 0
    assert [line for line in clone.asked() if "detection.train" in line] == []
    python.write_text(STUB)
    assert clone.make("demo").returncode == 0
    assert len(clone.asked()) == 2


def test_an_old_or_missing_python_is_named_with_the_remedy(clone):
    for python in ("false", "no-such-python"):
        done = clone.make("demo", f"PYTHON={python}")
        assert done.returncode == 2
        assert f"Python 3.11 or newer is needed, and '{python}' is older or missing" in done.stderr
        assert "make PYTHON=" in done.stderr


def test_a_run_gets_what_was_given_and_nothing_else(clone):
    clone.make("detnas")
    assert clone.asked()[-1] == "-m detection.train detnas --recipe small"
    clone.make("detnas", "RECIPE=paper", "DATA=my data", "OUT=runs/x", "ARGS=--seed 3")
    assert clone.asked()[-1] == "-m detection.train detnas --recipe paper --data my data --out runs/x --seed 3"
    clone.make("detnas-smoke", "OUT=runs/y")
    assert clone.asked()[-1] == "-m detection.train detnas --recipe smoke --out runs/y"


@pytest.mark.parametrize("method", ["darts", "darts2", "snas", "pc-darts", "gdas"])
def test_every_method_of_classification_runs_alike(clone, method):
    clone.make(method, "DATA=my data", "ARGS=--budget macs=1e6")
    assert clone.asked()[-1] == f"-m classification.train {method} --recipe small --data my data --budget macs=1e6"


def test_the_smoke_of_darts(clone):
    clone.make("darts-smoke", "OUT=runs/z")
    assert clone.asked()[-1] == "-m classification.train darts --recipe smoke --out runs/z"


def test_dcnas_runs_with_the_same_variables(clone):
    clone.make("dcnas", "RECIPE=small", "DATA=streets")
    assert clone.asked()[-1] == "-m segmentation.train dcnas --recipe small --data streets"
    clone.make("dcnas-smoke", "OUT=runs/s")
    assert clone.asked()[-1] == "-m segmentation.train dcnas --recipe smoke --out runs/s"


def test_engines_are_measured_on_all_tables_unless_some_are_named(clone):
    clone.make("bench-search")
    assert clone.asked()[-1] == "-m tests.bench.search --table all --seeds 200"
    clone.make("bench-search", "TABLE=nasbench201", "SEEDS=5", "ARGS=--workers 1")
    assert clone.asked()[-1] == "-m tests.bench.search --table nasbench201 --seeds 5 --workers 1"


def test_design_spaces_are_sampled_then_compared(clone):
    clone.make("design-spaces", "RECIPE=smoke", "TRIALS=40", "ARGS=--seed 1")
    sampled, compared = clone.asked()[-2:]
    assert sampled == "-m tests.bench.design_spaces --out runs/design-spaces --trials 40 --recipe smoke --seed 1"
    tables = " ".join(f"runs/design-spaces/{family}.jsonl" for family in NODES)
    assert compared == f"-m common.cli spaces {tables} --objective accuracy"


def test_tests_of_one_group_share_a_process(tmp_path):
    """What their fixtures train is trained once. pytest 9.2 with pytest-xdist 3.8 spread a group over all processes."""
    (tmp_path / "test_group.py").write_text(
        "import os\nfrom pathlib import Path\nimport pytest\npytestmark = pytest.mark.xdist_group('one')\n"
        "@pytest.mark.parametrize('i', range(6))\n"
        "def test_it(i): Path(f'{i}.txt').write_text(os.environ['PYTEST_XDIST_WORKER'])\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-n", "2", "--dist", "loadgroup", "test_group.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert len({file.read_text() for file in tmp_path.glob("*.txt")}) == 1
