"""A run goes on with the same data, wherever they lie, and with no others."""

import pytest

from common.errors import UserError
from common.run.data import digest_of, same_data
from common.run.folder import RunFolder
from common.space import OneOf

SPACE = {"kernel": OneOf(3, 5)}


def config(folder: str | None, digest: str | None, **settings: object) -> dict[str, object]:
    data = {"name": folder or "embedded", "notes": [f"{folder}: its own split"], "classes": ["a"]}
    if digest is not None:
        data["digest"] = digest
    return {"settings": {"data": {"folder": folder, "size": 32} | settings}, "data": data}


@pytest.fixture
def run(tmp_path):
    RunFolder.create(tmp_path / "run", config("/there", "aa"), SPACE).close()
    return tmp_path / "run"


def test_the_same_data_elsewhere_are_accepted(run):
    RunFolder.resume(run, config("/elsewhere", "aa"), SPACE).close()


@pytest.mark.parametrize("folder", ["/there", "/elsewhere"])
def test_other_data_are_refused(run, folder):
    said = (
        rf"run was started on other data: /there had the digest aa, {folder} has bb; restore the files, give the data of the run"
    )
    with pytest.raises(UserError, match=said):
        RunFolder.resume(run, config(folder, "bb"), SPACE)


def test_settings_are_compared_as_before(run):
    with pytest.raises(UserError, match=r"other settings: settings\.data\.size was 32, is now 64;"):
        RunFolder.resume(run, config("/there", "bb", size=64), SPACE)
    with pytest.raises(UserError, match=r"other settings: settings\.data\.folder was true, is now false;"):
        RunFolder.resume(run, config(None, "aa"), SPACE)


@pytest.mark.parametrize("settings", [{}, {"data": None}, None])
def test_configs_without_settings_of_data_are_compared_by_the_digest_alone(settings):
    """Data of a caller's own, say."""
    old, new = ({"seed": 1, "settings": settings, "data": {"name": name, "digest": "aa"}} for name in ("x", "y"))
    assert same_data(old, new) == ({"seed": 1, "settings": settings},) * 2


@pytest.mark.parametrize("data", [None, "text", {}, {"digest": None}, {"digest": 3}])
def test_what_is_no_digest_is_none(data):
    assert digest_of({"data": data}) is None and digest_of({"data": {"digest": "aa"}}) == "aa"


def test_runs_without_a_digest_are_compared_entry_by_entry(tmp_path):
    RunFolder.create(tmp_path / "old", config("/there", None), SPACE).close()
    with pytest.raises(UserError, match=r"settings\.data\.folder was"):
        RunFolder.resume(tmp_path / "old", config("/elsewhere", "aa"), SPACE)
