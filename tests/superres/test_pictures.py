"""Strips: which part of a picture is shown, and what the panels and the maps of errors hold."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from superres.metrics import bicubic, psnr_y
from superres.pictures import BAR, CROP, GAP, ZOOM, draw_strips, hardest
from tests.superres.standin import Enlarge


class Two:
    """Two pictures; the first is flat but for a chequered square."""

    groups = ("Set5", "")

    def __init__(self) -> None:
        first = torch.full((3, 200, 240), 90, dtype=torch.uint8)
        first[:, 100:180, 120:200] = 255 * (torch.arange(80)[:, None] // 3 + torch.arange(80) // 3).remainder(2).to(torch.uint8)
        second = torch.randint(0, 256, (3, 40, 50), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        self.pairs = [(self.halved(high), high) for high in (first, second)]

    @staticmethod
    def halved(high: torch.Tensor) -> torch.Tensor:
        image = Image.fromarray(high.permute(1, 2, 0).contiguous().numpy())
        small = image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.asarray(small).transpose(2, 0, 1).copy())

    def __len__(self) -> int:
        return 2

    def pair(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.pairs[index]


def panels(file, widths) -> list[np.ndarray]:
    with Image.open(file) as image:
        pixels, left, found = np.asarray(image), 0, []
    for width in widths:
        found.append(pixels[:, left : left + width])
        left += width + GAP
    assert pixels.shape[1] == left - GAP
    return found


def test_the_part_with_the_largest_error_is_shown():
    error = torch.zeros(300, 200)
    error[201:203, 91:95] = -5
    top, left, side = hardest(error, 3)
    assert side == CROP and top <= 201 < 203 <= top + side and left <= 91 < 95 <= left + side
    assert top % 3 == left % 3 == 0
    assert hardest(torch.zeros(41, 50), 4) == (0, 0, 40)
    error[20:30, 150:160] = 4  # smaller, but more of it
    top, left, _ = hardest(error, 2)
    assert top <= 20 < 30 <= top + CROP and left <= 150 < 160 <= left + CROP
    error[290, 10] = 50  # one large error counts more than a hundred small ones
    top, left, _ = hardest(error, 2)
    assert top <= 290 < top + CROP and left <= 10 < left + CROP


def test_strips_of_one_part_and_its_errors(tmp_path):
    split = Two()
    rows = draw_strips(Enlarge(), split, tmp_path / "samples", 5, 2)
    assert [row["file"] for row in rows] == ["0.png", "0-errors.png", "1.png", "1-errors.png"]
    low, high = split.pair(0)
    made = low.repeat_interleave(2, 1).repeat_interleave(2, 2)
    for row in rows[:2]:
        assert row["caption"].startswith("Set5 1: ")
        scores = [float(psnr_y(picture, high, 2)) for picture in (bicubic(low, 2), made)]
        assert f"of bicubic {scores[0]:.2f} dB, of the network {scores[1]:.2f} dB" in row["caption"]
    assert rows[2]["caption"].startswith("2: ")
    side = CROP * ZOOM
    shown = panels(tmp_path / "samples" / "0.png", [side] * 4)
    top, left, _ = hardest((bicubic(low, 2).double() - high.double()).mean(0), 2)
    for panel, picture in zip(shown, (made, bicubic(low, 2), made, high), strict=True):
        part = picture[:, top : top + CROP, left : left + CROP].permute(1, 2, 0).numpy()
        assert np.array_equal(panel, part.repeat(ZOOM, 0).repeat(ZOOM, 1))
    *maps, bar = panels(tmp_path / "samples" / "0-errors.png", [side, side, BAR * ZOOM])
    brightest = max(int(found.astype(int).sum(2).max()) for found in maps)
    assert bar[0].astype(int).sum(1).max() == brightest and bar[-1].max() <= 4  # the largest error has the last colour
    assert maps[0].astype(int).sum() != maps[1].astype(int).sum()


def test_a_perfect_network_has_a_black_map_on_the_scale_of_bicubic(tmp_path):
    split = Two()

    class Perfect(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return split.pair(0)[1][None].float()

    rows = draw_strips(Perfect(), split, tmp_path, 1, 2)
    assert len(rows) == 2 and "of the network 100.00 dB" in rows[0]["caption"]
    by_bicubic, by_network, _ = panels(tmp_path / "0-errors.png", [CROP * ZOOM, CROP * ZOOM, BAR * ZOOM])
    assert by_network.max() <= 4 and by_bicubic.max() > 250
