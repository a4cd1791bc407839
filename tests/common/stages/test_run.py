"""Which folder a run is written to."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from common.errors import UserError
from common.options import RunOptions, settings_of
from common.stages.run import folder_of, shrunk
from common.stages.settings import RetrainSettings, RunSettings, SearchSettings
from common.system import Method
from tests.contracts.cases import SYSTEMS

SYSTEM = cast("Method", SimpleNamespace(name="toy"))
SETTINGS = RunSettings(recipe="small", budget={}, search=SearchSettings(), retrain=RetrainSettings())


def test_the_folder_is_the_one_asked_for_whether_it_is_there_or_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for out in (tmp_path / "new", tmp_path):
        for resume in (False, True):
            assert folder_of(RunOptions(recipe="smoke", out=str(out), resume=resume), SETTINGS, SYSTEM) == out
    assert list(tmp_path.iterdir()) == [], "nothing is made yet"


def test_without_one_it_is_the_next_free_one_of_the_system_and_its_recipe(tmp_path, monkeypatch):
    """The recipe that the settings are of, whatever the options were."""
    monkeypatch.chdir(tmp_path)
    options = RunOptions(recipe="smoke")
    assert folder_of(options, SETTINGS, SYSTEM) == folder_of(options, SETTINGS, SYSTEM) == Path("runs/toy-small")
    for name in ("toy-small", "toy-small-2", "toy-smoke", "other-small-3"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    assert folder_of(options, SETTINGS, SYSTEM) == Path("runs/toy-small-3")


def test_a_run_that_is_to_go_on_needs_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--resume needs the folder to go on with; give --out"):
        folder_of(RunOptions(resume=True), SETTINGS, SYSTEM)


LISTED = [system for task, system in SYSTEMS if task != "toy"]


@pytest.mark.parametrize("system", LISTED, ids=lambda system: system.name)
def test_smoke_on_a_folder_says_how_the_folder_is_read(system):
    """Pictures of 32 pixels were read at 16, and flips were off, without a word."""
    recipes = system.methods[0].recipes
    notes = shrunk(settings_of(recipes, system.options(recipe="smoke", data="folder")))
    assert shrunk(settings_of(recipes, system.options(recipe="smoke"))) == []
    assert shrunk(settings_of(recipes, system.options(recipe="small", data="folder"))) == []
    expected = {"darts": ["data.size=16", "data.flip=false"], "pdnas": []}.get(system.name, ["data."])
    assert len(notes) == bool(expected) and all(word in notes[0] for word in expected)
    assert all("data.folder" not in note and "the recipe small has settings for a folder" in note for note in notes)
