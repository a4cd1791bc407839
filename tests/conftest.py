"""What every test stands on: one torch thread, and the folder of real data where there is one."""

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # more threads than cores make a loaded machine many times slower, and change sums


@pytest.fixture(scope="session")
def tasknas_data() -> Path:
    """The folder of real data sets: `TASKNAS_DATA`, by default `../shared/data` beside the repository."""
    folder = Path(os.environ.get("TASKNAS_DATA") or Path(__file__).resolve().parents[1].parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is no folder (set TASKNAS_DATA)")
    return folder
