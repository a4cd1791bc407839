"""The data that settings name, what the command `data` draws of them, and that reading needs no torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from common.errors import UserError
from common.look import LookOptions, data_settings, looked, sheet
from superres.data import batch_at
from superres.data.load import load_data
from superres.data.preview import preview
from superres.settings import DataSettings
from tests.superres.data.folders import counts, fill, make

WITHOUT_TORCH = """
import sys
from superres.data.load import load_data
from superres.settings import DataSettings
print(len(load_data(DataSettings()).train), len(load_data(DataSettings(folder=sys.argv[1], patch=24)).train))
print([name for name in ("torch", "torchvision", "skimage") if name in sys.modules])
"""


def test_settings_reach_the_reader(tmp_path):
    make(tmp_path)
    (tmp_path / "T91" / "00.png").write_bytes(b"")
    path = str(tmp_path)
    with pytest.raises(UserError, match=r"00\.png: empty file"):
        load_data(DataSettings(folder=path, patch=24))
    data = load_data(DataSettings(folder=path, patch=36, scale=3, val=5, skip_bad=True))
    assert (data.scale, data.skipped, counts(data)) == (3, ("T91/00.png: empty file",), (14, 5, 5))
    with pytest.raises(UserError, match="a training patch has 96 pixels a side"):
        load_data(DataSettings(folder=path, skip_bad=False))
    assert counts(load_data(DataSettings(val=3, scale=4))) == (13, 3, 13)
    with pytest.raises(UserError, match=r"data\.patch=300"):
        load_data(DataSettings(patch=300))


def test_networks_are_tested_on_the_first_pictures(tmp_path):
    whole, data = load_data(DataSettings()), load_data(DataSettings(test=2))
    assert data.test.files == whole.test.files[:2] and data.train.files == whole.train.files
    assert data.notes[-1] == "networks are tested on the first 2 of 13 test pictures"
    path = str(make(tmp_path))
    assert counts(load_data(DataSettings(folder=path, patch=24, test=1)))[2] == 1
    with pytest.raises(UserError, match=r"data\.test=99: .* has \d+ test pictures; give at most \d+"):
        load_data(DataSettings(folder=path, patch=24, test=99))
    with pytest.raises(UserError, match=r"data\.test=0"):
        DataSettings(test=0)


def test_reading_needs_no_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(make(tmp_path))], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "13 18\n[]\n", done.stderr


def test_what_the_command_data_prints(tmp_path):
    make(tmp_path)
    options = LookOptions(data=str(tmp_path), set=("data.patch=24",))
    found = looked("superres", load_data(data_settings("superres", options)))
    assert (found["scale"], found["images"], found["counts"]) == (2, {"train": 18, "val": 2, "test": 5}, {})
    assert found["pictures"]["test"] == {"files": 5, "sizes": {"40x36": 5}, "modes": {"RGB": 5}}
    assert found["benchmarks"] == {"Set5": 3, "Set14": 2}


def test_training_patches_are_drawn_as_training_sees_them(tmp_path):
    settings = DataSettings(folder=str(fill(tmp_path, 10)), patch=24)
    items = preview(settings, 4)
    lows, highs = batch_at(load_data(settings).train, 0, 4, 0, "preview", 24, True)
    assert len(items) == 4
    for (picture, text), low, high in zip(items, lows, highs, strict=True):
        assert text == "low (1/2), high" and picture.size == (24 + 6 + 24, 24)
        pixels = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)
        assert torch.equal(pixels[:, :, 30:], high.byte())
        assert torch.equal(pixels[:, :, :24], low.byte().repeat_interleave(2, 1).repeat_interleave(2, 2))
    assert len(preview(settings, 100)) == 8  # of the training pictures
    assert sheet(preview(DataSettings(), 16)).width == 4 * (2 * 96 + 6 + 6)
