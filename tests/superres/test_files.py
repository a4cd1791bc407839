"""Picture files of every kind upscaled: what is kept, what is said, and what is refused before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from common.errors import UserError
from superres import files
from superres.files import check, left_out, planned, upscale_file
from tests.contracts.pictures import Deep, colours
from tests.superres.standin import Enlarge


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def upscaled(tmp_path: Path, image: Image.Image, name: str = "in.png", out: str = "out.png", **saved: object):
    """The picture made of `image`, and what is said of it."""
    image.save(tmp_path / name, **saved)
    row = upscale_file(Enlarge(), tmp_path / name, tmp_path / out, 2)
    with Image.open(tmp_path / out) as made:
        made.load()
    assert row["size"] == list(made.size) and row["picture"] == str(tmp_path / out)
    return made, row


def doubled(pixels: np.ndarray) -> np.ndarray:
    return pixels.repeat(2, 0).repeat(2, 1)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 4)])
def test_colours_of_any_size(tmp_path, size):
    pixels = noise((*size, 3))
    made, row = upscaled(tmp_path, Image.fromarray(pixels))
    assert made.mode == "RGB" and np.array_equal(np.asarray(made), doubled(pixels)) and "converted" not in row


def test_grey_stays_grey(tmp_path):
    pixels = noise((5, 6))
    made, row = upscaled(tmp_path, Image.fromarray(pixels))
    assert made.mode == "L" and np.array_equal(np.asarray(made), doubled(pixels)) and "converted" not in row
    made, row = upscaled(tmp_path, Image.fromarray(pixels > 127))
    assert made.mode == "L" and np.array_equal(np.asarray(made), doubled((pixels > 127) * np.uint8(255)))
    assert row["converted"] == "black and white is read as grey"
    made, row = upscaled(tmp_path, Image.fromarray(pixels.astype(np.uint16) * 257))
    assert made.mode == "L" and np.array_equal(np.asarray(made), doubled(pixels))
    assert row["converted"] == "16-bit grey is read as 8-bit grey"


def test_sixteen_bits_a_colour_are_told(tmp_path):
    made, row = upscaled(tmp_path, Deep())
    assert np.array_equal(np.asarray(made), doubled(colours())) and row["converted"] == "16-bit colours are read as 8-bit colours"


@pytest.mark.parametrize(("mode", "kept"), [("RGBA", "RGBA"), ("LA", "LA")])
def test_alpha_is_kept_and_upscaled_bicubically(tmp_path, mode, kept):
    image = Image.fromarray(noise((6, 5, 4))).convert(mode)
    made, _ = upscaled(tmp_path, image)
    assert made.mode == kept
    alpha = image.getchannel("A").resize((10, 12), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(made.getchannel("A")), np.asarray(alpha))
    for band in kept[:-1]:  # the colours beneath are those of the file, whatever their alpha
        assert np.array_equal(np.asarray(made.getchannel(band)), doubled(np.asarray(image.getchannel(band))))


def test_a_colour_that_counts_as_transparent_is_alpha(tmp_path):
    pixels = np.full((4, 4, 3), 200, np.uint8)
    pixels[:2] = (10, 20, 30)
    made, _ = upscaled(tmp_path, Image.fromarray(pixels), transparency=(10, 20, 30))
    assert made.mode == "RGBA" and np.asarray(made)[0, 0, 3] == 0 and np.asarray(made)[-1, 0, 3] == 255


def test_palettes_and_cmyk_become_rgb(tmp_path):
    palette = Image.fromarray(noise((6, 6, 3))).quantize(8)
    made, row = upscaled(tmp_path, palette)
    assert made.mode == "RGB" and np.array_equal(np.asarray(made), doubled(np.asarray(palette.convert("RGB"))))
    assert row["converted"] == "a palette is read as RGB"
    made, row = upscaled(tmp_path, palette, transparency=0)
    transparent = np.asarray(palette) == 0
    alpha = np.asarray(made.getchannel("A"))
    assert made.mode == "RGBA" and alpha[doubled(transparent)].mean() < 128 < alpha[doubled(~transparent)].mean()
    made, row = upscaled(tmp_path, Image.fromarray(noise((4, 4, 4)), "CMYK"), "in.tif")
    assert made.mode == "RGB" and row["converted"] == "CMYK is read as RGB"


def test_a_picture_is_turned_as_displayed_with_its_alpha(tmp_path):
    pixels = noise((3, 5, 4))
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6  # a quarter turn clockwise
    made, _ = upscaled(tmp_path, image, exif=exif)
    turned = np.rot90(pixels, -1)
    assert made.size == (6, 10) and np.array_equal(np.asarray(made)[..., :3], doubled(turned[..., :3]))
    alpha = Image.fromarray(np.ascontiguousarray(turned[..., 3])).resize((6, 10), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(made)[..., 3], np.asarray(alpha))
    assert made.getexif().get(0x0112, 1) == 1


def test_the_colour_profile_is_kept(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made, _ = upscaled(tmp_path, Image.fromarray(noise((4, 4, 3))), icc_profile=profile)
    assert made.info["icc_profile"] == profile


@pytest.mark.parametrize("out", ["out.jpg", "out.JPEG", "out.bmp", "out.tif", "out.webp"])
def test_the_format_is_that_of_the_ending(tmp_path, out):
    flat = np.full((8, 8, 3), (40, 120, 200), np.uint8)
    made, _ = upscaled(tmp_path, Image.fromarray(flat), out=out)
    suffix = out[out.index(".") :].lower()
    assert made.format == Image.registered_extensions()[suffix] and made.size == (16, 16)
    assert np.abs(np.asarray(made).astype(int) - flat[0, 0]).max() <= 3


@pytest.mark.parametrize(
    ("out", "fits"), [("o.jpg", False), ("o.bmp", False), ("o.png", True), ("o.tiff", True), ("o.webp", True)]
)
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_formats_without_alpha_are_refused_for_pictures_with_it(tmp_path, mode, out, fits):
    source = tmp_path / "in.png"
    Image.fromarray(noise((4, 4, 4))).convert(mode).save(source)
    if fits:
        assert check(source, tmp_path / out, 2) == 1
        upscale_file(Enlarge(), source, tmp_path / out, 2)
        with Image.open(tmp_path / out) as made:
            assert "A" in made.getbands()
        return
    with pytest.raises(UserError, match=rf"{out}: \.\w+ files do not keep the alpha channel that .*in\.png has; .* \.png"):
        check(source, tmp_path / out, 2)


def test_pictures_too_large_for_a_format_or_the_memory_are_refused(tmp_path, monkeypatch):
    source = tmp_path / "in.png"
    Image.new("L", (9000, 2)).save(source)
    with pytest.raises(UserError, match=r"\.webp files have at most 16,383 pixels a side, and .* becomes 18000x4"):
        check(source, tmp_path / "o.webp", 2)
    assert check(source, tmp_path / "o.png", 2) == 36  # parts of 272 pixels with 16 in common
    monkeypatch.setattr(files, "memory", lambda: 2_000_000)
    with pytest.raises(UserError, match=r"in\.png: 2 times larger it has 18000x4 pixels and takes .* cut it into pieces"):
        check(source, tmp_path / "o.png", 2)


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"", "empty file"), (b"no picture", "not an image"), (None, "missing")],
)
def test_files_that_are_no_pictures(tmp_path, content, part):
    source = tmp_path / "in.png"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(UserError, match=rf"in\.png: {part}; give an image file"):
        check(source, tmp_path / "o.png", 2)


def test_which_file_becomes_which(tmp_path):
    for name in ("a.png", "a.jpg", "b.png", "a-x2.png"):
        Image.new("L", (2, 2)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    one = tmp_path / "a.png"
    assert planned(one, tmp_path / "new" / "o.JPG", 2) == [(one, tmp_path / "new" / "o.JPG")]
    assert planned(one, tmp_path / "new", 3) == [(one, tmp_path / "new" / "a-x3.png")]
    into = {source.name: target.name for source, target in planned(tmp_path, tmp_path / "new", 2)}
    assert into == {"a-x2.png": "a-x2-x2.png", "a.jpg": "a-x2.png", "a.png": "a-x2-2.png", "b.png": "b-x2.png"}
    assert left_out(one) == [] and left_out(tmp_path) == ["notes.txt"]


def test_what_cannot_be_planned(tmp_path):
    one, empty = tmp_path / "a.png", tmp_path / "empty"
    Image.new("L", (2, 2)).save(one)
    empty.mkdir()
    (tmp_path / "link.png").symlink_to(one)
    for source, out, part in (
        (tmp_path / "none.png", tmp_path / "o.png", "no such file or folder"),
        (empty, tmp_path / "o", "no picture in it"),
        (one, tmp_path / "o.xyz", r"not written as \.xyz; give a name that ends in one of jpg/"),
        (one, tmp_path / "o.pdf", r"not written as \.pdf"),
        (one, one, "is the picture that is upscaled"),
        (one, tmp_path / "link.png", "is the picture that is upscaled"),
        (one, one / "o.png", "is a file; give a folder"),
        (tmp_path, tmp_path / "o.png", "is a folder; give a folder for the upscaled pictures"),
        (tmp_path, one, "is a folder; give a folder for the upscaled pictures"),
        (tmp_path, tmp_path, "is the folder of the pictures that are upscaled; give another folder"),
    ):
        with pytest.raises(UserError, match=part):
            planned(source, out, 2)
