import subprocess
import sys

import numpy as np
import pytest

from common.errors import UserError
from detection.data import embedded
from detection.data.__main__ import main
from detection.data.export import preview


def test_a_preview_shows_every_sample_with_its_boxes():
    split = embedded(train=5, val=1, test=1).train
    sheet = np.asarray(preview(split, columns=4, rows=2))
    assert sheet.shape == (2 * 192, 4 * 192, 3)
    plain = split[4].image.permute(1, 2, 0).numpy().repeat(3, axis=0).repeat(3, axis=1)
    changed = (sheet[192:, :192] != plain).any(axis=2)
    x1, y1, x2, y2 = (3 * split[4].boxes[0].int()).tolist()
    assert changed[y1, x1:x2].mean() > 0.9
    changed[max(0, y1) : y2, x1:] = False
    assert changed.mean() < 0.5
    assert not sheet[192:, 192:].any()


def test_the_command_writes_a_picture_and_prints_the_facts(tmp_path, capsys):
    main(tmp_path / "out.png", split="val")
    assert (tmp_path / "out.png").stat().st_size > 10_000
    assert "classes: ['zero'," in capsys.readouterr().out


@pytest.mark.parametrize(("name", "part"), [("out.foo", "ends in .png"), ("none/out.png", "cannot be written")])
def test_pictures_that_cannot_be_written(tmp_path, name, part):
    with pytest.raises(UserError, match=part):
        main(tmp_path / name)


def test_the_command_ends_with_one_line_and_status_2(tmp_path):
    command = [sys.executable, "-m", "detection.data", str(tmp_path / "out.png"), "--data", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.png").exists()
