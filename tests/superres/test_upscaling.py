"""Tiles and the self-ensemble against the network on the whole picture."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from superres.upscaling import AT_ONCE, LEAST_TILE, MARGIN, passes, spans, upscaled
from tests.superres.standin import Blur, Enlarge


def pictures(n: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, height, width), generator=generator).float()


def test_parts_have_one_length_and_every_pixel_is_taken_once_from_the_nearest_centre():
    for tile, margin in ((32, 8), (33, 8), (5, 1)):
        for length in range(1, 200):
            parts = spans(length, tile, margin)
            assert len({end - start for start, end, _, _ in parts}) == 1 and parts[0][1] - parts[0][0] <= tile
            assert [i for _, _, a, b in parts for i in range(a, b)] == list(range(length))
            assert parts[0][0] == 0 and parts[-1][1] == length
            assert all(a - start >= margin for start, _, a, _ in parts[1:])
            assert all(end - b >= margin for _, end, _, b in parts[:-1])
            for i, (_, _, a, b) in enumerate(parts):
                centres = [(start + end) / 2 for start, end, _, _ in parts]
                for pixel in (a, b - 1):
                    nearest = min(abs(pixel + 0.5 - centre) for centre in centres)
                    assert abs(pixel + 0.5 - centres[i]) <= nearest + 1, (length, i)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (33, 7), (32, 32), (101, 67)])
def test_pictures_of_any_size_are_made_of_their_tiles(scale, size):
    low = pictures(2, *size)
    network = Enlarge(scale)
    made = upscaled(network, low, scale, tile=LEAST_TILE)
    assert torch.equal(made, low.repeat_interleave(scale, 2).repeat_interleave(scale, 3))
    assert sum(shape[0] for shape in network.seen) == 2 * passes(*size, tile=LEAST_TILE)
    assert len({shape[2:] for shape in network.seen}) == 1 and max(max(shape[2:]) for shape in network.seen) <= LEAST_TILE


@pytest.mark.parametrize("ensemble", [False, True])
def test_seams_do_not_show_where_the_network_reaches_no_further_than_the_margin(ensemble):
    low = pictures(1, 75, 90)
    for reach, least, most in ((MARGIN, 0, 1e-3), (2 * MARGIN, 0.01, 1)):  # what lies further away than a tile is not seen
        whole, tiled = (upscaled(Blur(reach), low, 2, tile=tile, ensemble=ensemble) for tile in (90, 40))
        assert whole.std() > 1 and least <= (whole != tiled).float().mean() <= most


def test_tiles_are_given_together_up_to_a_number_of_pixels():
    network = Enlarge()
    upscaled(network, pictures(3, 184, 184), 2, tile=40)  # 7 tiles of exactly 40 pixels a side
    most, tiles = AT_ONCE // 40**2, 3 * passes(184, 184, tile=40)
    assert tiles == 147 and [shape[0] for shape in network.seen] == [most] * (tiles // most) + [tiles % most]
    network.seen.clear()
    upscaled(network, pictures(2, 300, 300), 2, tile=300)  # a tile larger than that goes alone
    assert network.seen == [(1, 3, 300, 300)] * 2


def test_values_are_limited_and_rounded():
    class Far(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.interpolate(x, scale_factor=2) * 3 - 100.4

    made = upscaled(Far(), torch.tensor([0.0, 50.0, 200.0]).reshape(1, 1, 1, 3).expand(1, 3, 1, 3), 2)
    assert made[0, 0, 0].tolist() == [0, 0, 50, 50, 255, 255] and not made.requires_grad


class Uneven(nn.Module):
    """Adds more and more from row to row, and from column to column by another amount."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        large = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return large + torch.arange(large.shape[2])[:, None] * 1.25 + torch.arange(large.shape[3]) * 0.25


def test_the_ensemble_is_the_mean_over_eight_views_before_rounding():
    low = torch.full((1, 3, 4, 7), 60.0)
    height, width = 8, 14
    # Each view adds its own ramp: mirrored ones add up to a constant, and transposing swaps the two slopes.
    straight = 1.25 * (height - 1) / 2 + 0.25 * (width - 1) / 2
    transposed = 0.25 * (height - 1) / 2 + 1.25 * (width - 1) / 2
    made = upscaled(Uneven(), low, 2, ensemble=True)
    assert made.unique().tolist() == [round(60 + (straight + transposed) / 2)]
    assert upscaled(Uneven(), low, 2).unique().numel() > 1


def test_each_view_is_turned_back():
    low = pictures(1, 50, 23)
    assert torch.equal(upscaled(Enlarge(3), low, 3, tile=32, ensemble=True), upscaled(Enlarge(3), low, 3))


@pytest.mark.parametrize(("ensemble", "views"), [(False, 1), (True, 8)])
def test_progress_counts_every_tile(ensemble, views):
    counted: list[int] = []
    upscaled(Enlarge(), pictures(1, 70, 40), 2, tile=32, ensemble=ensemble, advance=counted.append)
    assert sum(counted) == passes(70, 40, tile=32, ensemble=ensemble) == 4 * 2 * views


def test_the_input_stays_as_it_was():
    low = pictures(1, 40, 40)
    kept = low.clone()
    upscaled(Enlarge(), low, 2, tile=32, ensemble=True)
    assert torch.equal(low, kept)
