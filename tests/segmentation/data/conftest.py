from pathlib import Path

import pytest

from tests.segmentation.data.folders import make_split_folders


@pytest.fixture
def root(tmp_path) -> Path:
    return make_split_folders(tmp_path / "data")
