"""One picture looks the same to training, validation, `predict` and the script beside the exported network, in every task."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from common.data.reader import Unusable
from common.errors import UserError
from tests.contracts.pictures import SIDE, SPLITS, TASKS, Deep, Pixels, colours, data_of, saver, used

GREY = colours()[..., 2]
THREE = np.repeat(GREY[..., None], 3, axis=2)
FADED = np.concatenate([colours(), GREY[..., None]], axis=2)


def turned(image: Image.Image, orientation: int) -> Image.Image:
    image.getexif()[0x0112] = orientation
    return image


PALETTE = Image.fromarray(colours()).quantize(16)
MODES: dict[str, tuple[Callable[[], Image.Image], str, Pixels]] = {
    "RGB": (lambda: Image.fromarray(colours()), "png", colours()),
    "L": (lambda: Image.fromarray(GREY), "png", THREE),
    "1": (lambda: Image.fromarray(GREY > 99), "png", np.where(THREE > 99, 255, 0).astype(np.uint8)),
    "16-bit grey": (lambda: Image.fromarray(GREY.astype(np.uint16) * 257), "png", THREE),
    "16-bit grey, rounded": (
        lambda: Image.fromarray(np.minimum(GREY, 254) * np.uint16(257) + 128),  # less than half a step above
        "png",
        np.minimum(THREE, 254),
    ),
    "16-bit grey of a TIFF, turned": (
        lambda: turned(Image.fromarray(GREY.astype(np.uint16) * 257), 6),
        "tif",
        np.rot90(THREE, -1),
    ),
    "16-bit colours": (Deep, "png", colours()),
    "32-bit whole numbers": (lambda: Image.fromarray(GREY.astype(np.int32) * 257), "tif", THREE),
    "LA": (lambda: Image.fromarray(np.stack([GREY, GREY.T], axis=2)), "png", THREE),
    "RGBA": (lambda: Image.fromarray(FADED), "png", colours()),
    "P": (lambda: PALETTE, "png", np.asarray(PALETTE.convert("RGB"))),
    "P, transparent": (lambda: _transparent(), "png", np.asarray(PALETTE.convert("RGB"))),
    "CMYK": (lambda: Image.new("CMYK", (SIDE, SIDE), (255, 0, 0, 0)), "tif", np.full((SIDE, SIDE, 3), (0, 255, 255), np.uint8)),
    "turned PNG": (lambda: turned(Image.fromarray(colours()), 8), "png", np.rot90(colours())),
    "mirrored PNG": (lambda: turned(Image.fromarray(colours()), 2), "png", colours()[:, ::-1]),
}
REFUSED: dict[str, tuple[Callable[[], Image.Image], str]] = {
    "fractions": (lambda: Image.fromarray(GREY / np.float32(255)), "scale them to 0 to 255"),
    "more than 16 bits": (lambda: Image.fromarray(GREY.astype(np.int32) * 70_000), "scale them to 0 to 255"),
    "Lab": (lambda: Image.new("LAB", (SIDE, SIDE)), "convert it to RGB"),
}


def _transparent() -> Image.Image:
    image = PALETTE.copy()
    image.info["transparency"] = bytes(range(16))
    return image


pytestmark = pytest.mark.parametrize("task", TASKS)


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_of_every_mode_looks_the_same(tmp_path, task, mode):
    """Pictures of the network's own size, so that every pixel is known."""
    one = TASKS[task]
    image, suffix, expected = MODES[mode]
    save = saver(image, suffix)
    one.lay(tmp_path / "data", save, (SIDE, SIDE))
    save(tmp_path / "x")
    file = tmp_path / f"x.{suffix}"
    one.script(tmp_path, (SIDE, SIDE))
    seen = one.read(tmp_path / "data", SIDE)
    seen |= {"predict": one.predict(file, (SIDE, SIDE)), "use.py": used(tmp_path, file)}
    assert set(seen) == {*SPLITS, "predict", "use.py"}
    for place, pixels in seen.items():
        assert np.array_equal(pixels, expected), place


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_larger_picture_looks_the_same(tmp_path, task, suffix):
    """Turned, 300 x 200 as stored, brought to 64 pixels (networks of segmentation and super-resolution see it whole)."""
    one = TASKS[task]
    save = saver(lambda: turned(Image.fromarray(colours(300, 200)), 6), suffix)
    one.lay(tmp_path / "data", save, (300, 200))
    save(tmp_path / "x")
    size = (300, 200) if task in ("segmentation", "superres") else (SIDE, SIDE)
    one.script(tmp_path, size)
    seen = one.read(tmp_path / "data", SIDE)
    seen |= {"predict": one.predict(tmp_path / f"x.{suffix}", size), "use.py": used(tmp_path, tmp_path / f"x.{suffix}")}
    assert seen["train"].std() > 20
    for place, pixels in seen.items():
        assert np.abs(pixels.astype(int) - seen["train"]).max() <= (one.tolerance if place == "use.py" else 0), place


@pytest.mark.parametrize("mode", REFUSED)
def test_pixels_without_a_known_range_are_refused_with_the_remedy(tmp_path, task, mode):
    one = TASKS[task]
    image, remedy = REFUSED[mode]
    save = saver(image, "tif")
    one.lay(tmp_path / "data", save, (SIDE, SIDE))
    save(tmp_path / "x")
    one.script(tmp_path, (SIDE, SIDE))
    with pytest.raises(UserError, match=remedy):
        one.read(tmp_path / "data", SIDE)
    with pytest.raises(UserError, match=remedy):
        one.predict(tmp_path / "x.tif", (SIDE, SIDE))
    with pytest.raises(Unusable, match=remedy):
        used(tmp_path, tmp_path / "x.tif")


def test_what_is_converted_is_in_the_notes(tmp_path, task):
    one = TASKS[task]
    kinds = {"16-bit grey": "16-bit grey", "16-bit colours": "16 bits for a colour", "LA": "alpha", "RGBA": "alpha channel"}
    for number, (mode, told) in enumerate(kinds.items()):
        one.lay(tmp_path / str(number), saver(*MODES[mode][:2]), (SIDE, SIDE))
        assert any("pictures of" in note and told in note for note in data_of(task, tmp_path / str(number)).notes), mode
