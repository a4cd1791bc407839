"""Files of a user's that have the name of a package: one line that names both files, and the file is never run."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from common.system import task_packages
from tasknas import hidden

ROOT = Path(__file__).resolve().parents[2]
BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
PACKAGES = sorted(BUILD["packages"])


def hide(folder: Path, name: str) -> Path:
    """A file of the user's with the name of a package: it leaves a mark if it is run."""
    file = folder / f"{name}.py"
    file.write_text("open('run', 'w').close()\n", encoding="utf-8")
    return file


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python in the user's folder; the packages are installed elsewhere."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert not (folder / "run").exists(), "the user's file was run"
    return done


def line(file: Path, name: str) -> str:
    return f"{file} hides the package {name} of tasknas ({ROOT / name / '__init__.py'}): rename {file}"


@pytest.mark.parametrize("package", [name for name in PACKAGES if name != "common"])
def test_the_import_of_every_package_names_the_file_that_hides_the_core(package, tmp_path):
    file = hide(tmp_path, "common")
    done = python(tmp_path, "-c", f"import {package}")
    assert done.stderr.splitlines()[-1] == f"ImportError: {line(file, 'common')}"


@pytest.mark.parametrize("module", ["tasknas", *(f"{task}.train" for task in task_packages())])
def test_python_m_beside_such_a_file_ends_with_one_line_and_status_2(module, tmp_path):
    file = hide(tmp_path, "common")
    done = python(tmp_path, "-m", module, "--help")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {line(file, 'common')}\n")


@pytest.mark.parametrize("task", task_packages())
def test_a_file_that_hides_a_task_is_named_when_the_task_is_asked_for(task, tmp_path):
    file = hide(tmp_path, task)
    done = python(tmp_path, "-m", "tasknas", "list")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {line(file, task)}\n")


def test_a_file_that_hides_one_task_leaves_the_others_alone(tmp_path):
    hide(tmp_path, "graphs")
    assert python(tmp_path, "-m", "detection.train", "--help").returncode == 0


def test_a_folder_hides_a_package_as_a_file_does(tmp_path):
    (tmp_path / "common").mkdir()
    assert python(tmp_path, "-c", "import tasknas").returncode == 0  # without __init__.py it comes after every package
    hide(tmp_path / "common", "__init__")
    done = python(tmp_path, "-c", "import tasknas")
    assert done.stderr.splitlines()[-1] == f"ImportError: {line(tmp_path / 'common', 'common')}"


def test_nothing_is_hidden_here_nor_by_a_link_to_the_package_itself(tmp_path):
    assert [hidden.reason(name) for name in PACKAGES] == [""] * len(PACKAGES)
    (tmp_path / "common").symlink_to(ROOT / "common")
    assert python(tmp_path, "-c", "import tasknas").returncode == 0
