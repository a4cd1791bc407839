"""PSNR and SSIM against computations of their own, and the anchor that the field's bicubic figures are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import correlate1d

from common.errors import UserError
from superres.metrics import PERFECT, bicubic, inner, psnr_rgb, psnr_y, quantised, ssim_y, to_y


def picture(seed: int, height: int = 30, width: int = 26) -> torch.Tensor:
    return torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def worse(true: torch.Tensor, seed: int, by: float) -> torch.Tensor:
    return true + by * torch.randn(true.shape, generator=torch.Generator().manual_seed(seed))


def test_brightness_of_known_colours():
    colours = torch.tensor([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=torch.uint8).T[:, None]
    found = to_y(colours)[0]
    expected = [16, 16 + 219.859 * 255 / 256, 16 + 65.738 * 255 / 256, 16 + 129.057 * 255 / 256, 16 + 25.064 * 255 / 256]
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_an_error_of_known_size():
    true = torch.full((3, 12, 12), 100.0)
    made = true.clone()
    made[1] += 2  # green alone
    assert float(psnr_y(made, true, 2)) == pytest.approx(20 * np.log10(255 / (2 * 129.057 / 256)), abs=1e-9)
    assert float(psnr_rgb(made[None], true[None], 2)) == pytest.approx(10 * np.log10(255**2 / (4 / 3)), abs=1e-9)


def test_values_are_rounded_and_limited_before_they_are_compared():
    true = torch.full((3, 12, 12), 255, dtype=torch.uint8)
    assert float(psnr_y(true + 300.0, true, 2)) == PERFECT and float(psnr_y(true - 0.4, true, 2)) == PERFECT
    assert float(psnr_y(true - 0.6, true, 2)) == pytest.approx(float(psnr_y(true - 1.0, true, 2))) != PERFECT
    assert quantised(torch.tensor([-3.0, 1.4, 1.6, 256.0])).tolist() == [0, 1, 2, 255]
    assert float(psnr_rgb(true[None] + 300.0, true[None], 2)) == PERFECT


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_as_many_pixels_as_the_scale_are_left_out_at_each_edge(scale):
    true = picture(0)
    made = true.float()
    made[:, :scale], made[:, -scale:], made[:, :, :scale], made[:, :, -scale:] = 0, 0, 0, 0
    assert float(psnr_y(made, true, scale)) == PERFECT and float(ssim_y(made, true, scale)) == pytest.approx(1)
    made[:, scale, scale] = 255 - made[:, scale, scale]
    assert float(psnr_y(made, true, scale)) < PERFECT and float(ssim_y(made, true, scale)) < 1


def test_each_picture_has_its_score_and_a_reward_is_of_all_values():
    true = torch.stack([picture(0), picture(1)])
    made = torch.stack([worse(true[0], 2, 3.0), worse(true[1], 3, 30.0)])
    for score in (psnr_y, ssim_y):
        both = score(made, true, 2)
        assert both.shape == (2,) and both[0] > both[1]
        assert both.tolist() == pytest.approx([float(score(m, t, 2)) for m, t in zip(made, true)], abs=1e-9)
    squared = [255**2 / 10 ** (float(psnr_rgb(m[None], t[None], 8)) / 10) for m, t in zip(made, true)]
    assert float(psnr_rgb(made, true, 8)) == pytest.approx(10 * np.log10(255**2 / np.mean(squared)), abs=1e-9)


def independent_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. 2004, window by window, from moments of the definition."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    line /= line.sum()

    def mean(z: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(z, line, 0), line, 1)[5:-5, 5:-5]

    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    a, b = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * mx * my + a) * (2 * vxy + b)) / ((mx**2 + my**2 + a) * (vx + vy + b))).mean())


@pytest.mark.parametrize(("side", "by"), [((30, 26), 4.0), ((15, 40), 40.0), ((15, 15), 15.0)])
def test_ssim_is_that_of_the_definition(side, by):
    true = picture(5, *side)
    made = worse(true, 6, by)
    x, y = (to_y(z)[2:-2, 2:-2].numpy() for z in (quantised(made), true))
    assert float(ssim_y(made, true, 2)) == pytest.approx(independent_ssim(x, y), abs=1e-9)


def test_small_pictures_are_refused_with_the_rule():
    with pytest.raises(
        UserError, match=r"a picture of 20x14 pixels cannot be scored: 2 pixels .* 11x11 must remain; .* below 15"
    ):
        ssim_y(picture(0, 14, 20), picture(0, 14, 20), 2)
    assert float(ssim_y(picture(0, 15, 15), picture(0, 15, 15), 2)) == pytest.approx(1)
    with pytest.raises(UserError, match="1x1 must remain"):
        psnr_y(picture(0, 8, 9), picture(0, 8, 9), 4)
    assert inner(picture(0, 9, 9), 4, 1).shape == (3, 1, 1)


def test_bicubic_is_pillows():
    low = picture(7, 5, 8)
    large = Image.fromarray(low.permute(1, 2, 0).numpy()).resize((24, 15), Image.Resampling.BICUBIC)
    assert torch.equal(bicubic(low, 3).permute(1, 2, 0), torch.from_numpy(np.asarray(large).copy()))


@pytest.mark.parametrize(("name", "expected", "within"), [("Set5", 33.66, 0.05), ("Set14", 30.24, 0.1)])
def test_bicubic_has_the_published_psnr(name, expected, within, tasknas_data):
    folder, found, similar = tasknas_data / "superres" / name, [], []
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is missing")
    for file in sorted(folder.glob("*.png")):
        with Image.open(file) as stored:
            high = stored.convert("RGB")
        high = high.crop((0, 0, high.width // 2 * 2, high.height // 2 * 2))
        small = high.resize((high.width // 2, high.height // 2), Image.Resampling.BICUBIC)
        low, true = (torch.from_numpy(np.asarray(x).transpose(2, 0, 1).copy()) for x in (small, high))
        found.append(float(psnr_y(bicubic(low, 2), true, 2)))
        similar.append(float(ssim_y(bicubic(low, 2), true, 2)) if name == "Set5" else 0.0)
    assert np.mean(found) == pytest.approx(expected, abs=within)
    if name == "Set5":
        assert np.mean(similar) == pytest.approx(0.9299, abs=2e-3)  # as published for the same pictures
