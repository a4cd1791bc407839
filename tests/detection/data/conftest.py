import pytest

from tests.detection.data.folders import Folder


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path / "data")
