"""Rules the source tree keeps: layers, imports, file sizes, signatures, quick `--help`, tested pins."""

import ast
import functools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tasknas.hidden import BUILT_ON

ROOT = Path(__file__).resolve().parents[1]
TASKS = ("detection", "segmentation", "graphs", "gan", "superres", "binary", "classification")
HEAVY = ("torch", "torchvision", "mmdet", "mmengine", "mmcv", "sklearn", "skimage", "matplotlib")
SCRIPTS = [f"{task}.train" for task in TASKS if (ROOT / task / "train.py").exists()]
SOURCES = sorted(path for package in ("tasknas", "common", *TASKS) for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))


def imported(node: ast.AST) -> list[str]:
    """The modules an import statement names; `from a import b` also gives `a.b`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module an import statement in `tree` names, wherever it stands."""
    for node in ast.walk(tree):
        yield from imported(node)


def run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from run_time(node)


def layers() -> dict[str, int]:
    """Unit of `common` -> layer, 0 at the bottom, as the layering line of docs/architecture.md says."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    line = re.search(r"^Layering \(tested\): (.*?)<- tasks", text, re.MULTILINE | re.DOTALL)
    assert line, "docs/architecture.md has no line that starts with 'Layering (tested): '"
    steps = [re.findall(r"\w+", step) for step in re.findall(r"`([^`]+)`", line[1])]
    found = {unit: height for height, units in enumerate(steps) for unit in units}
    return found


def units() -> list[str]:
    found = {
        path.relative_to(ROOT / "common").parts[0].removesuffix(".py") for path in SOURCES if path.is_relative_to(ROOT / "common")
    }
    return sorted(found - {"__init__", "__main__"})


def test_every_unit_of_the_core_has_a_layer():
    assert [unit for unit in units() if unit not in layers()] == [], "name it in the layering line of docs/architecture.md"


def test_core_imports_downwards():
    height, wrong = layers(), []
    for path in SOURCES:
        package, *inside = path.relative_to(ROOT).parts
        unit = inside[0].removesuffix(".py")
        if package != "common" or unit not in height:
            continue
        # what is imported for annotations only may lie above: a protocol's name binds nothing
        for node in run_time(ast.parse(path.read_text(encoding="utf-8"))):
            for name in imported(node):
                top, _, rest = name.partition(".")
                if top == "common" and height.get(rest.split(".")[0], 0) > height[unit]:
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_core_knows_no_task():
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / "common").rglob("*.py")
        for name in imports(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0] in TASKS
    ]
    assert wrong == []


def test_tasks_import_no_other_task():
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for task in TASKS
        for path in (ROOT / task).rglob("*.py")
        for name in imports(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0] in set(TASKS) - {task} and not borrowed(task, name)
    ]
    assert wrong == []


def borrowed(task: str, name: str) -> bool:
    """Whether a module is of the task that a task package is built on: none of a system's, and not its list of systems."""
    package, *inside = name.split(".")
    systems = {folder.name for folder in system_folders() if folder.parent.name == package}
    return package == BUILT_ON.get(task) and not (inside and inside[0] in {*systems, "systems", "train"})


def system_folders() -> list[Path]:
    return sorted(path.parent for task in TASKS for path in (ROOT / task).glob("*/system.py"))


CONFIGURED = ("mmdet_types.py", "mmseg_types.py")
"""What configurations of mm* packages import: it names types of every system."""


def test_the_types_of_configurations_are_imported_by_no_module_but_their_earlier_names():
    names = {f"{task}.{name.removesuffix('.py')}" for task in TASKS for name in CONFIGURED}
    found = {str(path.relative_to(ROOT)) for path in SOURCES if names & set(imports(ast.parse(path.read_text(encoding="utf-8"))))}
    assert found == {"detection/detnas/mmdet_backbones.py", "segmentation/dcnas/mmseg_backbones.py"}


def test_no_module_of_a_task_outside_a_systems_folder_imports_a_system():
    wrong = []
    for folder in system_folders():
        system = ".".join(folder.relative_to(ROOT).parts)
        for path in folder.parent.rglob("*.py"):
            if path.is_relative_to(folder) or path == folder.parent / "systems.py":
                continue
            for name in imports(ast.parse(path.read_text(encoding="utf-8"))):
                if name == system or name.startswith(f"{system}."):
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == [], "systems import tasks, never the reverse"


OPTIONAL = {"detection": ("timm",)}
"""Task package -> further extras that a setting of the task asks for."""
IDEAS = {  # space, model and algorithm files, the paper's notation, drawings of it; recipes are numbers
    "classification/darts": {
        *("spaces", "model", "nasbench201", "networks", "phases", "methods", "names", "recipes"),
    },
    "binary/cells": {
        *("space", "spaces", "parts", "kim", "separable", "grouped", "model", "found", "networks", "phases", "methods", "names"),
        "recipes",
    },
    "binary/groups": {"space", "model", "networks", "names", "recipes"},
    "binary/width": {"space", "model", "networks", "names", "recipes"},
    "detection/detnas": {
        *("space", "model", "networks", "backbones", "mmdet_backbones", "warm_start", "names", "phases", "recipes", "joint"),
    },
    "detection/efficientdet": {"space", "networks", "weights", "mmdet_parts", "recipes"},
    "detection/nas_fpn": {"space", "networks", "names", "mmdet_neck", "recipes"},
    "gan/compression": {"space", "model", "networks", "phases", "transfer", "stages", "names", "recipes", "task"},
    "graphs/pdnas": {"space", "model", "networks", "attention", "edges", "propagation", "names", "drawing", "methods", "recipes"},
    "superres/hnas": {"space", "model", "networks", "costs", "controllers", "phases", "names", "drawing", "recipes"},
    "segmentation/dcnas": {
        *("space", "model", "cells", "segmentor", "backbones", "mmseg_backbones", "derive", "wirings", "costs", "sizes"),
        *("networks", "names", "drawing", "recipes"),
    },
}


@pytest.mark.parametrize("folder", system_folders(), ids=lambda folder: str(folder.relative_to(ROOT)))
def test_plumbing_of_a_system_is_short(folder):
    ideas = IDEAS[str(folder.relative_to(ROOT))]
    assert ideas <= {path.stem for path in folder.glob("*.py")}
    plumbing = [path for path in folder.glob("*.py") if path.stem not in ideas]
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in plumbing}
    assert sum(lines.values()) <= 150, lines


def test_what_is_written_about_systems_is_up_to_date():
    from common.listing import engines_page, make_targets, with_systems

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == with_systems(readme), "run: python -m common.cli list --write"
    assert (ROOT / "systems.mk").read_text(encoding="utf-8") == make_targets(), "run: python -m common.cli list --write"
    assert (ROOT / "docs" / "engines.md").read_text(encoding="utf-8") == engines_page(), "run: python -m common.cli list --write"


def test_files_are_short():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (*SOURCES, *TESTS)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}, "more than 400 lines: split it"


def test_signatures_name_their_parameters():
    # `**_` is allowed: a stand-in that takes anything and reads none of it.
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: **{node.args.kwarg.arg}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        and node.args.kwarg
        and node.args.kwarg.arg.strip("_")
    ]
    assert found == []


def test_packages_of_the_dev_extra_are_not_needed_at_run_time():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} imports {name}"
        for path in SOURCES
        for node in run_time(ast.parse(path.read_text(encoding="utf-8")))
        for name in imported(node)
        if name.split(".")[0] in ("beartype", "pytest", "hypothesis", "pymoo", "playwright", "mkdocs")
    ]
    assert found == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_train_scripts_import_nothing_heavy(script):
    code = f"import sys, {script}; print(*sorted(set({HEAVY}) & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert found == [], f"{script} imports {found} when it is imported: do it inside the function that needs it"


def requirements(*extras: str) -> Iterator[Requirement]:
    """Those of the project, and of extras: an extra may include others, as `tasknas[docs]`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yield from map(Requirement, project["dependencies"])
    for requirement in (Requirement(line) for extra in extras for line in project["optional-dependencies"][extra]):
        if requirement.name == project["name"]:
            yield from requirements(*requirement.extras)
        else:
            yield requirement


@functools.cache
def declared(*extras: str) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements(*extras)}


def test_what_is_imported_is_declared():
    providers = packages_distributions()
    wanted: dict[str, str] = {}
    for path in (*SOURCES, *TESTS, *EXAMPLES, ROOT / "conftest.py"):
        package = path.relative_to(ROOT).parts[0]
        extras = (
            (package, *OPTIONAL.get(package, ()))
            if package in TASKS
            else ("export", "frames")
            if package in ("common", "tasknas")
            else ("export", "frames", "detection", "segmentation", "graphs", "dev")
        )
        known = declared(*extras) | (declared("export") if package in TASKS else set())
        for name in imports(ast.parse(path.read_text(encoding="utf-8"))):
            top = name.split(".")[0]
            for provider in [] if (ROOT / top).is_dir() else providers.get(top, [])[:1]:
                if canonicalize_name(provider) not in known:
                    wanted[provider] = str(path.relative_to(ROOT))
    assert wanted == {}, "name these in pyproject.toml"


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines if line and not line.startswith("#")}


def test_every_requirement_has_a_tested_pin_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in requirements(*project["optional-dependencies"]):
        pin = pins().get(canonicalize_name(requirement.name))
        assert pin, f"constraints.txt has no pin for {requirement}"
        assert requirement.specifier.contains(pin), (
            f"constraints.txt pins {requirement.name} {pin}, outside {requirement.specifier}"
        )


def test_all_packages_are_shipped():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert sorted(build["packages"]) == sorted(("tasknas", "common", *TASKS))
    for package in build["packages"]:
        assert ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))) is not None
