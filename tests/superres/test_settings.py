"""Settings of the data, and the options that change them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.errors import UserError
from common.overrides import override
from common.stages.settings import RetrainSettings, SearchSettings
from superres.layout import check_layout, holds_low
from superres.settings import DataSettings, SuperResOptions, SuperResSettings


def settings(**data) -> SuperResSettings:
    return SuperResSettings(
        recipe="smoke", budget={}, data=DataSettings(**data), search=SearchSettings(trials=1), retrain=RetrainSettings()
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"patch": 95}, "data.patch=95: give a multiple of 2 (data.scale), 24 at least"),
        ({"patch": 22}, "data.patch=22: give a multiple of 2 (data.scale), 24 at least"),
        ({"patch": 64, "scale": 3}, "data.patch=64: give a multiple of 3 (data.scale), 36 at least"),
        ({"patch": 44, "scale": 4}, "data.patch=44: give a multiple of 4 (data.scale), 48 at least"),
        ({"patch": -24}, "data.patch=-24: give a multiple of 2 (data.scale), 24 at least"),
        ({"val": 0}, "data.val=0: give 1 or more"),
    ],
)
def test_values_out_of_range(wrong, message):
    with pytest.raises(UserError) as told:
        DataSettings(**wrong)
    assert str(told.value) == message


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_smallest_patch_leaves_psnr_something_within_its_border(scale):
    DataSettings(scale=scale, patch=12 * scale)
    assert 12 * scale - 2 * (scale + 6) >= 8


def test_scales_are_two_three_or_four():
    assert override(DataSettings(), ["scale=3"]).scale == 3
    for word in ("scale=5", "scale=1", "scale=2.5"):
        with pytest.raises(UserError, match="scale"):
            override(DataSettings(), [word])


@pytest.mark.parametrize(("scale", "most", "advice"), [(2, 270, 96), (3, 270, 144), (4, 268, 192)])
def test_patches_larger_than_the_photographs_are_refused(scale, most, advice):
    DataSettings(scale=scale, patch=most).check()
    large = DataSettings(scale=scale, patch=most + scale)
    with pytest.raises(UserError) as told:
        large.check()
    assert str(told.value) == (
        f"data.patch={most + scale}: patches of embedded photographs have at most {most} pixels a side; give --data FOLDER, or "
        f"--set data.patch={advice}"
    )
    DataSettings(scale=scale, patch=advice).check()


def test_settings_of_a_run():
    made = settings()
    assert (made.data.scale, made.data.patch, made.data.flip, made.ensemble) == (2, 96, True, False)
    assert override(made, ["ensemble=true", "data.patch=48"]).ensemble


@pytest.mark.parametrize(("scale", "patch", "expected"), [(3, 96, 96), (3, 64, 63), (4, 30, 48), (2, 24, 24), (4, 94, 92)])
def test_the_option_scale_keeps_patches_at_a_multiple(scale, patch, expected):
    changed = SuperResOptions(scale=scale).change(settings(patch=patch))
    assert changed == replace(settings(patch=patch), data=DataSettings(scale=scale, patch=expected))
    assert SuperResOptions().change(changed) is changed


@pytest.mark.parametrize(
    ("name", "low"),
    [
        ("DIV2K_train_LR_bicubic", True),
        ("DIV2K_valid_LR_x8", True),
        ("LR", True),
        ("lr_x2", True),
        ("LRx4", True),
        ("LRbicx2", True),
        ("Set5-LR", True),
        ("DIV2K_train_HR", False),
        ("Colour", False),
        ("already", False),
        ("Set5", False),
        ("lrn", False),
    ],
)
def test_folders_of_low_resolution_pictures_are_told_by_their_names(name, low):
    assert holds_low(name) == low


def test_a_layout_is_told_by_folders_alone(tmp_path):
    (tmp_path / "t91").mkdir()
    assert check_layout(tmp_path) == "sets"
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "x.JPG").touch()
    assert check_layout(tmp_path / "plain") == "plain"
