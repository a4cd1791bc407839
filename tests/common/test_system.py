"""Declarations: found by the names of systems and methods, picklable, free of torch, every deferred function there."""

import pickle
import subprocess
import sys
from dataclasses import fields
from functools import partial
from pathlib import Path

import pytest

from common.deferred import Deferred
from common.errors import UserError
from common.stages.settings import RunSettings
from common.system import system_of, systems_of, task_packages

SYSTEMS = [(task, system) for task in task_packages() for system in systems_of(task)]
EACH = pytest.mark.parametrize(("task", "system"), SYSTEMS, ids=[f"{task}-{system.name}" for task, system in SYSTEMS])


@EACH
def test_it_is_found_by_its_name_and_by_those_of_its_methods(task, system):
    for name in (system.name, *(method.name for method in system.methods)):
        assert system_of(task, name, "here") is system
    with pytest.raises(UserError, match=f"here: task {task} has no system 'yolo'; it has "):
        system_of(task, "yolo", "here")


@EACH
def test_workers_can_be_given_it(task, system):
    for method in system.methods:
        settings = method.recipes["smoke"]()
        made = pickle.loads(pickle.dumps(partial(system.make, settings, Path("weights"))))
        assert made.args == (settings, Path("weights")) and made.func.__self__.name == system.name


@EACH
def test_every_function_that_it_names_is_there(task, system):
    for field in fields(system):
        value = getattr(system, field.name)
        if isinstance(value, Deferred):
            assert callable(value.resolve())
    assert system.task.resolve().kind == task
    assert issubclass(system.settings, RunSettings)


def test_declarations_are_free_of_torch():
    code = "import sys; from common.system import *; [systems_of(t) for t in task_packages()]; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_of_methods_are_unique():
    names = [method.name for _, system in SYSTEMS for method in system.methods]
    assert len(names) == len(set(names)), "each is a make target"
